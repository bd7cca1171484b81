# Every fault point of the customer transaction: killed there, started again, tried again. Afterwards device, node and CA agree on
# one active credential, and no other certificate of the device is pending or active.
set -u
KEY=${KEY:-device}	# who makes the key: test-customer-ca.sh walks the same points and more with "ca"
. "$TOP/tests/fault/lib.sh"

SERIAL=00020001
factory_init >/dev/null && factory_serve && station_init line-1 >/dev/null &&
	order_create WO-1 00020001 00020009 3 line-1 >/dev/null &&
	provision WO-1 line-1 "$SERIAL" >"$W/station.log" 2>&1 || die "no device"
customer_init >/dev/null && customer_serve && node_init site-1 >/dev/null && node_serve &&
	ca --dir "$W/factory" ship --customer plant-seven --device "$SERIAL" --out "$W/manifest.p7" >/dev/null &&
	node --dir "$W/node" import "$W/manifest.p7" >/dev/null && node --dir "$W/node" apply >/dev/null || die "no customer"
save_state

serve_both() { customer_serve && node_serve; }

run_case() {
	local fault=$1 try
	restore_state
	HANDSEL_FAULT=$fault HANDSEL_FAULT_LOG="$W/fired" supervised serve_both || return 1
	for try in 1 2 3 4; do
		with_fault "$fault" activate "$SERIAL" --key "$KEY" --timeout $((2 * try))s >>"$W/agent.log" 2>&1 && return 0
	done
	return 1
}

one_active() {
	[ "$(ca --dir "$W/customer" issued list --device "$SERIAL" --state active --json | grep -c '"type":"issued"')" = 1 ]
}

judge() {
	local fault=$1 slot id
	until_true 10 has_fired "$fault" || { bad "$fault" "the fault never fired"; return; }
	until_true 15 one_active || { bad "$fault" "not exactly one active certificate at the CA"; return; }
	[ "$(ca --dir "$W/customer" issued list --device "$SERIAL" --state pending --json | grep -c '"type":"issued"')" = 0 ] ||
		bad "$fault" "another certificate is still pending"
	slot=$(cat "$W/$SERIAL/store/current")
	id=$(sed 's/[ :].*//' "$W/$SERIAL/store/$slot/request")
	ca --dir "$W/customer" issued list --device "$SERIAL" --state active --json | grep -q "\"id\":\"$id\"" ||
		bad "$fault" "device and CA differ on the active request"
	node --dir "$W/node" devices --json | grep "\"serial\":\"$SERIAL\"" | grep -q '"state":"onboarded"' ||
		bad "$fault" "the node does not hold the device for onboarded"
	[ ! -e "$W/$SERIAL/store/$slot/transport.pem" ] || bad "$fault" "the transport key is still there"
	cmp -s <(openssl pkey -in "$W/$SERIAL/store/$slot/key.pem" -pubout) \
		<(openssl x509 -in "$W/$SERIAL/store/$slot/cert.pem" -pubkey -noout) || bad "$fault" "key and certificate differ"
	openssl verify -CAfile "$W/customer/root.pem" -untrusted "$W/$SERIAL/store/$slot/cert.pem" \
		"$W/$SERIAL/store/$slot/cert.pem" >/dev/null 2>&1 || bad "$fault" "openssl does not accept the certificate"
}

restore_state
export HANDSEL_FAULT_LIST="$KEPT.points"
rm -f "$HANDSEL_FAULT_LIST"
serve_both
activate "$SERIAL" --key "$KEY" --timeout 10s >"$W/agent.log" 2>&1 || { cat "$W/agent.log"; die "the undisturbed run failed"; }
until_true 10 one_active || die "the node did not tell the CA"
stop_all
unset HANDSEL_FAULT_LIST
points=$(points "$KEPT.points")
rm -f "$KEPT.points"
[ "$(wc -l <<<"$points")" -ge 15 ] || die "too few fault points: $points"

for point in $points; do
	CASES=$((CASES + 1))
	run_case "$point" || { bad "$point" "not onboarded after four tries"; tail -n 5 "$W/agent.log"; continue; }
	judge "$point"
done
summary
