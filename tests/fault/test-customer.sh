# Every fault point of the customer transaction: killed there, started again, tried again. Afterwards device, node and CA agree on
# one active credential, and no other certificate of the device is pending or active.
set -u
KEY=${KEY:-device}	# who makes the key: test-customer-ca.sh walks the same points and more with "ca"
. "$TOP/tests/fault/lib.sh"

SERIAL=00020001
at_the_gate
save_state

transact() { activate "$SERIAL" --key "$KEY" --timeout "$1"; }
walk_customer judge_customer transact
summary
