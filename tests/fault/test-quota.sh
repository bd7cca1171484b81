# A quota of five, eight devices at once in two stations, the CA killed again and again, an extension in the middle: exactly the
# quota's credentials, whatever happens. What a front that lies can do stands in test_signer_orders (quota property).
set -u
. "$TOP/tests/fault/lib.sh"

ALL=$(serials 00020001 00020008)

both_stations() {
	local first
	provision WO-1 line-1 "${ALL% * * * *}" --timeout 30s >>"$W/line-1.log" 2>&1 &
	first=$!
	provision WO-1 line-2 "${ALL#* * * * }" --timeout 30s >>"$W/line-2.log" 2>&1
	wait $first
}

# run_case FAULTS : the CA is started again each time it dies, each time with the next fault.
run_case() {
	local active units before
	restore_state
	supervised "$1" factory factory_serve || die "the CA did not start"
	both_stations
	both_stations
	[ -z "$EXTENDED" ] || ca --dir "$W/factory" order extend WO-1 --quota "$EXTENDED" >>"$W/operator.log" 2>&1 ||
		bad "$1" "not extended: $(tail -n 1 "$W/operator.log")"
	both_stations
	active=$(ca --dir "$W/factory" issued list --state active --json | grep -c '"type":"issued"')
	units=$(ca --dir "$W/factory" order list --json | sed -n 's/.*"id":"WO-1".*"used":\([0-9]*\).*/\1/p')
	[ "$active" = "${EXTENDED:-5}" ] || bad "$1" "$active active certificates instead of ${EXTENDED:-5}"
	[ "$units" = "${EXTENDED:-5}" ] || bad "$1" "$units units used instead of ${EXTENDED:-5}"
	ca --dir "$W/factory" order reconcile WO-1 --records "$W/station-line-1" --records "$W/station-line-2" >"$W/account.log" 2>&1 ||
		bad "$1" "$(cat "$W/account.log")"
	[ "$(paste -sd, "$W/factory.fired")" = "$1" ] || bad "$1" "fired only: $(paste -sd, "$W/factory.fired")"
	audit_holds "$W/factory/ca.db" "$W/factory/signer.db"
	sed "s/^/quota /" "$W/factory.fired" >>"$ROOT/$LANE.cuts"
}

walk_quota() {
	local n EXTENDED=""
	factory_init >/dev/null && factory_serve && station_init line-1 >/dev/null && station_init line-2 >/dev/null &&
		order_create WO-1 00020001 00020009 5 line-1 line-2 >/dev/null || die "no factory"
	all_locked "$(pgrep -P "$FACTORY_PID" -f handsel-signer)" || die "the signer's memory is not locked"
	save_state
	run_case front.received:2,commit.before:1,commit.after:1
	EXTENDED=7
	run_case signer.signed:1,commit.after:2,confirm.committed:1
	[ -z "$LONG" ] || for n in 1 2 3 4; do run_case "front.received:$n,commit.before:$n,commit.after:$n"; done
}
lane quota walk_quota
end_lanes
