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

transact() { activate "$SERIAL" --key "$KEY" --timeout "$1"; }
walk_customer judge_customer transact
summary
