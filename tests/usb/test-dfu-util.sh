# A foreign DFU program drives the model of the boot loader: so the model is DFU, and not only our reading of it.
set -eu
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
BUILD=${BUILD:-$TOP}
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel dfu-util XXXXXX")
trap 'rm -rf "$W"' EXIT

fail() {
	echo "FAILED: $*" >&2
	tail -n 20 "$W/log" >&2
	exit 1
}

# farm OPTION... -- COMMAND...
farm() {
	TMPDIR=$W timeout 60 umockdev-wrapper "$BUILD/tests/usb/farm" --dir "$W" --manufacturer "Acme Devices" --model gateway-b \
		--revision C --serial 00000001 "$@" >"$W/log" 2>&1
}

# A program of 60 blocks that does nothing, so that it may run as the agent.
image="$W/image"
printf '#!/bin/sh\nexit 0\n' >"$image"
head -c 180000 /dev/urandom | base64 >>"$image"

load="dfu-util -d 1209:0002 -a agent -D '$image'"
leave="dfu-util -d 1209:0002 -a agent -e"

farm -- sh -c "$load && $leave" || fail "dfu-util cannot load the virtual device"
cmp "$image" "$W/00000001/agent" || fail "the device received other bytes than dfu-util sent"
[ -x "$W/00000001/agent" ] || fail "the received file cannot be executed"
grep -q 'Device DFU version 0110' "$W/log" || fail "dfu-util sees no DFU 1.1 device"
grep -q 'Device returned transfer size 4096' "$W/log" || fail "dfu-util sees no transfer size"

# An error is seen as such, and the next try clears it.
rm "$W/00000001/agent"
farm --fault 00000001=stall-once:3 -- sh -c "! $load && $load && $leave" || fail "dfu-util does not recover from a stall"
grep -q 'dfuERROR' "$W/log" || fail "the second try found no dfuERROR to clear"
cmp "$image" "$W/00000001/agent" || fail "the device received other bytes after the stall"

# dfu-util shows this and ends with 0 all the same.
farm --fault 00000001=bad-status -- sh -c "$load"
grep -q 'dfuERROR, status(7) = Programmed memory failed verification' "$W/log" || fail "errVERIFY is not seen"
farm --fault 00000001=vanish:5 -- sh -c "! $load" || fail "a device that left is not reported"
farm --fault 00000001=poll:5 --alternate other -- sh -c "$load && $leave" || fail "a slow device with two alternate settings"

# Boot loaders of other kinds than U-Boot: what dfu-util drives, the station drives too (cases.sh). With -R its status says nothing, since
# the device may be gone before the reset; what it received says all.
for kind in runtime no-detach not-tolerant leaves; do
	rm "$W/00000001/agent"
	case $kind in
	runtime) by="$load && $leave" ;;
	no-detach) by="$load && { $leave -R || true; }" ;;
	*) by="$load -R || true" ;;
	esac
	farm --fault 00000001=$kind -- sh -c "$by; until [ -e '$W/00000001/agent' ]; do sleep 0.1; done" ||
		fail "dfu-util cannot load a device of the kind $kind"
	cmp "$image" "$W/00000001/agent" || fail "$kind: the device received other bytes than dfu-util sent"
done
echo "dfu-util: all right"
