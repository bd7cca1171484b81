# The station is killed at each of its steps, in mid-transaction, and started again: the unit passes, and no unit of the
# order is lost. The device stays where it was: half loaded, or an agent in the middle of a conversation.
set -u
. "$(dirname "$0")/common.sh"
needs_fault_injection
factory_up

# Two runs of the station under one farm: the first dies at $POINT, the second must pass the unit.
cat >"$W/twice" <<'SCRIPT'
HANDSEL_FAULT=$POINT HANDSEL_FAULT_LOG=$FIRED "$@" --count 1
[ $? = 137 ] || exit 90
exec "$@" --count 1
SCRIPT

next=50
for point in station.seen station.dfu.block:20 station.dfu.done station.dfu.detached station.agent station.hello \
	station.check station.prepare station.ticket station.go station.tunnel.connected station.tunnel.to-ca:2 \
	station.tunnel.to-device:2 station.result station.proof station.record.write station.record.written; do
	printf -v S '%08d' $((next++))
	export POINT=$point FIRED=$W/fired
	rm -f "$FIRED"
	devices "$S" -- bash "$W/twice" "${STATION[@]}"
	[ $status = 0 ] && grep -q "^${point%:*}:" "$FIRED" && unit PASS "" "$S" && echo "ok: killed at $point" ||
		failed "killed at $point: exit status $status"
done

# Between the image and the reset that this boot loader waits for: it gets the reset, and what comes back goes on.
printf -v S '%08d' $((next++))
export POINT=station.dfu.done FIRED=$W/fired
rm -f "$FIRED"
devices "$S" --fault "$S=not-tolerant" -- bash "$W/twice" "${STATION[@]}"
[ $status = 0 ] && unit PASS "" "$S" && echo "ok: killed before the reset" || failed "killed before the reset: exit status $status"

# One unit each, none of them lost or counted twice.
done_units=$(ca --dir "$W/factory" --json issued list --order USB-1 --state active | grep -o '"serial":"000000[0-9]*"' | sort)
[ "$(wc -l <<<"$done_units")" = "$(sort -u <<<"$done_units" | wc -l)" ] && [ "$(wc -l <<<"$done_units")" = $((next - 50)) ] ||
	failed "the ledger counts other units: $done_units"

[ $failures = 0 ] || exit 1
echo "killed: all right"
