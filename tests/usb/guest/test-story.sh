# The story in a guest of its own: see story.sh.
set -u
. "$(dirname "$0")/common.sh"
guest_test story "$BUILD/tests/usb/raw_loader" "$TOP/device-agent/gadget.sh" /usr/bin/dfu-util /bin/udevadm=sbin/systemd-udevd
