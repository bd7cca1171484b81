# The station's figures, in a guest: see bench.sh. Called by tests/bench/run station.
set -u
. "$(dirname "$0")/common.sh"
make -s -C "$BUILD" tests/bench/rss || exit 1
guest_test bench "$BUILD/tests/usb/raw_loader" "$BUILD/tests/bench/rss" "$TOP/device-agent/gadget.sh" /usr/bin/dfu-util \
	/bin/udevadm=sbin/systemd-udevd
