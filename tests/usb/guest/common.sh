# common.sh - what the guest tests share on the outside: the factory is set up here, where it is fast, and serves in the guest. Sourced.
TOP=${TOP:-$(cd "$(dirname "$0")/../../.." && pwd)}
BUILD=${BUILD:-$TOP}
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel guest XXXXXX")
. "$TOP/tests/system/lib.sh"
. "$TOP/tests/usb/guest/guest.sh"

finish() {
	local status=$?
	stop_all
	rm -rf "$W"
	exit $status
}
trap finish EXIT

# guest_world : $W/world is /handsel and /w of a guest: programs, stripped as a maker ships them; a factory CA, station line-1 and
# order USB-1 for serials 1 to 999.
guest_world() {
	local program
	make -s -C "$BUILD" tests/usb/raw_loader tests/usb/farm_vhci || return 1
	mkdir -p "$W/programs" "$W/world/handsel" "$W/world/w" || return 1
	for program in agent ca signer station; do
		strip -o "$W/programs/handsel-$program" "$BUILD/handsel-$program" || return 1
	done
	BUILD=$W/programs
	{
		factory_init && factory_serve && station_init line-1 && order_create USB-1 00000001 00000999 999 line-1 &&
			stop_daemon "$FACTORY_PID"
	} >"$W/setup.log" 2>&1 || {
		cat "$W/setup.log" >&2
		return 1
	}
	STARTED=()
	cp -r "$W/factory" "$W/station-line-1" "$W/world/w/" && echo "$FACTORY_PORT" >"$W/world/w/port" &&
		cp -r "$TOP/profiles" "$TOP/tests/system/lib.sh" "$TOP/tests/usb/guest/inside.sh" "$W/world/handsel/"
}

# guest_test NAME FILE... : boots the guest whose /init is NAME.sh and fails as it does.
guest_test() {
	local name=$1 status=0 began=$SECONDS program
	shift
	for program in agent ca signer station; do set -- "$@" "$W/programs/handsel-$program=handsel/handsel-$program"; done
	guest_world && guest_make "$W" "$TOP/tests/usb/guest/$name.sh" "$W/world/handsel=handsel" "$W/world/w=w" "$@" || exit 1
	guest_run "$W" "$([ -z "${HANDSEL_LONG:-}" ] || echo long)" || status=$?
	echo "$name: the guest ended with $status after $((SECONDS - began)) s"
	exit $status
}
