# A try that came to nothing is dead once a newer one took its place, in the factory and at the customer: its certificate and key,
# which somebody found, are good for nothing, by the device's own program or by hand.
set -u
. "$TOP/tests/attack/lib.sh"
SERIAL=00020001
# the states of the device's ids at a CA, oldest first
states() {
	ca --dir "$W/$1" issued list --device "$SERIAL" --json | sed -n 's/.*"type":"issued".*"state":"\([a-z]*\)".*/\1/p' |
		sort | tr '\n' ' '
}

# The CA signs and commits, and dies before it answers; the device loses what it had made.
quietly factory_init
quietly mkdir "$W/record"
HANDSEL_FAULT=commit.after HANDSEL_FAULT_LOG=$W/fired quietly factory_serve --record "$W/record"
quietly station_init line-1
quietly order_create WO-1 00020001 00020009 3 line-1
provision WO-1 line-1 "$SERIAL" --timeout 6s --ca-wait 6s >"$W/station.log" 2>&1
holds "the answer was lost" grep -qx commit.after:1 "$W/fired"
quietly factory_serve
request=$(grep -l '<issue' "$W"/record/*-request.xml | head -n 1)
holds "the old try has a certificate" eval 'post factory "$request" >"$W/old.xml"'
cp -a "$W/$SERIAL" "$W/old"
rm "$W/$SERIAL"/store/factory/*
holds "the new try passes" provision WO-1 line-1 "$SERIAL" --timeout 20s
holds "the old one is superseded" [ "$(states factory)" = "active superseded " ]
refused '<dead' "the old request again" post factory "$request"

# The old certificate beside its key, as if the device had stored it in time.
sed -n 's/.*<certificate>\(.*\)<\/certificate>.*/\1/p' "$W/old.xml" | while read -r der; do
	openssl base64 -d -A <<<"$der" | openssl x509 -inform DER
done >"$W/old/store/factory/cert.pem"
holds "key and certificate of the old try fit" cmp <(openssl pkey -in "$W/old/store/factory/key.pem" -pubout) \
	<(openssl x509 -in "$W/old/store/factory/cert.pem" -pubkey -noout)
mv "$W/$SERIAL" "$W/new" && cp -a "$W/old" "$W/$SERIAL"
refused 'E44' "the device with the old try goes on in the factory" provision WO-1 line-1 "$SERIAL" --timeout 8s
holds "one active, one superseded" [ "$(states factory)" = "active superseded " ]
rm -rf "${W:?}/$SERIAL" && mv "$W/new" "$W/$SERIAL"

quietly customer_init
quietly customer_serve
quietly node_init site-1
quietly node_serve
quietly ca --dir "$W/factory" ship --customer plant-seven --device "$SERIAL" --out "$W/manifest.p7"
quietly node --dir "$W/node" import "$W/manifest.p7"
quietly node --dir "$W/node" apply
kill -HUP "$NODE_PID"

# by_hand FOLDER DOOR : a plain EST client with what is in that folder
by_hand() {
	local out
	out=$(curl -sS -i -m 20 --cacert "$W/customer/root.pem" --cert "$1/cert.pem" --key "$1/key.pem" \
		-H "Content-Type: application/pkcs10" --data-binary "@$W/new.b64" \
		"https://127.0.0.1:$NODE_PORT/.well-known/est/$2" 2>&1)
	printf '%s\n' "$out"
	grep -q '^HTTP/1.1 200' <<<"$out"
}
new_key "$W/new.key"
csr_of "$W/new.key" >"$W/new.b64"
refused 'E21' "the old factory certificate at the node" by_hand "$W/old/store/factory" simpleenroll

# At the customer: the device dies when it has stored its certificate, and loses it.
HANDSEL_FAULT=agent.stored activate "$SERIAL" --timeout 10s >"$W/agent.log" 2>&1
holds "the device has stored a certificate" [ -s "$W/$SERIAL/store/customer-a/cert.pem" ]
rm -rf "$W/old" && cp -a "$W/$SERIAL" "$W/old"
rm "$W/$SERIAL"/store/customer-a/*
holds "the new try is onboarded" activate "$SERIAL" --timeout 10s
revoked() { [ "$(states customer)" = "active revoked " ]; }
holds "the old one is revoked" until_true 10 revoked
refused 'E73' "the old customer certificate at the node" by_hand "$W/old/store/customer-a" simplereenroll
old() { "$W/old/agent" --dir "$W/old/store" activate --node "https://127.0.0.1:$NODE_PORT" --timeout 5s; }
refused 'E23' "the device with the old try confirms" old
holds "one active" [ "$(issued_count customer --device "$SERIAL" --state active)" = 1 ]
summary
