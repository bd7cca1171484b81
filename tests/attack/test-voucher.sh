# Whose a device is: the node of another customer gets nothing of it, nor does who has stolen that node's key, a forged or foreign
# voucher, or the seller after a resale. Each refusal has its code, and the device is as it was.
set -eu
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel voucher XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT
SERIAL=00020001
OTHER=00020002

# use SITE : what lib.sh calls customer and node is that site's from now on.
use() {
	rm -f "$W/customer" "$W/node"
	ln -s "customer-$1" "$W/customer"
	ln -s "node-$1" "$W/node"
	declare -g CUSTOMER_PORT="${CUSTOMER_PORTS[$1]:-}" NODE_PORT="${NODE_PORTS[$1]:-}"
}
declare -A CUSTOMER_PORTS NODE_PORTS NODE_PIDS
# site_init NAME : a customer of that name with its own CA and node, both serving.
site_init() {
	mkdir "$W/customer-$1" "$W/node-$1" && rmdir "$W/customer-$1" "$W/node-$1"
	use "$1"
	ca --dir "$W/customer-$1" init --kind customer --id customer --name "Plant $1" --host 127.0.0.1 --listen 127.0.0.1:0
	start_daemon "customer-$1" "$BUILD/handsel-ca" --dir "$W/customer-$1" serve --listen 127.0.0.1:0
	CUSTOMER_PORTS[$1]=$PORT
	local n=$W/node-$1 root
	node --dir "$n" init --name "site-$1" --ca "https://127.0.0.1:$PORT" --ca-root "$W/customer-$1/root.pem" \
		--listen 127.0.0.1:0 --host 127.0.0.1
	ca --dir "$W/customer-$1" unit issue "$n/node.csr" --role node --name "site-$1" --host 127.0.0.1 --out "$n/node.pem"
	root=$(fingerprint "$W/factory/root.pem")
	node --dir "$n" handoff request --out "$W/$1.csr"
	ca --dir "$W/factory" handoff grant "$W/$1.csr" --customer "$1" --name "site-$1" --out "$W/$1.p7"
	node --dir "$n" handoff accept "$W/$1.p7" --root-fingerprint "$root"
	ca --dir "$W/customer-$1" handoff accept "$W/$1.p7" --root-fingerprint "$root"
}
node_start() {
	start_daemon "node-$1" "$BUILD/handsel-node" --dir "$W/node-$1" serve --listen "127.0.0.1:${NODE_PORTS[$1]:-0}"
	NODE_PORTS[$1]=$PORT NODE_PIDS[$1]=$PID
}
# ship CUSTOMER SERIAL : the manifest is in $W/CUSTOMER.manifest
ship() { ca --dir "$W/factory" ship --customer "$1" --device "$2" --out "$W/$1.manifest"; }
# take CUSTOMER : its node imports what was shipped to it
take() { node --dir "$W/node-$1" import "$W/$1.manifest" && node --dir "$W/node-$1" apply; }

onboard() {
	local site=$1
	shift
	NODE_PORT=${NODE_PORTS[$site]} activate "$SERIAL" --timeout 20s "$@"
}
# refused CODE SITE : with that code, and the device is as it was, with nothing at the site's CA
refused() {
	local out
	cp -a "$W/$SERIAL/store" "$W/before"
	if out=$(onboard "$2" 2>&1 | tee -a "$W/agent.log"; exit "${PIPESTATUS[0]}"); then
		echo "FAILED: onboarded at $2"
		exit 1
	fi
	grep -q "FAIL $1" <<<"$out" || { echo "FAILED: no $1 in: $out"; exit 1; }
	echo "ok $1 at $2: $(head -1 <<<"$out")"
	[ "$(cat "$W/$SERIAL/store/current")" = factory ]
	cmp "$W/before/voucher" "$W/$SERIAL/store/voucher" 2>/dev/null || [ ! -e "$W/$SERIAL/store/voucher" ]
	[ "$(ca --dir "$W/customer-$2" issued list --device "$SERIAL" --json | grep -c '"type":"issued"')" = "${3:-0}" ]
	rm -rf "$W/before"
}
sql() { sqlite3 -cmd ".timeout 5000" "$W/node-$1/node.db" "$2"; }

factory_init && factory_serve && station_init line-1 && order_create WO-1 00020001 00020009 4 line-1
provision WO-1 line-1 "$SERIAL $OTHER" >"$W/station.log" 2>&1 || { tail -n 20 "$W/station.log"; exit 1; }
site_init seven && site_init eight
ship seven "$SERIAL" && take seven
node_start seven && node_start eight

echo "another customer with a valid handoff"
refused E21 eight
printf 'version: 1\ndevices:\n  - serial: "%s"\n' "$SERIAL" >"$W/node-eight/allowlist.yaml"
node --dir "$W/node-eight" apply
refused E21 eight

echo "who took that node over, or stole its key, lets the device in: no voucher, the true customer's, one of another device"
certificate=$(sql seven "SELECT hex(certificate) FROM shipped WHERE serial = '$SERIAL'")
manufacturer=$(sql seven "SELECT manufacturer FROM shipped WHERE serial = '$SERIAL'")
voucher=$(sql seven "SELECT hex(voucher) FROM shipped WHERE serial = '$SERIAL'")
show_voucher() {
	sql "$1" "INSERT OR REPLACE INTO shipped VALUES('$SERIAL', '$manufacturer', '$MODEL', 1, x'$certificate', $2)"
}
show_voucher eight NULL
refused E26 eight
show_voucher eight "x'$voucher'"
refused E24 eight
ship eight "$OTHER" && take eight
show_voucher eight "(SELECT voucher FROM shipped WHERE serial = '$OTHER')"
refused E26 eight

echo "forged: by the node's own key, which is certified by the same factory; cut; nonsense"
sql seven "SELECT writefile('$W/true.p7', voucher) FROM shipped WHERE serial = '$SERIAL'"
openssl cms -verify -inform DER -purpose any -CAfile "$W/factory/root.pem" -in "$W/true.p7" -out "$W/voucher.xml"
grep -q 'customer="seven"' "$W/voucher.xml"
sed 's/customer="seven"/customer="eight"/' "$W/voucher.xml" >"$W/forged.xml"
openssl cms -sign -binary -nodetach -outform DER -in "$W/forged.xml" -signer "$W/node-eight/onboard.pem" \
	-inkey "$W/node-eight/onboard.key" -certfile "$W/factory/unit.pem" -out "$W/forged.p7"
show_voucher eight "x'$(hex "$W/forged.p7")'"
refused E26 eight
show_voucher eight "x'${voucher:0:400}'"
refused E26 eight
show_voucher eight "x'00'"
refused E26 eight

echo "the true customer"
cp -a "$W/$SERIAL/store" "$W/new"
onboard seven
[ "$(cat "$W/$SERIAL/store/voucher")" = "1 seven" ]

echo "resale: the new owner's node, then the old one's again"
until_true 10 eval 'ca --dir "$W/customer-seven" issued list --device "$SERIAL" --state active --json | grep -q issued'
rm -rf "$W/$SERIAL/store" && cp -a "$W/new" "$W/$SERIAL/store"	# reset by the seller
node --dir "$W/node-seven" devices release "$SERIAL" --force
ship eight "$SERIAL" && sql eight "DELETE FROM shipped WHERE serial = '$SERIAL'" && take eight
cp "$W/$SERIAL/store/voucher" "$W/floor" 2>/dev/null || true
onboard eight
[ "$(cat "$W/$SERIAL/store/voucher")" = "3 eight" ]
cp "$W/$SERIAL/store/voucher" "$W/floor"
rm -rf "$W/$SERIAL/store" && cp -a "$W/new" "$W/$SERIAL/store"	# as after a return to the factory credential
cp "$W/floor" "$W/$SERIAL/store/voucher"
refused E26 seven 1

echo "not asked for"
printf 'version: 1\nvoucher: off\n' >"$W/$SERIAL/store/agent.yaml"
rm "$W/$SERIAL/store/generation"
onboard seven || { echo "FAILED: with voucher off it is not asked for"; exit 1; }
