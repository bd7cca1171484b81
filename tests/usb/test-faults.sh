# Each fault of a USB device: the code that the technician sees, what the record says, and no harm to the neighbours.
set -u
. "$(dirname "$0")/common.sh"
. "$TOP/tests/usb/cases.sh"
factory_up

next=0
serial() { printf -v S '%08d' $((++next)); }

# expect NAME OUTCOME CODE [FARM-OPTION...] [-- STATION-OPTION...] : one device with serial $S, also written @.
expect() {
	local name=$1 outcome=$2 code=$3 want=0 options=()
	shift 3
	[ "$outcome" = PASS ] || want=1
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("${1/@/$S}")
		shift
	done
	[ $# = 0 ] || shift
	devices "$S" "${options[@]}" -- "${STATION[@]}" --count 1 "$@"
	[ $status = $want ] && unit "$outcome" "$code" && record "$outcome" "$code" && echo "ok: $name" ||
		failed "$name: wanted $outcome $code with exit status $want, not $status"
}

newest() { ls -t "$W"/station-line-1/records/*.json | head -1; }

# record OUTCOME CODE : the newest record says so, and no phase is missing in it.
record() {
	local file phase
	file=$(newest)
	grep -q "\"outcome\": \"$1\"" "$file" || return 1
	[ -z "$2" ] || grep -q "\"code\": \"$2\"" "$file" || return 1
	for phase in seen dfu agent hello check prepare ticket issue proof record; do
		grep -q "\"name\": \"$phase\"" "$file" || return 1
	done
}
says() { grep -qE -- "$1" "$W/out" "$W/err" || { failed "nothing says \"$1\"" && false; }; }

serial; expect "no fault" PASS ""
expect "the same device again: it proves itself again, no new unit" PASS ""
says '"ordered":99,"done":1[,}]'
echo 00000000-0000-0000-0000-000000000000 >"$W/$S/store/factory/passed"	# the boot id of an earlier day
expect "the same device after it was switched off" FAIL E43
serial; expect "a copy of a device that has passed" FAIL E43 --fault @=wrong-serial:00000001
serial; expect "each try of a block stalls" FAIL E61 --fault @=stall:3
says 'errSTALLEDPKT in dfuERROR at block 3'
serial; expect "a block stalls once" PASS "" --fault @=stall-once:3
serial; expect "pulled in mid-download" FAIL E64 --fault @=vanish:5
serial; expect "silent in mid-download" TIMEOUT E61 --fault @=hang:4 -- --timeout 3s
serial; expect "a slow boot loader" PASS "" --fault @=poll:2
serial; expect "a boot loader that wants a minute for each block" FAIL E61 --fault @=poll:60000
serial; expect "an image that does not verify" FAIL E63 --fault @=bad-status
says 'errVERIFY'
serial; expect "pulled in the tunnel" FAIL E64 --fault @=vanish-link:6
expect "that device again: its agent runs, so no download" PASS "" --fault @=as-agent
grep -A1 '"name": "dfu"' "$(newest)" | grep -q skipped || failed "the download was not skipped"
serial; expect "a power cut in the tunnel" PASS "" --fault @=power-cut:6
serial; expect "another model" FAIL E62 --fault @=wrong-model
serial; expect "a serial outside the order" FAIL E41 --fault @=wrong-serial:00000777

serial; echo "$S" >"$W/labels"
expect "another serial than its label" FAIL E45 --fault @=wrong-serial:00000055 -- --labels "$W/labels"
serial; echo "1-1 00000077" >"$W/labels"
expect "another label for its port" FAIL E45 -- --labels "$W/labels"
says 'the label says 00000077, the device says'
expect "the label is scanned later" PASS "" -- --labels - < <(until grep -qs '"check"' "$W/out"; do sleep 0.05; done; echo "$S")

# ---- the boot loader's choice ---------------------------------------------------------
sed 's/^  pid: 0x0002/&\n  alt: "agent"/' "$MODEL_FILE" >"$W/with-alt.yaml"
serial; expect "two alternate settings and no name" ERROR E71 --alternate spare
says 'agent.*, .*spare'
station_command USB-1 "$BUILD/handsel-agent" "$W/with-alt.yaml"
expect "two alternate settings, one named" PASS "" --alternate spare
station_command USB-1 "$BUILD/handsel-agent" "$MODEL_FILE"

# ---- what the device does not tell, and a file with a suffix --------------------------
sed 's/^  pid: 0x0002/&\n  transfer-size: 4096/' "$MODEL_FILE" >"$W/with-size.yaml"
station_command USB-1 "$BUILD/handsel-agent" "$W/with-size.yaml"
serial; expect "no functional descriptor, but a block size in the model file" PASS "" --fault @=no-function
cp "$BUILD/handsel-agent" "$W/suffixed"
dfu-suffix -v 0x1209 -p 0x0002 -a "$W/suffixed" >/dev/null || failed "dfu-suffix"
station_command USB-1 "$W/suffixed" "$MODEL_FILE"
serial; expect "a file with a DFU suffix, which no device gets" PASS ""
cmp "$BUILD/handsel-agent" "$W/$S/agent" || failed "the suffix went to the device"
station_command USB-1 "$BUILD/handsel-agent" "$MODEL_FILE"

# ---- all kinds at once: the same devices as on a real kernel ------------------------------
case_devices 0 99 50
devices "$SERIALS" "${FAULTS[@]}" -- "${STATION[@]}" --count "$(wc -w <<<"$SERIALS")"
case_results 0 99 "$W/out" || failed "devices of all kinds at once"

# ---- slots with names -------------------------------------------------------------------
cp -r "$W/station-line-1" "$W/station-named"
printf 'slots:\n  - {name: left, port: "1-2"}\n' >>"$W/station-named/station.yaml"
echo "left 00000032" >"$W/labels"
STATION[2]=$W/station-named
devices "00000031 00000032" -- "${STATION[@]}" --labels "$W/labels" --count 1
STATION[2]=$W/station-line-1
[ $status = 0 ] && unit PASS "" 00000032 && grep -q '"slot":"left","usb":"1-2"' "$W/out" && says 'port 1-1 is left alone' &&
	echo "ok: a device on a port that is no slot" || failed "a device on a port that is no slot"

# ---- neighbours -------------------------------------------------------------------------
devices "00000041 00000042 00000043 00000044" --fault 00000042=stall:9 --fault 00000044=power-cut:7 -- "${STATION[@]}" --count 4
[ $status = 1 ] && unit PASS "" 00000041 && unit FAIL E61 00000042 && unit PASS "" 00000043 && unit PASS "" 00000044 &&
	grep -q '"type":"result","pass":3,"fail":1' "$W/out" && echo "ok: one of four fails alone" || failed "one of four fails alone"

# Two devices that say the same serial: a copy. At most one of them may pass.
devices "00000045 00000046" --fault 00000046=wrong-serial:00000045 -- "${STATION[@]}" --count 2
[ $status = 1 ] && grep -qE '"code":"(E45|E43|E73)"' "$W/out" && ! grep -q '"type":"result","pass":2' "$W/out" &&
	echo "ok: two devices with one serial" || failed "two devices with one serial"

# ---- the agent dies, and its device starts again ------------------------------------------
if has_fault_injection; then
	for point in link.hello link.ready link.go link.opened link.result link.proof; do
		serial
		expect "the agent dies at $point" PASS "" --fault "@=env:HANDSEL_FAULT=$point"
	done
	serial
	export HANDSEL_FAULT=station.tunnel.cut HANDSEL_FAULT_LOG=$W/fired
	expect "the tunnel is cut under the agent" PASS ""
	unset HANDSEL_FAULT HANDSEL_FAULT_LOG
	grep -q station.tunnel.cut "$W/fired" || failed "the tunnel was not cut"
fi

# ---- the CA goes, and comes back -------------------------------------------------------------
# once PATTERN : as soon as the run says so.
once() { until_true 20 grep -qs "$1" "$W/out" || failed "the run never says $1"; }
serial
: >"$W/out"
(devices "$S" --fault "$S=poll:5" -- "${STATION[@]}" --count 1; exit $status) &
run=$!
once '"phase":"dfu"'
stop_daemon "$FACTORY_PID"
once 'held in its slot'
factory_serve
status=0; wait $run || status=$?
[ $status = 0 ] && unit PASS "" "$S" && echo "ok: the CA goes and comes back" || failed "the CA goes and comes back: exit status $status"

# ---- interrupted --------------------------------------------------------------------------------
serial
devices "$S" --fault "$S=hang:50" -- bash -c \
	'"$@" & until grep -q "\"phase\":\"dfu\",\"done\"" "$OUT"; do sleep 0.05; done; kill -INT $!; wait $!' - "${STATION[@]}"
[ $status = 130 ] && unit ABORTED "" && grep -q '"outcome": "ABORTED"' "$(newest)" && echo "ok: interrupted" ||
	failed "interrupted: exit status $status"

# ---- before any device ---------------------------------------------------------------------
# refused NAME PATTERN STATUS ARG...
refused() {
	local name=$1 pattern=$2 want=$3 status=0
	shift 3
	"${STATION[@]}" "$@" >"$W/out" 2>"$W/err" || status=$?
	[ $status = "$want" ] && grep -qE "$pattern" "$W/out" "$W/err" && echo "ok: $name" ||
		failed "$name: wanted $pattern and exit status $want, not $status"
}
dfu-suffix -D "$W/suffixed" >/dev/null && dfu-suffix -v 0x1209 -p 0x0009 -a "$W/suffixed" >/dev/null || failed "dfu-suffix"
station_command USB-1 "$W/suffixed" "$MODEL_FILE"
refused "a file whose DFU suffix is for another device" E71 2
station_command NONE "$BUILD/handsel-agent" "$MODEL_FILE"
refused "an unknown order" E41 5
station_command USB-1 "$MODEL_FILE" "$MODEL_FILE"
refused "another agent than the order's" E71 2
station_command USB-1 "$BUILD/handsel-agent" "$MODEL_FILE"
refused "no labels file" E71 2 --labels "$W/nothing"
refused "a bad count" E71 2 --count 0
stop_all
refused "no CA" 'E51|E03' 3

[ $failures = 0 ] || exit 1
echo "faults: all right"
