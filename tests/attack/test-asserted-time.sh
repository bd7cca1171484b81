# Whoever asserts the year 2050 to a device, with whatever key: its lasting clock, the latest notBefore of what it has verified,
# does not move, and the true node and CA find it as it was.
set -u
. "$TOP/tests/attack/lib.sh"
world "00020001 00020002"
SERIAL=00020001
TIME=2050-01-01T00:00:00Z
store=$W/$SERIAL/store

# start_liar CERT KEY ARGUMENT... : serves on $PORT
start_liar() {
	local cert=$1 key=$2
	shift 2
	rm -f "$W/liar.ready"
	"$BUILD/tests/attack/liar" "$cert" "$key" $TIME "$W/liar.ready" "$@" 2>>"$W/liar.log" &
	PID=$!
	STARTED+=("$PID")
	until_true 20 [ -s "$W/liar.ready" ] && PORT=$(cat "$W/liar.ready")
}
at_liar() { "$W/$SERIAL/agent" --dir "$store" "$1" --node "https://127.0.0.1:$PORT" --timeout 5s 2>&1; }
# What the device takes for the time.
clock_is_today() { "$W/$SERIAL/agent" --dir "$store" check --json | grep -q "\"clock\".*$(date -u +%Y-)"; }

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$W/own.key" -out "$W/own.pem" -days 9 \
	-subj "/CN=a machine" 2>/dev/null
chmod 600 "$W/own.key"
sqlite3 "$W/node/node.db" "SELECT writefile('$W/voucher', voucher) FROM shipped WHERE serial = '$SERIAL'" >"$W/writefile.log"
holds "the device's clock" clock_is_today

# A new device: any machine on the network; then the thief of the node's key and of the device's voucher.
quietly start_liar "$W/own.pem" "$W/own.key" "$W/voucher"
refused E12 "any machine" at_liar activate
stop_daemon "$PID"
quietly start_liar "$W/node/onboard.pem" "$W/node/onboard.key" "$W/voucher"
refused E11 "a thief of the node's key gives certificates of 2050" at_liar activate
stop_daemon "$PID"
holds "the device's clock" clock_is_today
holds "the device keeps its factory credential" [ "$(cat "$store/current")" = factory ]
holds "the true node takes it in" activate "$SERIAL" --timeout 10s

# An onboarded device: the thief of the node's key toward its own devices.
quietly start_liar "$W/node/node.pem" "$W/node/node.key" "$W/voucher"
refused 'E11\|E12' "a thief of the node's own key renews it with certificates of 2050" at_liar renew
stop_daemon "$PID"
holds "the device's clock" clock_is_today
renew() { "$W/$SERIAL/agent" --dir "$store" renew --node "https://127.0.0.1:$NODE_PORT" --timeout 10s; }
holds "the true node renews it" renew

# In the factory: a root of 2050 by the cable. It cannot be undone that another factory has begun with the device (protocol-link
# L5.2), but it is no more than that.
quietly certtool --generate-privkey --key-type ecdsa --curve secp256r1 --outfile "$W/future.key"
cat >"$W/template" <<EOF
cn = "root of tomorrow"
ca
cert_signing_key
activation_date = "2050-01-01 00:00:00 UTC"
expiration_date = "2060-01-01 00:00:00 UTC"
EOF
quietly certtool --generate-self-signed --load-privkey "$W/future.key" --template "$W/template" --outfile "$W/future.pem"
# new_device SERIAL : its store is empty
new_device() {
	SERIAL=$1 store=$W/$1/store
	mkdir -p "$store" && sed "s/00020001/$1/" "$W/00020001/store/identity.yaml" >"$store/identity.yaml"
	cp "$BUILD/handsel-agent" "$W/$1/agent"
}
# go ROOT PORT : prints the code of the result
go() {
	"$BUILD/tests/attack/loader" "$W/$SERIAL/agent" "$store" go "$1" 127.0.0.1 "$2" "$W/ticket.p7" 2>>"$W/agent.log" | tee "$W/go"
	grep -qx OK "$W/go"
}
printf 'a ticket that says nothing' >"$W/ticket.p7"
new_device 00020003
refused 'E11\|E12' "a factory root of 2050" go "$W/future.pem" "$FACTORY_PORT"
holds "the device's clock" clock_is_today
refused E12 "then the true root" go "$W/factory/root.pem" "$FACTORY_PORT"

# The front of the factory's CA, taken over: it has the true one issue, and adds certificates of its own to the answer.
new_device 00020004
quietly order_create WO-2 00020004 00020004 1 line-1
refused E44 "the device makes its request" go "$W/factory/root.pem" "$FACTORY_PORT"
id=$(cat "$store/factory/request")
GENERATION=${id#*:}
ticket "$W/station-line-1" WO-2 "$SERIAL" "${id%:*}" "$store/factory/key.pem" | openssl base64 -d -A >"$W/ticket.p7"
quietly start_liar "$W/factory/server.pem" "$W/factory/server.key" "$W/factory/root.pem" 127.0.0.1 "$FACTORY_PORT"
go "$W/factory/root.pem" "$PORT" >"$W/go.log"
stop_daemon "$PID"
holds "the device has stored all that the front gave it" [ "$(grep -c BEGIN "$store/factory/cert.pem")" = 4 ]
holds "the device's clock" clock_is_today
summary
