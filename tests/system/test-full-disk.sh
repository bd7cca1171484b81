# A full disk, at the device, at the node and at the CA: a clear code, nothing lost, and all goes on when there is room again.
set -eu
if [ -z "${IN_NAMESPACE:-}" ]; then	# small file systems of our own, seen by nobody else
	[ "$(id -u)" = 0 ] && flags=-m || flags=-rm
	IN_NAMESPACE=1 exec unshare $flags bash "$0" "$@"
fi
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel full disk XXXXXX")
trap 'stop_all; umount -l "$W"/node "$W"/customer "$W"/*/store 2>/dev/null || true; rm -rf "$W"' EXIT

SERIAL=00020001
factory_init && factory_serve && station_init line-1
order_create WO-1 00020001 00020009 3 line-1
provision WO-1 line-1 "$SERIAL"
customer_init && customer_serve && node_init site-1
ca --dir "$W/factory" ship --customer plant-seven --device "$SERIAL" --out "$W/manifest.p7"
node --dir "$W/node" import "$W/manifest.p7" && node --dir "$W/node" apply
stop_all

# on_small_disk FOLDER SIZE : the folder moves to a file system of that size.
on_small_disk() {
	mv "$1" "$1.was" && mkdir "$1" && mount -t tmpfs -o "size=$2,mode=700" none "$1" && cp -a "$1.was/." "$1" && rm -rf "$1.was"
}
fill() { dd if=/dev/zero of="$1/filler" bs=4096 2>/dev/null || true; }
empty() { rm -f "$1/filler"; }
# activate_fails CODE-PATTERN
activate_fails() {
	local out
	if out=$(activate "$SERIAL" --timeout 3s 2>&1); then
		echo "FAILED: onboarded on a full disk"
		exit 1
	fi
	printf '%s\n' "$out"
	grep -qE "$1" <<<"$out"
}

on_small_disk "$W/$SERIAL/store" 256k
on_small_disk "$W/node" 4m
on_small_disk "$W/customer" 4m
customer_serve && node_serve

echo "device"
fill "$W/$SERIAL/store"
activate_fails E32
[ "$(cat "$W/$SERIAL/store/current")" = factory ]
empty "$W/$SERIAL/store"

echo "node"
fill "$W/node"
activate_fails 'E32|E51'
empty "$W/node"

echo "customer CA"
fill "$W/customer"
activate_fails 'E32|E51'
empty "$W/customer"

echo "room again"
activate "$SERIAL" --timeout 20s
until_true 10 eval 'ca --dir "$W/customer" issued list --device "$SERIAL" --state active --json | grep -q issued'
[ "$(ca --dir "$W/customer" issued list --device "$SERIAL" --state active --json | grep -c '"type":"issued"')" = 1 ]
