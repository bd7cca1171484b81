# Every fault point of the customer transaction, with keys of the device and keys that the CA makes: killed there, started again,
# tried again. Afterwards device, node and CA agree on one active credential, and no other one of the device is pending or active.
set -u
. "$TOP/tests/fault/lib.sh"
. "$TOP/tests/fault/customer.sh"

transact() { activate "$1" --key "$KEY" --timeout "$2"; }
nothing_more() { :; }

walk_mode() {
	KEY=$1
	at_the_gate
	save_state
	walk transact nothing_more $PAIRS
}
lane device walk_mode device
lane ca walk_mode ca
end_lanes
