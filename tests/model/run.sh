#!/bin/bash
# run.sh - the models of the transactions under Spin: whole they must hold, without any one of their rules they must not.
# Exit 0 if so, 1 if not. Takes about 100 seconds of one core and 800 MiB. "run.sh factory release" checks these models only.
here=$(cd "$(dirname "$0")" && pwd)
command -v spin >/dev/null && command -v "${CC:-gcc}" >/dev/null || {
	echo "error: spin or a C compiler is missing"
	exit 1
}
work=$(mktemp -d "${TMPDIR:-/tmp}/handsel model XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
bad=0

# MODEL RULE OPTION... : rule "-" is the whole model, which must hold; a rule is left out by its WITHOUT_ macro, and then Spin must
# find a run that ends badly. What each rule says stands at the head of its model; doc/transactions.md has them all.
# DEAD of handover: a late request *and* a late confirm of a released id need two handlers that hold them and a third that goes on.
table() {
	cat <<-'END'
		handover       -
		handover       -            -DHANDLERS=3 -DGIVEUPS=2 -DCALOSSES=0
		handover       DEAD         -DHANDLERS=3 -DGIVEUPS=2 -DCALOSSES=0
		handover       TOMBSTONE
		handover       GENERATION
		handover       ORDER
		factory        -            -DLAPSES=1
		factory        -            -DMOVES=1
		factory        -            -DLAPSES=1 -DDEATHS=1 -DCRASHES=0
		factory        -            -DLAPSES=1 -DQUOTA=1
		factory        -            -DTAKEOVERS=1
		factory        -            -DHOSTILE
		factory        ACTIVE
		factory        STATION
		factory        USED         -DTAKEOVERS=1 -DLIMIT=2 -DLAPSES=1 -DCRASHES=0
		factory        LIMIT        -DCRASHES=0
		factory        LIMIT_KEPT   -DCRASHES=0 -DLAPSES=1
		factory        UNIT
		factory        LAPSE        -DDEATHS=1
		factory        PENDING      -DLAPSES=1
		factory        DEAD         -DLAPSES=1
		factory        PASS
		factory        TICKET
		factory        COUNT_FIRST  -DHOSTILE
		factory        FREE
		renewal        -
		renewal        SLOT
		renewal        OLD
		renewal        REPEAT
		renewal        ONLY
		renewal        CONFIRM
		renewal        DEAD
		renewal        REPORT
		two-nodes      -
		two-nodes      BINDING
		two-nodes      SCOPE
		two-nodes      TOMBSTONE
		two-nodes      RELEASE
		two-nodes      ASK
		release        -
		release        CANCEL
		release        FINAL
		release        ASK
		release        REPAIR
		release        NAMED
		release        SIGNED
		clone          -
		clone          ACTIVE
		clone          KEY
		clone          NOTICE
		clone          LAST_USE
		restore-node   -
		restore-node   RECOVERING
		restore-node   RECONCILE
		restore-node   HOLD
		restore-node   START
		restore-node   USE
		restore-ledger -
		restore-ledger -            -DUNITS_MOST=1
		restore-ledger BEHIND
		restore-ledger AHEAD
		restore-ledger TOLD
		restore-ledger REDO
		restore-ledger CONFIRMS
		restore-ledger ENDED        -DUNITS_MOST=1
		restore-ledger RECONCILE
	END
}

# check WANTED NAME MODEL SPIN-OPTION... : WANTED is "holds" or "fails".
check() {
	local wanted=$1 name=$2 model=$here/$3.pml optimise=-O1 found states
	shift 3
	[ "$wanted" = holds ] || optimise=-O0	# it is found sooner than it is optimised
	rm -rf "$work/run" && mkdir "$work/run" && cd "$work/run" || exit 1
	if spin "$@" -a "$model" >spin.log 2>&1 &&
		"${CC:-gcc}" -w $optimise -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -DMEMLIM=1500 -o pan pan.c >cc.log 2>&1; then
		timeout 600 ./pan -m20000 -w22 >pan.log 2>&1
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

while read -r model rule options; do
	case " ${*:-$model} " in *" $model "*) ;; *) continue ;; esac
	# shellcheck disable=SC2086	# options are words
	if [ "$rule" = - ]; then
		check holds "$model $options" "$model" $options
	else
		grep -q "WITHOUT_$rule\$" "$here/$model.pml" || {
			echo "FAILED: $model knows no WITHOUT_$rule"
			bad=1
		}
		check fails "$model WITHOUT_$rule $options" "$model" $options "-DWITHOUT_$rule"
	fi
done < <(table)

# A macro that is not in the table would be a rule that nobody checks.
for file in "$here"/*.pml; do
	name=$(basename "$file" .pml)
	for macro in $(sed -n 's/^#if.*def WITHOUT_//p' "$file" | sort -u); do
		table | grep -Eq "^\s*$name +$macro( |\$)" || {
			echo "FAILED: $name WITHOUT_$macro is not in the table"
			bad=1
		}
	done
done
exit $bad
