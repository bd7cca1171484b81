# Every fault point of the factory transaction: killed there, started again, tried again. Afterwards the device has exactly
# one active credential, the order has used exactly one unit, and openssl accepts the chain.
set -u
KEY=${KEY:-device}	# who makes the key: test-factory-ca.sh walks the same points and more with "ca"
. "$TOP/tests/fault/lib.sh"

SERIAL=00020001
factory_init >/dev/null && factory_serve && station_init line-1 >/dev/null &&
	order_create WO-1 00020001 00020009 3 line-1 >/dev/null || die "no factory"
save_state

# one_case FAULT : returns with the transaction done, or not.
run_case() {
	local fault=$1 try
	restore_state
	HANDSEL_FAULT=$fault HANDSEL_FAULT_LOG="$W/fired" supervised factory_serve || return 1
	for try in 1 2 3 4; do
		with_fault "$fault" provision WO-1 line-1 "$SERIAL" --key "$KEY" --timeout 20s >>"$W/station.log" 2>&1 && return 0
		# Killed after the record: the unit has passed, and its agent answers no challenge again after a restart.
		grep -qs '"outcome": *"PASS"' "$W"/station-line-1/records/*.json && return 0
	done
	return 1
}

judge() {
	local fault=$1 active units
	has_fired "$fault" || { bad "$fault" "the fault never fired"; return; }
	active=$(ca --dir "$W/factory" issued list --device "$SERIAL" --state active --json | grep -c '"type":"issued"')
	units=$(ca --dir "$W/factory" order list --json | sed -n 's/.*"id":"WO-1".*"used":\([0-9]*\).*/\1/p')
	[ "$active" = 1 ] || bad "$fault" "$active active certificates instead of one"
	[ "$units" = 1 ] || bad "$fault" "$units units of the order used instead of one"
	[ "$(cat "$W/$SERIAL/store/current")" = factory ] || bad "$fault" "the device's credential is not current"
	[ ! -e "$W/$SERIAL/store/factory/transport.pem" ] || bad "$fault" "the transport key is still there"
	cmp -s <(openssl pkey -in "$W/$SERIAL/store/factory/key.pem" -pubout) \
		<(openssl x509 -in "$W/$SERIAL/store/factory/cert.pem" -pubkey -noout) || bad "$fault" "key and certificate differ"
	openssl verify -CAfile "$W/factory/root.pem" -untrusted "$W/$SERIAL/store/factory/cert.pem" \
		"$W/$SERIAL/store/factory/cert.pem" >/dev/null 2>&1 || bad "$fault" "openssl does not accept the certificate"
}

# The points are those that an undisturbed run passes.
restore_state
export HANDSEL_FAULT_LIST="$KEPT.points"
rm -f "$HANDSEL_FAULT_LIST"
factory_serve
provision WO-1 line-1 "$SERIAL" --key "$KEY" >"$W/station.log" 2>&1 || { cat "$W/station.log"; die "the undisturbed run failed"; }
stop_all
unset HANDSEL_FAULT_LIST
points=$(points "$KEPT.points")
rm -f "$KEPT.points"
[ "$(wc -l <<<"$points")" -ge 15 ] || die "too few fault points: $points"

for point in $points; do
	CASES=$((CASES + 1))
	run_case "$point" || { bad "$point" "no PASS after four tries"; tail -n 5 "$W/station.log"; continue; }
	judge "$point"
done
summary
