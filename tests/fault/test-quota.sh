# A quota of five, eight devices at once, the CA killed again and again: exactly five credentials, whatever happens.
set -u
. "$TOP/tests/fault/lib.sh"

ALL=$(serials 00020001 00020008)
factory_init >/dev/null && factory_serve && station_init line-1 >/dev/null &&
	order_create WO-1 00020001 00020009 5 line-1 >/dev/null || die "no factory"
save_state

# run_case FAULT... : the CA is started again each time it dies, each time with the next fault.
run_case() {
	local try active units kills
	CASES=$((CASES + 1))
	restore_state
	FAULTS="$*" HANDSEL_FAULT_LOG="$W/fired" supervised factory_serve || die "the CA did not start"
	for try in 1 2 3; do
		provision WO-1 line-1 "$ALL" --timeout 30s >>"$W/station.log" 2>&1
	done
	active=$(ca --dir "$W/factory" issued list --state active --json | grep -c '"type":"issued"')
	units=$(ca --dir "$W/factory" order list --json | sed -n 's/.*"id":"WO-1".*"used":\([0-9]*\).*/\1/p')
	kills=$(wc -l <"$W/fired")
	[ "$active" = 5 ] || bad "$*" "$active active certificates instead of five"
	[ "$units" = 5 ] || bad "$*" "$units units used instead of five"
	[ "$kills" = $# ] || bad "$*" "$kills kills instead of $#"
	echo "case $CASES: $kills kills, $active active"
}
run_case front.received:2 commit.before:1 commit.after:1
run_case signer.signed:1 commit.after:2 confirm.committed:1
[ -z "${HANDSEL_LONG:-}" ] || for n in 1 2 3 4; do run_case front.received:$n commit.before:$n commit.after:$n; done
summary
