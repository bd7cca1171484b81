# valgrind.sh - the story of ./demo with every program of ours under valgrind: no error, and nothing is lost at the end.
# $BUILD is a build without sanitizers.
set -u
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
BUILD=${BUILD:-$TOP/build}
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel-valgrind-XXXXXX") || exit 1
trap 'rm -rf "$W"' EXIT
mkdir -p "$W/logs" "$W/build/tests/usb"

# wrapper FILE PROGRAM : a script in the place of the program. Children too: the signer, and what runs on the virtual bus.
wrapper() {
	cat >"$1" <<-END
		#!/bin/sh
		exec valgrind --quiet --trace-children=yes --trace-children-skip='/bin/*,/usr/bin/*' --leak-check=full \\
			--show-leak-kinds=definite,indirect,possible --suppressions="$TOP/tests/analysis/valgrind.supp" \\
			--log-file="$W/logs/$(basename "$1").%p" $2 "\$@"
	END
	chmod +x "$1"
}
for program in handsel-ca handsel-node; do wrapper "$W/build/$program" "\"$BUILD/$program\""; done
wrapper "$W/build/tests/usb/farm" "\"$BUILD/tests/usb/farm\""	# with the station and the agents of the devices
wrapper "$W/agent" ""						# at the customer's site
ln -s "$BUILD/handsel-station" "$BUILD/handsel-agent" "$W/build"	# a station names the agent by the hash of its file

failed=0
for key in device ${HANDSEL_LONG:+ca}; do
	rm -f "$W"/logs/*
	# valgrind makes calls and code of its own in the process that it looks at
	HANDSEL_SANDBOX=off HANDSEL_BUILD=$W/build HANDSEL_RUNNER=$W/agent bash "$TOP/demo" --devices 2 --key $key --json >"$W/demo.log" 2>&1 || {
		tail -n 15 "$W/demo.log"
		failed=1
	}
	for program in handsel-ca handsel-node farm agent; do
		runs=$(find "$W/logs" -name "$program.*" | wc -l)
		bad=$(find "$W/logs" -name "$program.*" -size +0 | wc -l)
		echo "valgrind, key $key, $program: $runs processes, $bad with findings"
		[ "$runs" != 0 ] && [ "$bad" = 0 ] || failed=1
	done
	find "$W/logs" -type f -size +0 -exec head -n 40 {} +
done
exit $failed
