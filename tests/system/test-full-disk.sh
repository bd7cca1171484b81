# A full disk, at the device, at the node and at the CA: a clear code, nothing lost, and all goes on when there is room again.
set -eu
if [ -z "${IN_NAMESPACE:-}" ]; then	# small file systems of our own, seen by nobody else
	[ "$(id -u)" = 0 ] && flags=-m || flags=-rm
	IN_NAMESPACE=1 exec unshare $flags bash "$0" "$@"
fi
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel full disk XXXXXX")
trap 'stop_all; umount -l "$W"/node "$W"/customer "$W"/station-line-1 "$W"/*/store 2>/dev/null || true; rm -rf "$W"' EXIT

SERIAL=00020001
factory_init && factory_serve && station_init line-1
order_create WO-1 00020001 00020009 9 line-1
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

# The station: nothing is begun or requested that could not be recorded, and nothing that was done is lost.
stop_all
factory_serve
LINE=$W/station-line-1
on_small_disk "$LINE" 6m
mkfifo "$W/scanner"
exec 8<>"$W/scanner"
# at_line SERIAL : a run for that one unit, whose label is scanned by "echo SERIAL >&8"; sets $RUN
at_line() {
	mkdir "$W/$1" && ln -s "$BUILD/handsel-agent" "$W/$1/agent"
	: >"$W/line.out"
	farm "$1" --fault "$1=as-agent" -- "$BUILD/handsel-station" --dir "$LINE" --json run --order WO-1 --agent "$BUILD/handsel-agent" \
		--model "$TOP/profiles/models/$MODEL.yaml" --labels - --count 1 --timeout 20s <"$W/scanner" >"$W/line.out" 2>&1 &
	RUN=$!
}
line_says() { until_true 20 grep -qsE "$1" "$W/line.out" || { cat "$W/line.out"; echo "FAILED: the station does not say $1"; exit 1; }; }
issued() { ca --dir "$W/factory" issued list --device "$1" --json | grep -c '"type":"issued"' || true; }
records() { grep -ls "\"serial\": \"$1\"" "$LINE"/records/*.json | wc -l; }
# passes SERIAL : it has passed, with one certificate and one record, and all records are good.
passes() {
	wait "$RUN" && grep -q '"outcome":"PASS"' "$W/line.out" && [ "$(issued "$1")" = 1 ] && [ "$(records "$1")" = 1 ] &&
		[ -z "$(ls "$LINE"/journal/*.yaml 2>/dev/null)" ] && station --dir "$LINE" record verify
}

echo "station: full before a unit is begun"
fill "$LINE"
at_line 00020002
line_says '"text":"E32 the disk of .* is full .*no unit is begun until there is room'
grep -q '"what":"disk","text":"full"' "$W/line.out"
! grep -q '"phase"' "$W/line.out" || die "a unit was begun on a full disk"
empty "$LINE"
line_says 'there is room on the disk again'
echo 00020002 >&8
passes 00020002

echo "station: full before the ticket"
at_line 00020003
line_says '"phase":"check"'
fill "$LINE"
echo 00020003 >&8
line_says '"text":"E32 .*the unit is held in its slot until there is room'
[ "$(issued 00020003)" = 0 ]
empty "$LINE"
passes 00020003

echo "station: full before the record, with the certificate issued"
at_line 00020004
line_says '"phase":"check"'
kill -STOP "$FACTORY_PID"	# so that the answer waits until the disk is full
echo 00020004 >&8
line_says '"phase":"issue"'
fill "$LINE"
truncate -s -4096 "$LINE/filler"	# room for the journal, whose entry is replaced, and for no record
kill -CONT "$FACTORY_PID"
line_says '"text":"E32 record: .*the unit is held in its slot until there is room'
[ "$(issued 00020004)" = 1 ]
[ "$(records 00020004)" = 0 ]
! grep -q PASS "$W/line.out" || die "it has passed without a record"
empty "$LINE"
passes 00020004
