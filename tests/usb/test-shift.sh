# The shift that README.md tells of, played: what the programs print is what stands there, but for dates, times and random numbers.
# WRITE=1 puts the new text there.
set -u
. "$(dirname "$0")/common.sh"
needs_fault_injection
factory_up
order_create WO-1 00020001 00020099 99 line-1 >"$W/out" 2>&1 || failed "no order"
cat >>"$LINE/station.yaml" <<'END'
slots:
  - {name: left, port: "1-1"}
  - {name: right, port: "1-2"}
END
for s in 00020001 00020002 00020003; do mkdir "$W/$s" && ln -s "$BUILD/handsel-agent" "$W/$s/agent"; done
mkfifo "$W/scanner"
exec 8<>"$W/scanner"
: >"$W/told"

told() { printf '%s\n' "$1" >>"$W/told"; }
plain() {
	told "\$ handsel-station --dir line-1 $1"
	shift
	"$BUILD/handsel-station" --dir "$LINE" "$@" >>"$W/told" 2>"$W/err"
}
# run TEXT SERIALS STATION-OPTION... : in the background; scans come from the technician. $TAKEN_OUT is not plugged in.
TAKEN_OUT=""
run() {
	local farm=() s
	told "\$ handsel-station --dir line-1 run --order WO-1 --agent handsel-agent --model gateway-b.yaml $1"
	for s in $2; do farm+=(--fault "$s=as-agent"); done
	[ -z "$TAKEN_OUT" ] || farm+=(--fault "$TAKEN_OUT=held")
	set -- "$2" "${@:3}"
	: >"$W/out"
	(devices "$1" "${farm[@]}" -- "$BUILD/handsel-station" --dir "$LINE" run --order WO-1 --agent "$BUILD/handsel-agent" \
		--model "$MODEL_FILE" "${@:2}" <"$W/scanner"; exit $status) &
	RUN=$!
}
scan() { told "> $1" && echo "$1" >&8; }
once() { until_true 20 grep -qsE "$1" "$W/out" || failed "the run never says $1"; }
# over [PHASES] : the run has ended. Its lines are put in the order of the slots, as both work at once; phases are told if wanted.
over() {
	wait $RUN
	grep -v '^slot\|^total\|^shift' "$W/out" >>"$W/told"
	{ grep '^slot left' "$W/out"; grep '^slot right' "$W/out"; } | grep -v "${1:-([0-9]*/11)\$}" >>"$W/told"
	grep '^total' "$W/out" >>"$W/told"
}

plain 'doctor --order WO-1 --model gateway-b.yaml' doctor --order WO-1 --model "$MODEL_FILE"

run '--labels - --count 2' "00020001 00020002" --labels - --count 2
once 'slot left .*check'
once 'slot right .*check'
scan OP:4711
scan 'left 00020001'
once 'slot left .*PASS'
scan 'right 00020009'
over 'right .*([0-9]*/11)$'

plain 'run --failed --dry-run --order WO-1' run --failed --dry-run --order WO-1
TAKEN_OUT=00020001
run '--failed --labels -' "00020001 00020002" --failed --labels -
once 'slot right .*check'
scan 'right 00020002'
over
TAKEN_OUT=""

export HANDSEL_FAULT=station.result	# the power of the station fails when the certificate is there
run '' 00020003
unset HANDSEL_FAULT
wait $RUN
told "(power cut)"
run '--count 1' 00020003 --count 1
over
plain 'report --order WO-1' report --order WO-1
plain 'record verify' record verify

# What differs each time is as it might be.
sed -E -e 's/20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z/2026-11-23T06:12:45Z/g' -e 's/\b[0-9a-f]{32}\b/5fe2908a17c04b6d9a3e6c1f7b20d845/g' \
	-e 's/port [0-9]+/port 8443/; s/[0-9]+ MiB/76289 MiB/; s/\([0-9]+ ms\)/(14 ms)/; s/ [0-9]:[0-9]{2}$/ 0:01/; s/, [0-9.]+ s$/, 1.2 s/' "$W/told" |
	fold -s -w 118 | sed 's/^/    /; s/ *$//' >"$W/new"
block() { awk '/^## A shift/ { inside = 1 } inside && /^    / { print; seen = 1 } inside && seen && !/^    / { exit }' "$TOP/README.md"; }
if [ -n "${WRITE:-}" ]; then
	awk -v file="$W/new" '/^## A shift/ { inside = 1 } inside && /^    / { if (!seen++) while ((getline line <file) > 0) print line; next }
		inside && seen { inside = 0 } { print }' "$TOP/README.md" >"$W/README" && cp "$W/README" "$TOP/README.md"
fi
block >"$W/old"
diff "$W/old" "$W/new" >"$W/out" && echo "ok: the shift of README.md is what happens" || failed "README.md tells another story"

[ $failures = 0 ] || exit 1
echo "shift: all right"
