# Keys of units in tokens: made there by init and enrol, the whole handover with them, tokens that are pulled under those who serve and put
# back, PINs that are wrong or missing, renewals with a new key.
set -u
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel unit keys XXXXXX")
. "$TOP/tests/system/checks.sh"
. "$TOP/tests/system/hsm.sh"
trap 'stop_all; rm -rf "$W"' EXIT
umask 077
hsm_begin
for label in acme line-1 site-1; do hsm_token $label; done
printf '99999999\n' >"$W/wrong.pin"
at() { provision WO-1 line-1 "$@" --timeout 60s; }
run_of() { printf '%s\n' --unit-key "$(hsm_uri "$1")" --unit-credential "$W/$1.pin"; }
mapfile -t FACTORY_UNITS < <(run_of acme)
mapfile -t STATION_KEYS < <(run_of line-1)
mapfile -t NODE_KEYS < <(run_of site-1)
objects() { p11tool --provider "$HSM_MODULE" --login --set-pin "$(cat "$W/$1.pin")" --list-all "pkcs11:token=$1" 2>/dev/null | grep -c '^Object'; }
spki() { openssl x509 -in "$1" -noout -pubkey; }
# stuck NAME TEXT COMMAND... : it says so and goes on; `passes` waits until it is done.
stuck() {
	local text=$1
	shift
	"$@" >"$W/stuck.log" 2>&1 &
	STUCK=$!
	until_true 30 grep -qF -- "$text" "$W/stuck.log"
}
passes() { wait "$STUCK" || { cat "$W/stuck.log"; return 1; }; }

echo "-- made inside"
FACTORY_KEYS+=("${FACTORY_UNITS[@]}")
holds "a factory whose server and operator are in a token" factory_init
holds "no key of theirs is in a file" eval '! ls "$W"/factory/*.key 2>/dev/null && grep -q "^pkcs11:.*token=acme" "$W/factory/server.uri" "$W/factory/operator.uri"'
holds "none can leave it" eval 'p11tool --provider "$HSM_MODULE" --login --set-pin "$(cat "$W/acme.pin")" --list-privkeys "pkcs11:token=acme" 2>/dev/null |
	grep -c "CKA_NEVER_EXTRACTABLE.*CKA_SENSITIVE\|CKA_SENSITIVE.*CKA_NEVER_EXTRACTABLE" | grep -qx 2'
holds "config check" ca --dir "$W/factory" config check
holds "it serves" factory_serve
says "a place that is none" 'E71.*no place for keys' station --dir "$W/x" init --name x --ca https://a --root "$W/factory/root.pem" --unit-key hsm
says "a token that is not there" 'E75.*"other" is not there' station --dir "$W/x" init --name x --ca https://a --root "$W/factory/root.pem" \
	--unit-key "$(hsm_uri other)" --unit-credential "$W/acme.pin"
says "a PIN that others can read" 'E71.*chmod 600' eval 'chmod 644 "$W/wrong.pin"; station --dir "$W/x" init --name x --ca https://a \
	--root "$W/factory/root.pem" --unit-key "$(hsm_uri line-1)" --unit-credential "$W/wrong.pin"'
chmod 600 "$W/wrong.pin"
says "a PIN in the URI" 'E71.*does not belong' station --dir "$W/x" init --name x --ca https://a --root "$W/factory/root.pem" \
	--unit-key "pkcs11:token=line-1?pin-value=1"
holds "a station by a code, its key made inside" eval 'station --dir "$W/station-line-1" enrol --ca "https://127.0.0.1:$FACTORY_PORT" \
	--code "$(ca --dir "$W/factory" unit invite --role station --name line-1 2>/dev/null)" "${STATION_KEYS[@]}"'
holds "an order, signed by the operator's token" order_create WO-1 00020001 00020009 9 line-1
holds "a device" at 00020001
says "the PIN is nowhere" 'E75.*"line-1": its PIN is needed' eval 'sed -i "/^unit-credential/d" "$W/station-line-1/station.yaml"; setsid "$BUILD/handsel-station" \
	--dir "$W/station-line-1" renew </dev/null'
echo "unit-credential: \"$W/wrong.pin\"" >>"$W/station-line-1/station.yaml"
says "a wrong PIN" 'E75.*the PIN is wrong; few tries are left' station --dir "$W/station-line-1" renew
sed -i "s/wrong.pin/line-1.pin/" "$W/station-line-1/station.yaml"

echo "-- the station's token is pulled under it"
FARM_OPTIONS=(--fault 00020002=poll:5)	# a slow boot loader
holds "the download begins" stuck "dfu (2/" at 00020002
FARM_OPTIONS=()
hsm_pull
holds "the unit is held, and it is said why" until_true 20 grep -q 'ticket: the token "line-1" is not there.*held.* until the token' "$W/stuck.log"
hsm_put_back
holds "put back, the unit goes on" passes
hsm_pull
says "without it no run begins" 'E75.*"line-1" is not there; insert it' at 00020004
hsm_put_back

echo "-- the customer"
holds "CA, node and handoff" eval 'customer_init && customer_serve && node_init site-1'
holds "no key of the node is in a file" eval '! ls "$W"/node/*.key 2>/dev/null'
holds "it serves" node_serve
ship=$(ca --dir "$W/factory" ship --customer plant-seven --device 00020001 --device 00020002 --out "$W/manifest.p7" 2>&1) || echo "$ship"
holds "a manifest" eval 'node --dir "$W/node" import "$W/manifest.p7" && node --dir "$W/node" apply'
holds "the whole handover" activate 00020001
hsm_pull
holds "the tokens are pulled under node and CA" stuck "E0" activate 00020002 --timeout 60s
holds "the node's log says which" until_true 15 grep -q 'E75.*"site-1" is not there' "$W/node.log"
hsm_put_back
holds "put back, the device goes on without a restart" passes
holds "the log says so, once" eval '[ "$(grep -c "can be used again" "$W/node.log")" = 2 ] && [ "$(grep -c "cannot be used: " "$W/node.log")" = 2 ]'

echo "-- renewal: a new key in the token, the old one goes"
old=$(spki "$W/station-line-1/station.pem")
for point in unit-key.certified unit-key.between; do
	holds "cut at $point" eval '! HANDSEL_FAULT=$point HANDSEL_FAULT_LOG="$W/fired" station --dir "$W/station-line-1" renew 2>/dev/null && grep -q "$point" "$W/fired"'
	rm -f "$W/fired"
done
holds "the station renews" station --dir "$W/station-line-1" renew
holds "with another key" [ "$old" != "$(spki "$W/station-line-1/station.pem")" ]
holds "which works" at 00020003
holds "and the old one is gone" eval '[ "$(objects line-1)" = 2 ] && [ ! -e "$W/station-line-1/station-old.uri" ]'
holds "the node renews while it serves" node --dir "$W/node" renew
holds "it serves on with the key before" eval 'activate 00020002 --renew || activate 00020002'
certificate() { openssl x509 "$@" -noout -serial; }
shows() { [ "$(openssl s_client -connect "127.0.0.1:$NODE_PORT" </dev/null 2>/dev/null | certificate)" = "$(certificate -in "$W/node/node.pem")" ]; }
holds "and shows the certificate before" eval '! shows'
kill -HUP "$NODE_PID"
holds "told to, it takes up the new ones" until_true 20 shows
holds "and works with them" "$W/00020002/agent" --dir "$W/00020002/store" renew --node "https://127.0.0.1:$NODE_PORT" --timeout 20s
stop_daemon "$NODE_PID"
holds "it starts with the new one" node_serve
holds "and the old one is gone" eval '[ "$(objects site-1)" = 4 ]'
echo "$CHECKED checks, $FAILED failed"
[ "$FAILED" = 0 ]
