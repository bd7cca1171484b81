#!/bin/sh
# gadget.sh [-n NAME] [-a AGENT] [-u UDC] [-v VID] [-p PID] STORE - the device's USB in the factory: makes a gadget in configfs with
# the names of STORE/identity.yaml, and has the agent serve the loading station over it until the unit is done.
#
#   -n NAME   of gadget and FunctionFS instance (handsel), if a board has several controllers
#   -a AGENT  the program (handsel-agent)
#   -u UDC    the controller (the first of /sys/class/udc)
#   -v -p     the ids that the model file of the station has as agent: (0x1209, 0x0001, those for tests)
#
# Needs root, and of the kernel USB_CONFIGFS_F_FS (modules libcomposite and usb_f_fs) and AIO. An agent that dies is started again. The
# exit status is 0 when the station has said that it is done, 1 if there is no controller or the gadget cannot be made.
set -eu

name=handsel agent=handsel-agent udc='' vid=0x1209 pid=0x0001
while getopts n:a:u:v:p: option; do
	case $option in
	n) name=$OPTARG ;;
	a) agent=$OPTARG ;;
	u) udc=$OPTARG ;;
	v) vid=$OPTARG ;;
	p) pid=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 1 ] || { echo "usage: gadget.sh [-n NAME] [-a AGENT] [-u UDC] [-v VID] [-p PID] STORE" >&2; exit 2; }
store=$1

for module in libcomposite usb_f_fs; do modprobe "$module" 2>/dev/null || true; done	# or built in
config=/sys/kernel/config gadget=/sys/kernel/config/usb_gadget/$name ffs=/run/$name
mounted() { grep -q " $config " /proc/mounts; }
mounted || mount -t configfs none "$config" 2>/dev/null || mounted	# another one for another controller may have been first
if [ -z "$udc" ]; then
	for udc in /sys/class/udc/*; do break; done
	udc=${udc##*/}
fi
[ -e "/sys/class/udc/$udc" ] || { echo "gadget.sh: there is no USB device controller $udc" >&2; exit 1; }

field() { sed -n "s/^$1: *\"\(.*\)\"$/\1/p" "$store/identity.yaml"; }

down() {
	echo >"$gadget/UDC" || true
	umount "$ffs"
	rm "$gadget/configs/c.1/ffs.$name"
	rmdir "$gadget/configs/c.1" "$gadget/functions/ffs.$name" "$gadget/strings/0x409" "$gadget" "$ffs"
} 2>/dev/null

mkdir "$gadget"
trap down EXIT
trap 'exit 143' TERM INT
mkdir "$gadget/strings/0x409" "$gadget/configs/c.1" "$gadget/functions/ffs.$name"
echo "$vid" >"$gadget/idVendor"
echo "$pid" >"$gadget/idProduct"
field manufacturer >"$gadget/strings/0x409/manufacturer"
field model >"$gadget/strings/0x409/product"
field serial >"$gadget/strings/0x409/serialnumber"
ln -s "$gadget/functions/ffs.$name" "$gadget/configs/c.1/"
mkdir -p "$ffs"
mount -t functionfs "$name" "$ffs"

while :; do
	status=0
	"$agent" --dir "$store" factory --ffs "$ffs" --gadget "$gadget" --udc "$udc" || status=$?
	[ $status != 0 ] || exit 0
	echo "gadget.sh: the agent ended with $status; it is started again" >&2
	sleep 1	# what is wrong for long shall not keep the processor busy
done
