#!/bin/bash
# story.sh - /init of the first guest: real station, real CA, real kernel on both ends of each cable. A board's boot loader takes
# the agent over DFU, the board runs the very file that it received, and that serves the station on the same port.
. /handsel/inside.sh

modprobe dummy_hcd num=16 && modprobe raw_gadget && modprobe usb_f_fs || finish 3
mkdir -p /run/udev && systemd-udevd --daemon || finish 3
ca_up || finish 3
say "the CA serves"

next=0
serial() { printf -v S '%08d' $((++next)); }

# ---- all goes well: 1, 8, 16 at once -----------------------------------------------
for count in 1 8 16; do
	began=$(now) all="" serials=""
	for ((n = 0; n < count; n++)); do
		serial
		board $n "$S"
		all="$all $n" serials="$serials $S"
	done
	station_run "$count"
	[ $status = 0 ] || bad "$count at once: the station's exit status is $status"
	for S in $serials; do
		unit PASS "" "$S" || bad "$count at once: $S did not pass"
		cmp -s "/devices/$S/agent" /handsel/handsel-agent || bad "$S runs another file than the station sent"
	done
	boards_wait $all
	say "$count at once: $(grep -c '"outcome":"PASS"' /w/out) passed in $(since "$began") s"
	phases "$count at once"
done

# ---- what goes wrong, all at once beside a device that passes ------------------------
began=$(now) base=$next
for ((n = 0; n < 8; n++)); do
	serial
	label[n]=$S
	echo "$((n + 1))-1 $S" >>/w/labels
done
sed -i "s/^6-1 .*/6-1 00009998/" /w/labels	# that label is the device's, but no serial of the order
station_start --count 8 --labels /w/labels
until_true 60 grep -q '"type":"order"' /w/out || bad "the station does not start"
kill -STOP "$FACTORY_PID"	# so that those that get there stay in their tunnel
board 0 "${label[0]}"
board 1 "${label[1]}" vanish=5
board 2 "${label[2]}"
board 3 "${label[3]}"
board 4 "${label[4]}" identity=00000998
board 5 "${label[5]}" identity=00009998
board 6 "${label[6]}" model=gateway-a
board 7 "${label[7]}"
for n in 0 2 3 7; do until_true 200 in_phase $((n + 1))-1 issue || bad "board $n does not get to its tunnel"; done
board_pull 2
board_kill 3
board_cable 7
sleep 0.5
board_cable 7 dummy_udc.7
kill -CONT "$FACTORY_PID"
status=0
wait "$STATION_PID" || status=$?
[ $status = 1 ] || bad "faults: the station's exit status is $status"
# expect BOARD OUTCOME CODE WHAT
expect() {
	if unit "$2" "$3" $(($1 + 1))-1; then say "$4: $2 $3"; else bad "$4: not $2 $3"; fi
}
expect 0 PASS "" "a device beside them"
expect 1 FAIL E64 "pulled in mid-download"
expect 2 FAIL E64 "pulled in mid-tunnel"
expect 3 PASS "" "agent killed in mid-tunnel"
expect 4 FAIL E45 "another serial than its label"
expect 5 FAIL E41 "a serial that is not of the order"
expect 6 FAIL E62 "another model"
expect 7 PASS "" "out and in again in mid-tunnel"
boards_wait 0 3 7
grep -q "the agent ended with 137; it is started again" "/devices/${label[3]}/log" || bad "no agent was killed"
for n in 4 5 6; do board_pull $n; done
wait "${BOARD[1]}"
[ $? = 9 ] || bad "the boot loader was not pulled"
say "faults: $(since "$began") s"
phases faults

# ---- the station is killed, with devices in every phase ----------------------------------
began=$(now) serials=""
for n in 0 1 2 3 4 5; do
	serial
	serials="$serials $S"
	board $n "$S"
done
export HANDSEL_FAULT_LOG=/w/fired
for point in station.seen station.dfu.block:20 station.dfu.detached station.agent station.hello station.ticket \
	station.tunnel.to-ca:2 station.result station.proof station.record.write station.record.written; do
	rm -f /w/fired
	export HANDSEL_FAULT=$point
	station_start
	status=0
	wait "$STATION_PID" || status=$?
	{ [ $status = 137 ] && grep -qx "${point%:*}:[0-9]*" /w/fired; } || bad "killed at $point: exit status $status"
	say "killed at $point: $(sed -n 's/.*"phase","t.*"slot":"\([^"]*\)".*"phase":"\([^"]*\)".*/\1 \2/p' /w/out |
		awk '{ last[$1] = $2 } END { for (slot in last) printf "%s ", last[slot] }')"
done
unset HANDSEL_FAULT HANDSEL_FAULT_LOG
station_start
boards_wait 0 1 2 3 4 5
kill -INT "$STATION_PID"
wait "$STATION_PID"
# One unit each, none lost or counted twice.
for S in $serials; do
	[ "$(ca --dir /w/factory --json issued list --order USB-1 --state active | grep -c "\"serial\":\"$S\"")" = 1 ] ||
		bad "the ledger has not one unit for $S"
	grep -l "\"serial\": \"$S\"" /w/station-line-1/records/*.json | xargs grep -q '"outcome": "PASS"' ||
		bad "no record says that $S passed"
done
say "station killed 11 times: $(since "$began") s"

say "end, $failures failures"
finish $((failures > 0))
