#!/bin/bash
# run.sh - the model of the customer transaction under Spin: whole it must hold, without any one of its four rules it must not.
# Exit 0 if so, 1 if not. Takes about a minute and 800 MiB.
model=$(cd "$(dirname "$0")" && pwd)/handover.pml
command -v spin >/dev/null && command -v "${CC:-gcc}" >/dev/null || {
	echo "error: spin or a C compiler is missing"
	exit 1
}
work=$(mktemp -d "${TMPDIR:-/tmp}/handsel model XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
bad=0

# check WANTED NAME SPIN-OPTION... : WANTED is "holds" or "fails".
check() {
	local wanted=$1 name=$2 found states
	shift 2
	rm -rf "$work/run" && mkdir "$work/run" && cd "$work/run" || exit 1
	if spin "$@" -a "$model" >spin.log 2>&1 &&
		"${CC:-gcc}" -w -O2 -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -DMEMLIM=1500 -o pan pan.c >cc.log 2>&1; then
		timeout 120 ./pan -m20000 -w22 >pan.log 2>&1
	else
		cat spin.log cc.log 2>/dev/null
	fi
	states=$(sed -n 's/^ *\([0-9]*\) states, stored$/\1/p' pan.log 2>/dev/null)
	# A search that was cut short (depth, memory, time) proves nothing.
	if grep -q 'assertion violated' pan.log 2>/dev/null; then
		found=fails
	elif grep -q 'errors: 0$' pan.log && ! grep -Eq 'max search depth too small|out of memory|Search not completed' pan.log; then
		found=holds
	else
		found="could not be searched"
	fi
	if [ "$found" = "$wanted" ]; then
		echo "ok: $name $found (${states:-?} states)"
	else
		echo "FAILED: $name $found, but should be: $wanted"
		tail -n 5 pan.log 2>/dev/null
		bad=1
	fi
}

# A late request *and* a late confirm of a released id need two handlers that hold them and a third that goes on.
late="-DHANDLERS=3 -DGIVEUPS=2 -DCALOSSES=0"

check holds "the whole model"
check holds "the whole model, two late messages" $late
check fails "without: a superseded request id is dead for ever" $late -DWITHOUT_DEAD
check fails "without: a revocation leaves a tombstone" -DWITHOUT_TOMBSTONE
check fails "without: ids carry a generation" -DWITHOUT_GENERATION
check fails "without: a revocation goes before the next activation" -DWITHOUT_ORDER
exit $bad
