# A quota of five, eight devices at once, the CA killed again and again: exactly five credentials, whatever happens.
set -u
. "$TOP/tests/fault/lib.sh"

ALL=$(serials 00020001 00020008)

# run_case FAULTS : the CA is started again each time it dies, each time with the next fault.
run_case() {
	local active units before
	restore_state
	supervised "$1" factory factory_serve || die "the CA did not start"
	for try in 1 2 3; do
		provision WO-1 line-1 "$ALL" --timeout 30s >>"$W/station.log" 2>&1
	done
	active=$(ca --dir "$W/factory" issued list --state active --json | grep -c '"type":"issued"')
	units=$(ca --dir "$W/factory" order list --json | sed -n 's/.*"id":"WO-1".*"used":\([0-9]*\).*/\1/p')
	[ "$active" = 5 ] || bad "$1" "$active active certificates instead of five"
	[ "$units" = 5 ] || bad "$1" "$units units used instead of five"
	[ "$(paste -sd, "$W/factory.fired")" = "$1" ] || bad "$1" "fired only: $(paste -sd, "$W/factory.fired")"
	audit_holds "$W/factory/ca.db" "$W/factory/signer.db"
	sed "s/^/quota /" "$W/factory.fired" >>"$ROOT/$LANE.cuts"
}

walk_quota() {
	local n
	factory_init >/dev/null && factory_serve && station_init line-1 >/dev/null &&
		order_create WO-1 00020001 00020009 5 line-1 >/dev/null || die "no factory"
	save_state
	run_case front.received:2,commit.before:1,commit.after:1
	run_case signer.signed:1,commit.after:2,confirm.committed:1
	[ -z "$LONG" ] || for n in 1 2 3 4; do run_case "front.received:$n,commit.before:$n,commit.after:$n"; done
}
lane quota walk_quota
end_lanes
