# The station's screen, in a real terminal (tmux): PASS and FAIL in block letters, phases, counters that outlive a restart, scans,
# badges, command cards, garbage, other sizes, without colour, without UTF-8. Every wait is for what the screen shows.
set -u
. "${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/usb/common.sh"
factory_up
STATION_DIR=$W/station-line-1
export LC_ALL=C.UTF-8
TERMINAL=(LC_ALL=C.UTF-8)	# the environment in the terminal; that of the server is of its first start

# One server for all: one that ends with its last session may still take the next one with it.
echo 'set -g exit-empty off' >"$W/tmux.conf"
tm() { (cd "$W" && tmux -S tmux -f tmux.conf "$@"); }	# a socket's name is short
screen() { tm capture-pane -p -t console; }
# The last picture, where a look at the next one would be too late.
look() { screen >"$W/out" 2>>"$W/err"; }
shows() { look && grep -qe "$1" "$W/out"; }
# What comes later builds on what was waited for.
await() {
	until_true 30 shows "$1" || {
		failed "$2: no \"$1\" on the screen"
		cat "$W/out" >&2
		exit 1
	}
}
scan() { tm send-keys -t console -l "$1" && tm send-keys -t console Enter; }

# console SERIALS COLUMNS LINES FARM-OPTION... -- STATION-OPTION... : the station under tmux; its end leaves $W/status.
console() {
	local serials=$1 columns=$2 lines=$3 farm=()
	shift 3
	while [ "$1" != -- ]; do farm+=("$1") && shift; done
	shift
	rm -f "$W/status" "$W/farm.pid" "$W/raw"
	{
		printf '#!/bin/bash\n. %q\nW=%q\n' "$TOP/tests/system/lib.sh" "$W"
		printf 'export %s\n' "${TERMINAL[*]}"
		printf 'farm %q' "$serials"
		[ ${#farm[@]} = 0 ] || printf ' %q' "${farm[@]}"
		printf ' --'
		printf ' %q' "$W/inner" "$BUILD/handsel-station" --dir "$STATION_DIR" run --order USB-1 --agent "$BUILD/handsel-agent" \
			--model "$MODEL_FILE" "$@"
		printf ' 2>>%q\necho $? >%q.new && mv %q.new %q\nexec sleep 600\n' "$W/err" "$W/status" "$W/status" "$W/status"
	} >"$W/pane"
	printf '#!/bin/bash\necho $PPID >%q\nexec "$@"\n' "$W/farm.pid" >"$W/inner"
	chmod +x "$W/inner" "$W/pane"
	tm new-session -d -s console -x "$columns" -y "$lines" "cat" &&
		tm pipe-pane -t console "cat >'$W/raw'" && tm respawn-pane -k -t console "exec '$W/pane'" || failed "tmux does not start"
}
# leave : ends the station as Ctrl-C does; sets $status. What the terminal shows then stays in $W/out.
leave() {
	tm send-keys -t console C-c
	until_true 30 [ -s "$W/status" ] || failed "the station does not end"
	status=$(cat "$W/status")
	until_true 10 shows '^total:' || failed "no totals on the terminal that came back"
	tm kill-session -t console
}
end() {
	local status=$?
	tm kill-server 2>/dev/null
	(exit $status)
	finish
}
trap end EXIT

cat >>"$STATION_DIR/station.yaml" <<'END'
scanner: {badge: "E([0-9]{4})"}
console: {shift-hours: 12}
slots:
  - {name: "1", port: "1-1"}
  - {name: "2", port: "1-2"}
END
# The upper rows of the letters.
PASS_1='████   ███   ████  ████'
FAIL_1='█████  ███  █████ █'

# ---- a shift: one passes, one fails by its label and passes after a card ---------------------------------------------
console "00000001 00000002" 80 24 -- --labels -
await 'plug in a unit\|seen\|dfu\|check' "start"
await ' line-1  USB-1  gateway-b  0 of 99  op: --' "the head"
await 'CA ok' "the state of the CA"
scan E4711
await 'op: 4711' "badge"
await 'badge 4711' "badge"
await '^1 .*check (5/11)' "the unit waits for its label"
scan '1 00000001'
await "$PASS_1" "slot 1 passes"
await '^1 .*00000001 .*record (11/11).*PASS ✔' "slot 1 passes"
scan '2 00000001'
await 'shift: 1 pass  0 fail  100.0 %  first-pass 100.0 %   order: 1 pass  0 fail' "counters"
scan '2 00000009'
await "$FAIL_1" "slot 2 fails"
await '^2 .*check (5/11).*FAIL ✘' "slot 2 fails"
await 'E45 label-differs: the label says 00000009' "why it failed"
await 'shift: 1 pass  1 fail  50.0 %  first-pass 50.0 %' "counters"
[ -z "${SCREENS:-}" ] || cp "$W/out" "$SCREENS"	# for the README

# Garbage changes nothing but the message.
tm send-keys -t console -H ff fe 80 41 0d
await 'E45 the scan has bytes that no label has' "garbage"
tm send-keys -t console -l "$(printf '7%.0s' $(seq 300))" && tm send-keys -t console Enter
await 'E45 the scan is longer than any label' "an overlong scan"
scan CMD:DANCE
await 'there is no such command card' "an unknown card"
scan CMD:RETRY:9
await 'slot 9: no failed unit is plugged in there' "a card for another slot"
scan CMD:RETRY:1
await 'slot 1: no failed unit is plugged in there' "a card for a unit that passed"

scan '2 00000002'
scan CMD:RETRY:2
await '^2 .*00000002 .*PASS ✔' "the card begins the unit again"
await 'shift: 2 pass  1 fail  66.7 %  first-pass 50.0 %   order: 2 pass  1 fail' "counters"
scan CMD:LOGOUT
await 'op: --' "logged out"
leave
[ "$status" = 130 ] || failed "Ctrl-C ends with $status"
grep -q 'total: 2 pass, 1 fail' "$W/out" || failed "the totals are not on the terminal that came back"
record=$(grep -l '"operator": "4711"' "$STATION_DIR"/records/*.json)
/usr/bin/python3 -W ignore -m jsonschema -i "$record" "$TOP/profiles/schema/handsel-record-1.json" >&2 || failed "the operator is not in the record of the unit that began after the badge"
grep -qP '\x1b\[[0-9;]*44m' "$W/raw" || failed "PASS has no blue"
grep -qP '\x1b\[\?1049l' "$W/raw" || failed "the terminal's own screen does not come back"
[ "$(tr -cd '\a' <"$W/raw" | wc -c)" = 1 ] || failed "the bell rings once, at the one FAIL"

# ---- a restart keeps the counters; NO_COLOR, no UTF-8; a card gives a label up; another shift -----------------------------
TERMINAL=(LC_ALL=C NO_COLOR=1)
sed -i 's/shift-hours: 12/&, log-out-after: 3s, bell: none/' "$STATION_DIR/station.yaml"
console "00000003" 80 24 -- --labels -
await 'shift: 2 pass  1 fail  66.7 %  first-pass 50.0 %   order: 2 pass  1 fail' "counters after a restart"
await '^1 .*check (5/11)' "the unit waits for its label"
scan CMD:SKIP:1
await 'its label was given up' "a label is given up"
await '#####  ###  ##### #' "FAIL in ASCII"
await '^1 .*FAIL x' "FAIL in ASCII"
scan CMD:SKIP:1
await '^1 .*-- skipped; take the unit out' "a failed unit is skipped"
scan E0815
await '0815 is logged out: no scan and no unit for 3 s' "logged out by the clock"
await 'op: --' "logged out by the clock"
scan CMD:SHIFT
await 'shift: 0 pass  0 fail  --  first-pass --   order: 2 pass  2 fail' "a new shift"
leave
sed -i 's/, log-out-after: 3s, bell: none//' "$STATION_DIR/station.yaml"
grep -q "$(printf '\a')" "$W/raw" && failed "the bell rings in spite of bell: none"
grep -aqP '\x1b\[[0-9;]*\b(3[0-8]|4[0-8]|9[0-7]|10[0-7])(;[0-9]+)*m' "$W/raw" && failed "colours in spite of NO_COLOR"
LC_ALL=C grep -qP '[\x80-\xff]' "$W/raw" && failed "bytes that are not ASCII"
TERMINAL=(LC_ALL=C.UTF-8)

# ---- other sizes: two slots in blocks, in lines with the last result, 64 in a grid; back again ---------------------------
console "00000004 00000005" 80 24 --fault 00000005=held -- --palette green-red
await "^1 .*00000004 .*PASS ✔" "slot 1 passes"
tm resize-window -t console -x 80 -y 16
await '^   █         ████   ███   ████  ████' "the last result with its slot, in lines"
tm resize-window -t console -x 56 -y 12
await '  op: --   *CA ok' "no time in the head where it has no room"
await '^1 *PASS ✔' "a grid, where nothing else fits"
tm resize-window -t console -x 20 -y 3
tm resize-window -t console -x 120 -y 40
await "^1 .*00000004 .*PASS ✔" "large"
await "$PASS_1" "large"
kill -USR1 "$(cat "$W/farm.pid")"
await "^2 .*00000005 .*PASS ✔" "it goes on after all that"
leave
grep -aqP '\x1b\[[0-9;]*42m' "$W/raw" || failed "--palette green-red has no green"

# ---- six slots on 80x24: lines, the latest result with its slot, how far a download is --------------------------------------
slots() {
	sed -i '/^slots:/,$d' "$STATION_DIR/station.yaml"
	{ echo "slots:" && for i in $(seq "$1"); do echo "  - {name: \"s$i\", port: \"1-$i\"}"; done; } >>"$STATION_DIR/station.yaml"
}
slots 6
console "00000015 00000016" 80 24 --fault 00000016=poll:100 --
await '████   █         ████   ███   ████  ████     █' "the latest result with its slot"
await '^s2 .*00000016 .*dfu (2/11) .* [0-9][0-9]*% ' "how far a download is"
await '^s6 .*-- plug in a unit' "an empty slot"
[ -z "${SCREENS:-}" ] || cp "$W/out" "$SCREENS.lines"
leave

# ---- 64 slots on 80x24: each is there --------------------------------------------------------------------------------------
slots 64
console "00000006" 80 24 -- --count 1
until_true 60 [ -s "$W/status" ] || failed "the station does not end by itself"
tm kill-session -t console
console "00000007" 80 24 --
await '^s1  *PASS ✔' "the grid"
[ "$(grep -oE '\bs[0-9]+\b' "$W/out" | sort -u | wc -l)" = 64 ] || failed "not every one of 64 slots is on the screen"
await '████   █         ████   ███   ████  ████     █' "the last result below the grid"
tm resize-window -t console -x 80 -y 14
await 'slots 41 to 64 of 64' "the second page of a grid that has not room for all"
grep -q '^s41 ' "$W/out" && ! grep -q '^s1 ' "$W/out" || failed "the second page has other slots"
await 'slots 1 to 40 of 64' "the first page again"
leave

# ---- a signal that ends the station at once gives the terminal back --------------------------------------------------------
console "00000008" 80 24 --fault 00000008=held --
await 'plug in\|^s1' "start"
tm send-keys -t console 'C-\'
until_true 30 [ -s "$W/status" ] || failed "SIGQUIT does not end the station"
[ "$(cat "$W/status")" = 131 ] || failed "SIGQUIT: exit status $(cat "$W/status")"
grep -aqP '\x1b\[\?1049l' "$W/raw" || failed "SIGQUIT: the terminal does not come back"
tm kill-session -t console

# ---- a dumb terminal, and no terminal: lines; what goes together -----------------------------------------------------------
console "00000009" 80 24 -- --count 1 --progress plain
await '^slot s1 .*===  PASS v  ===' "plain lines"
tm kill-session -t console
devices "00000010" -- "${STATION[@]}" --count 1 --progress none
[ "$status" = 0 ] && [ "$(wc -l <"$W/out")" = 1 ] && grep -q '"type":"result"' "$W/out" || failed "--json --progress none is not the result alone"
PLAIN=("$BUILD/handsel-station" --dir "$STATION_DIR" run --order USB-1 --agent "$BUILD/handsel-agent" --model "$MODEL_FILE" --count 1)
devices "00000011" -- "${PLAIN[@]}" --progress none
[ "$status" = 0 ] && [ ! -s "$W/out" ] || failed "--progress none is not silent"
devices "00000012" -- "${PLAIN[@]}" --progress json
[ "$status" = 0 ] && grep -q '"type":"unit".*"outcome":"PASS"' "$W/out" || failed "--progress json"
devices "00000013" -- "${PLAIN[@]}"
[ "$status" = 0 ] && grep -q 'PASS v' "$W/out" && ! grep -q "$(printf '\033')" "$W/out" || failed "not a terminal: plain lines"
devices "00000014" -- "${PLAIN[@]}" --progress bar
[ "$status" = 2 ] && grep -q 'needs a terminal' "$W/err" || failed "--progress bar without a terminal: $status"
devices "00000014" -- "${PLAIN[@]}" --progress fast
[ "$status" = 2 ] && grep -q 'auto, bar, plain, json, none' "$W/err" || failed "--progress fast: $status"
printf 'version: 1\nshift: many\n' >"$STATION_DIR/counters.yaml"
devices "00000014" -- "${PLAIN[@]}"
[ "$status" = 2 ] && grep -q 'counters.yaml:.*\|remove it to begin at 0' "$W/err" || failed "damaged counters: $status"

[ $failures = 0 ] && echo "console: all right"
exit $failures
