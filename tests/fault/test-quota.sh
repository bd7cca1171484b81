# A quota of five, eight devices at once, the CA killed again and again: exactly five credentials, whatever happens.
set -u
. "$TOP/tests/fault/lib.sh"

ALL=$(serials 00020001 00020008)
factory_init >/dev/null && factory_serve && station_init line-1 >/dev/null &&
	order_create WO-1 00020001 00020009 5 line-1 >/dev/null || die "no factory"
save_state

# The CA is started again each time it dies, each time with the next fault.
supervise() {
	local point
	for point in "$@"; do
		rm -f "$W/fired"
		HANDSEL_FAULT=$point HANDSEL_FAULT_LOG="$W/fired" "$BUILD/handsel-ca" --dir "$W/factory" serve \
			--listen "127.0.0.1:$FACTORY_PORT" --ready-file "$W/factory.ready" >>"$W/factory.log" 2>&1
		[ -e "$W/fired" ] && echo "$point" >>"$W/all-fired"
	done
	"$BUILD/handsel-ca" --dir "$W/factory" serve --listen "127.0.0.1:$FACTORY_PORT" --ready-file "$W/factory.ready" \
		>>"$W/factory.log" 2>&1
}

run_case() {
	local supervisor try active
	CASES=$((CASES + 1))
	restore_state
	rm -f "$W/factory.ready"
	supervise "$@" &
	supervisor=$!
	until_true 20 test -s "$W/factory.ready" || die "the CA did not start"
	for try in 1 2 3; do
		provision WO-1 line-1 "$ALL" --timeout 30s >>"$W/station.log" 2>&1
	done
	pkill -TERM -P "$supervisor"
	until_true 10 eval "! kill -0 $supervisor 2>/dev/null || ! pkill -TERM -P $supervisor"
	wait "$supervisor" 2>/dev/null
	active=$(ca --dir "$W/factory" issued list --state active --json | grep -c '"type":"issued"')
	[ "$active" = 5 ] || bad "$*" "$active active certificates instead of five"
	units=$(ca --dir "$W/factory" order list --json | sed -n 's/.*"id":"WO-1".*"used":\([0-9]*\).*/\1/p')
	[ "$units" = 5 ] || bad "$*" "$units units used instead of five"
	[ "$(wc -l <"$W/all-fired")" -ge 1 ] || bad "$*" "no fault fired"
	echo "case $CASES: $(wc -l <"$W/all-fired") kills, $active active"
}
run_case front.received:2 commit.before:1 commit.after:1
run_case signer.signed:1 commit.after:2 confirm.committed:1
[ -z "${HANDSEL_LONG:-}" ] || for n in 1 2 3 4; do run_case front.received:$n commit.before:$n commit.after:$n; done
summary
