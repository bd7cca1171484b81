# A node cannot invent devices, nor choose a key for one that it knows: the customer's CA wants each device's own signature. The node
# here is a curl with the node's key, which says to the CA whatever it likes.
set -eu
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel endorsement XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT
SERIAL=00020001

factory_init && factory_serve && station_init line-1 && order_create WO-1 00020001 00020009 4 line-1
provision WO-1 line-1 "$SERIAL 00020002" >"$W/station.log" 2>&1 || { tail -n 20 "$W/station.log"; exit 1; }
mkdir "$W/record"
customer_init && customer_serve --record "$W/record" && node_init site-1 && node_serve
ca --dir "$W/factory" ship --customer plant-seven --order WO-1 --out "$W/manifest.p7"
node --dir "$W/node" import "$W/manifest.p7" && node --dir "$W/node" apply

post() {
	curl -sS --cacert "$W/customer/root.pem" --key "$W/node/node.key" --cert "$W/node/node.pem" \
		-H 'Content-Type: application/xml' --data-binary @"$1" "https://127.0.0.1:$CUSTOMER_PORT/ca"
}
# refused NAME CODE FILE
refused() {
	post "$3" >"$W/answer"
	grep -q "<refused[^>]* code=\"$2\"\|<refused code=\"$2\"" "$W/answer" || { echo "FAILED $1:"; cat "$W/answer"; exit 1; }
	! grep -q '<issued' "$W/answer" || { echo "FAILED $1: refused and issued"; exit 1; }
	echo "ok $1: $2 $(sed -n 's/.*<text>\(.*\)<\/text>.*/\1/p' "$W/answer")"
}

echo "an honest story is recorded: what the node sent for the device is what a false one may use"
activate "$SERIAL" --timeout 20s
issue=$(grep -l '<issue' "$W"/record/*-request.xml | head -1)
for element in endorsement factory-certificate endorsed-node; do
	grep -q "<$element>" "$issue" || die "the honest request has no $element"
done
[ "$(sed -n 's/.*<endorsed-node>\(.*\)<.*/\1/p' "$issue")" = "$(fingerprint "$W/node/onboard.pem")" ]
[ "$(sqlite3 "$W/customer/ca.db" "SELECT length(endorsement) > 90, length(factory_certificate) > 300 FROM request")" = "1|1" ]
until_true 10 eval 'ca --dir "$W/customer" issued list --device "$SERIAL" --state active --json | grep -q issued'
count() { sqlite3 "$W/customer/ca.db" "SELECT count(*) FROM request"; }
before=$(count)

id=0123456789abcdef0123456789abcdef
openssl ecparam -name prime256v1 -genkey -noout -out "$W/thief.key"
openssl req -new -key "$W/thief.key" -subj "/CN=x" -outform DER | openssl base64 -A >"$W/thief.csr"
# as SERIAL [ELEMENTS] : a request of the node's own making
as() {
	printf '<request xmlns="urn:handsel:ca:1"><issue id="%s" generation="9"><device manufacturer="%s" model="%s" serial="%s"/><csr>%s</csr>%s</issue></request>' \
		"$id" "$MANUFACTURER" "$MODEL" "$1" "$(cat "$W/thief.csr")" "${2:-}" >"$W/made.xml"
}
element() { sed -n "s/.*\(<$1>.*<\/$1>\).*/\1/p" "$issue"; }
true_one="$(element endorsement)$(element endorsed-node)$(element factory-certificate)"

as 00029999
refused "an invented device" E55 "$W/made.xml"
as "$SERIAL"
refused "a known device, another key" E55 "$W/made.xml"
as 00029999 "$true_one"
refused "an invented device, with another one's endorsement" E55 "$W/made.xml"
as "$SERIAL" "$true_one"
refused "a known device's endorsement of another key" E55 "$W/made.xml"
sed "s/ id=\"[0-9a-f]*\"/ id=\"$id\"/" "$issue" >"$W/made.xml"
refused "its own key, another request id" E55 "$W/made.xml"
sed 's/ generation="2"/ generation="3"/' "$issue" >"$W/made.xml"
refused "its own key, another generation" E55 "$W/made.xml"
sed "s/<endorsed-node>[0-9a-f]*/<endorsed-node>$(fingerprint "$W/node/node.pem")/" "$issue" >"$W/made.xml"
refused "another node than it was at" E55 "$W/made.xml"

echo "a factory of the node's own"
openssl req -x509 -key "$W/thief.key" -subj "/O=$MANUFACTURER/OU=$MODEL/serialNumber=00029999" -days 9 -outform DER |
	openssl base64 -A >"$W/own"
as 00029999 "$(element endorsement)$(element endorsed-node)<factory-certificate>$(cat "$W/own")</factory-certificate>"
refused "a factory certificate that the node made" E12 "$W/made.xml"

echo "renewals: only of a certificate that this CA gave to this node's device, by its key"
slot=$W/$SERIAL/store/$(cat "$W/$SERIAL/store/current")
openssl x509 -in "$slot/cert.pem" -out "$W/leaf.pem"
as "$SERIAL" "$(element endorsement)<endorsed-node>$(fingerprint "$W/node/node.pem")</endorsed-node><customer-certificate>$(fingerprint "$W/leaf.pem")</customer-certificate>"
refused "a renewal that the device has not signed" E55 "$W/made.xml"
as 00029999 "$(element endorsement)<endorsed-node>$(fingerprint "$W/node/node.pem")</endorsed-node><customer-certificate>$(fingerprint "$W/leaf.pem")</customer-certificate>"
refused "a renewal of another device's certificate" E55 "$W/made.xml"
as "$SERIAL" "$(element endorsement)<endorsed-node>$(fingerprint "$W/node/node.pem")</endorsed-node><customer-certificate>$(printf '%064d' 0)</customer-certificate>"
refused "a renewal of nothing" E55 "$W/made.xml"
{	# the very text of protocol-est 2.9, by a foreign hand
	printf 'handsel-endorsement-v1\0%s\0\0\0\11' "$id"
	openssl pkey -in "$W/thief.key" -pubout -outform DER | openssl dgst -sha256 -binary
	openssl x509 -in "$W/node/node.pem" -outform DER | openssl dgst -sha256 -binary
} >"$W/text"
openssl dgst -sha256 -sign "$slot/key.pem" "$W/text" | openssl base64 -A >"$W/signature"
post_renewal() {
	as "$SERIAL" "<endorsement>$(cat "$W/signature")</endorsement><endorsed-node>$(fingerprint "$W/node/node.pem")</endorsed-node><customer-certificate>$(fingerprint "$W/leaf.pem")</customer-certificate>"
}
post_renewal
refused "signed by the device, while its certificate is active" E23 "$W/made.xml"
[ "$(count)" = "$before" ] || { echo "FAILED: a refused request left a row"; exit 1; }

echo "a node whose handoff the CA has not accepted"
rm "$W"/customer/factories/node-*.pem
stop_daemon "$CUSTOMER_PID" && customer_serve
if activate 00020002 --timeout 5s >"$W/log" 2>&1; then exit 1; fi
grep -q 'FAIL E55' "$W/log" || { cat "$W/log"; exit 1; }
ca --dir "$W/customer" handoff accept "$W/handoff.p7" --root-fingerprint "$(fingerprint "$W/factory/root.pem")"
activate 00020002 --timeout 20s
