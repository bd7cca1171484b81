# curl and openssl, no code of ours, enrol with a factory credential and re-enrol with the customer's (plain-est).
set -eu
. "$TOP/tests/interop/lib.sh"
SERIAL=00020001
site "$SERIAL"
factory=(--cert "$(factory_cert $SERIAL)" --key "$(factory_key $SERIAL)")
curl_est() { curl -sS --cacert "$W/customer/root.pem" "$@"; }

# A server of this name is needed by nobody, but the answers must be what RFC 7030 clients read.
get_cacerts
grep -qi '^content-type: application/pkcs7-mime' "$W/head"
status=$(curl_est -o "$W/csrattrs" -w '%{http_code}' "$EST/csrattrs")
[ "$status" = 200 ] || [ "$status" = 204 ]

# enrol NAME OPERATION CURL-OPTION... : $W/NAME.key and $W/NAME.pem
enrol() {
	local name=$1 operation=$2
	shift 2
	[ -f "$W/$name.key" ] || openssl ecparam -name prime256v1 -genkey -noout -out "$W/$name.key"
	openssl req -new -key "$W/$name.key" -subj "/CN=whatever/serialNumber=99999999" -outform DER -out "$W/$name.der"
	openssl base64 -in "$W/$name.der" -out "$W/$name.b64"
	curl_est --fail-with-body "$@" -H "Content-Type: application/pkcs10" -H "Content-Transfer-Encoding: base64" \
		--data-binary @"$W/$name.b64" -o "$W/$name.p7.b64" "$EST/$operation"
	take "$name"
	judge "$name" "$SERIAL"
}

echo "enrol over TLS 1.3"
enrol first simpleenroll "${factory[@]}" --tlsv1.3
echo "the same key again gives the same certificate"
cp "$W/first.pem" "$W/first-before.pem"
enrol first simpleenroll "${factory[@]}"
cmp "$W/first.pem" "$W/first-before.pem"
echo "another key with the factory credential is refused: already onboarded"
openssl ecparam -name prime256v1 -genkey -noout -out "$W/other.key"
openssl req -new -key "$W/other.key" -subj /CN=x -outform DER | openssl base64 >"$W/other.b64"
status=$(curl_est "${factory[@]}" -D "$W/head" -o "$W/body" -w '%{http_code}' -H "Content-Type: application/pkcs10" \
	--data-binary @"$W/other.b64" "$EST/simpleenroll")
[ "$status" = 403 ]
grep -qi '^handsel-reason: E23' "$W/head"
echo "re-enrol with the customer credential, TLS 1.2"
enrol second simplereenroll --cert "$W/first.pem" --key "$W/first.key" --tlsv1.2 --tls-max 1.2
differ first second
echo "without a certificate: 401"
status=$(curl_est -o /dev/null -w '%{http_code}' -H "Content-Type: application/pkcs10" --data-binary @"$W/other.b64" \
	"$EST/simpleenroll")
[ "$status" = 401 ]

echo "the recorded XML of the CA protocol satisfies the schema"
ls "$W/record"/*.xml >/dev/null
xmllint --noout --schema "$TOP/profiles/schema/handsel-ca-1.xsd" "$W/record"/*.xml
stop_all
