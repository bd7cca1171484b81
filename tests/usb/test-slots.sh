# Slots get their names by plugging a device into each; the map is tested; what people wrote into station.yaml stays.
set -u
. "${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/usb/common.sh"

mkdir "$W/station-line-1"
YAML=$W/station-line-1/station.yaml
cat >"$YAML" <<'END'
# our line
version: 1
name: "line-1"   # painted yellow
ca: "https://127.0.0.1:1"
END
cp "$YAML" "$W/before"

# plugging N COMMAND... : runs it on a bus to which N devices come, each when the one before was named. Ports 1-1, 1-2, ...
cat >"$W/plugging" <<'END'
#!/bin/bash
n=$1
shift
"$@" 2>"$ERR" &
pid=$!
for ((i = 1; i <= n; i++)); do
	for ((wait = 0; wait < 200; wait++)); do
		[ -s "$ERR" ] && [ "$(grep -c '"type":"slot"' "$OUT")" -ge $((i - 1)) ] && break
		sleep 0.05
	done
	kill -USR1 $PPID
done
wait $pid
END
chmod +x "$W/plugging"
# plugged SERIALS COMMAND... : all of them held at first.
plugged() {
	local all=$1 s held=()
	shift
	for s in $all; do held+=(--fault "$s=held"); done
	ERR=$W/err devices "$all" "${held[@]}" -- "$W/plugging" "$(wc -w <<<"$all")" "$@"
}
export ERR=$W/err
SLOTS=("$BUILD/handsel-station" --dir "$W/station-line-1" --json slots)

plugged "00000001 00000002" "${SLOTS[@]}" learn left right --timeout 20
[ "$status" = 0 ] || failed "slots learn ends with $status"
diff <(head -n 4 "$YAML") "$W/before" || failed "what was written there is gone"
diff <(tail -n +5 "$YAML") - <<'END' || failed "the map is not as learnt"
slots:
  - {name: "left", port: "1-1"}
  - {name: "right", port: "1-2"}
END

# Learnt anew, the other way round, one is taken already: said, and not taken.
printf '  # the end\n' >>"$YAML"
plugged "00000001" "${SLOTS[@]}" learn right --timeout 2
[ "$status" = 3 ] && grep -q 'that was slot left' "$W/err" || failed "the port of another slot was not refused: $status"
grep -q '"code":"E64"' "$W/out" || failed "no E64 when nothing comes"

devices "00000001 00000002 00000003" -- "${SLOTS[@]}" list
grep -q '"slot":"right","port":"1-2","state":"device"' "$W/out" || failed "slots list does not show the device"
grep -q '"slot":"-","port":"1-3","state":"no slot"' "$W/out" || failed "slots list does not show the unknown port"

plugged "00000001 00000002" "${SLOTS[@]}" test --timeout 10
[ "$status" = 0 ] || failed "slots test ends with $status"
plugged "00000001" "${SLOTS[@]}" test --timeout 2
[ "$status" = 1 ] && grep -q '"slot":"right","port":"1-2","state":"nothing came"' "$W/out" || failed "a silent slot passes the test: $status"

# Forms that cannot be edited, and files that are wrong.
printf 'version: 1\nname: "line-1"\nca: "https://127.0.0.1:1"\nslots: [{name: "left", port: "1-9"}]\n' >"$YAML"
cp "$YAML" "$W/before"
plugged "00000001" "${SLOTS[@]}" learn right --timeout 20
[ "$status" = 2 ] && grep -q 'write below it the line' "$W/out" || failed "brackets were edited: $status"
cmp -s "$YAML" "$W/before" || failed "station.yaml has changed by a failure"
plugged "00000001" "${SLOTS[@]}" learn left --timeout 20
[ "$status" = 0 ] && grep -qx 'slots: \[{name: "left", port: "1-1"}\]' "$YAML" || failed "a port in brackets is not replaced: $status"
devices "00000001" -- "${SLOTS[@]}" learn 'a b' --timeout 2
[ "$status" = 2 ] || failed "a bad name of a slot: $status"

[ $failures = 0 ] && echo "slots: all right"
exit $failures
