# Every fault point of the factory transaction, with keys of the device and keys that the CA makes: killed there, started again,
# tried again. Afterwards each device has exactly one active credential, the order has used one unit for each, and openssl accepts
# the chains.
set -u
. "$TOP/tests/fault/lib.sh"
. "$TOP/tests/fault/factory.sh"

# walk_mode PAIRS STATION-OPTION...
walk_mode() {
	local pairs=$1
	shift
	KEY_OPTIONS=("$@")
	factory_world
	save_state
	walk "$pairs"
}
lane device walk_mode $PAIRS --key device
lane ca walk_mode $PAIRS --key ca
# the CA-client in the station: the device's store is the same, so that few pairs are enough
lane client walk_mode 20 --key device --client station
[ -z "$LONG" ] || lane rsa walk_mode 100 --key ca --key-type rsa2048
end_lanes
