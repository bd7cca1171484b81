# curl and openssl, no code of ours, enrol with a factory credential and re-enrol with the customer's (plain-est).
set -eu
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel est XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT

SERIAL=00020001
factory_init && factory_serve && station_init line-1
order_create WO-1 00020001 00020009 3 line-1
provision WO-1 line-1 "$SERIAL"
customer_init && mkdir "$W/record" && customer_serve --record "$W/record" && node_init site-1
ca --dir "$W/factory" ship --customer plant-seven --device "$SERIAL" --out "$W/manifest.p7"
node --dir "$W/node" import "$W/manifest.p7" && node --dir "$W/node" apply
sed -i 's/^plain-est:.*/plain-est: true/' "$W/node/node.yaml"
grep -q '^plain-est: true' "$W/node/node.yaml"
node_serve

est="https://127.0.0.1:$NODE_PORT/.well-known/est"
store=$W/$SERIAL/store/factory
curl_est() { curl -sS --fail-with-body --cacert "$W/customer/root.pem" "$@"; }

# A server of this name is needed by nobody, but the answers must be what RFC 7030 clients read.
curl_est -D "$W/head" -o "$W/cacerts.b64" "$est/cacerts"
grep -qi '^content-type: application/pkcs7-mime' "$W/head"
unbase64 "$W/cacerts.b64" >"$W/cacerts.p7"
openssl pkcs7 -inform DER -in "$W/cacerts.p7" -print_certs -out "$W/cacerts.pem"
[ "$(grep -c BEGIN "$W/cacerts.pem")" -ge 2 ]
status=$(curl_est -o "$W/csrattrs" -w '%{http_code}' "$est/csrattrs")
[ "$status" = 200 ] || [ "$status" = 204 ]

# enrol NAME OPERATION CERTIFICATE KEY [CURL-OPTION...] : $W/NAME.key and $W/NAME.pem
enrol() {
	local name=$1 operation=$2 cert=$3 key=$4
	shift 4
	[ -f "$W/$name.key" ] || openssl ecparam -name prime256v1 -genkey -noout -out "$W/$name.key"
	openssl req -new -key "$W/$name.key" -subj "/CN=whatever/serialNumber=99999999" -outform DER -out "$W/$name.der"
	openssl base64 -in "$W/$name.der" -out "$W/$name.b64"
	curl_est "$@" --cert "$cert" --key "$key" -H "Content-Type: application/pkcs10" -H "Content-Transfer-Encoding: base64" \
		--data-binary @"$W/$name.b64" -o "$W/$name.p7.b64" "$est/$operation"
	unbase64 "$W/$name.p7.b64" >"$W/$name.p7"
	openssl pkcs7 -inform DER -in "$W/$name.p7" -print_certs -out "$W/$name.pem"
	[ "$(grep -c BEGIN "$W/$name.pem")" = 1 ]
	openssl verify -CAfile "$W/customer/root.pem" -untrusted "$W/cacerts.pem" "$W/$name.pem"
	# The identity is that of the certificate, never that of the request.
	openssl x509 -in "$W/$name.pem" -noout -subject | grep -q "serialNumber = $SERIAL"
}

echo "enrol over TLS 1.3"
enrol first simpleenroll "$store/cert.pem" "$store/key.pem" --tlsv1.3
echo "the same key again gives the same certificate"
cp "$W/first.pem" "$W/first-before.pem"
enrol first simpleenroll "$store/cert.pem" "$store/key.pem"
cmp "$W/first.pem" "$W/first-before.pem"
echo "another key with the factory credential is refused: already onboarded"
openssl ecparam -name prime256v1 -genkey -noout -out "$W/other.key"
openssl req -new -key "$W/other.key" -subj /CN=x -outform DER | openssl base64 >"$W/other.b64"
status=$(curl -sS --cacert "$W/customer/root.pem" --cert "$store/cert.pem" --key "$store/key.pem" -D "$W/head" -o "$W/body" \
	-w '%{http_code}' -H "Content-Type: application/pkcs10" --data-binary @"$W/other.b64" "$est/simpleenroll")
[ "$status" = 403 ]
grep -qi '^handsel-reason: E23' "$W/head"
echo "re-enrol with the customer credential, TLS 1.2"
enrol second simplereenroll "$W/first.pem" "$W/first.key" --tlsv1.2 --tls-max 1.2
! cmp -s "$W/first.pem" "$W/second.pem"
echo "without a certificate: 401"
status=$(curl -sS --cacert "$W/customer/root.pem" -o /dev/null -w '%{http_code}' -H "Content-Type: application/pkcs10" \
	--data-binary @"$W/other.b64" "$est/simpleenroll")
[ "$status" = 401 ]

echo "the recorded XML of the CA protocol satisfies the schema"
ls "$W/record"/*.xml >/dev/null
xmllint --noout --schema "$TOP/profiles/schema/handsel-ca-1.xsd" "$W/record"/*.xml
stop_all
