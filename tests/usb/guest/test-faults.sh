# Devices that misbehave, on a real kernel: see faults.sh.
set -u
. "$(dirname "$0")/common.sh"
guest_test faults "$BUILD/tests/usb/farm_vhci" "$TOP/tests/usb/cases.sh=handsel/cases.sh" /usr/bin/dfu-util
