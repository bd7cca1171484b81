# EST serverkeygen by foreign programs: curl asks, openssl opens the key and finds that it is the certificate's.
set -eu
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel keygen XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT

factory_init >/dev/null && factory_serve && station_init line-1 >/dev/null
order_create WO-1 00020001 00020009 3 line-1 >/dev/null
provision WO-1 line-1 "00020001 00020002" >"$W/station.log" 2>&1
customer_init >/dev/null && customer_serve && node_init site-1 >/dev/null
sed -i 's/^plain-est:.*/plain-est: true/' "$W/node/node.yaml"
node_serve
ca --dir "$W/factory" ship --customer plant-seven --order WO-1 --out "$W/manifest.p7" >/dev/null
node --dir "$W/node" import "$W/manifest.p7" >/dev/null && node --dir "$W/node" apply >/dev/null

# part N : the base64 of the N-th part, decoded
part() { tr -d '\r' <"$W/answer" | awk -v n="$1" '/^--handsel-part/ { p++; body = 0; next } /^$/ { body = 1; next } p == n && body' | openssl base64 -d; }

ask() { # SERIAL CSR PATH : the answer is in $W/answer; prints the status
	local s=$W/$1/store/factory
	openssl req -in "$2" -outform DER | openssl base64 | curl -sS --cacert "$W/customer/root.pem" --cert "$s/cert.pem" --key "$s/key.pem" \
		-H 'Content-Type: application/pkcs10' -H 'Content-Transfer-Encoding: base64' --data-binary @- \
		-D "$W/head" -o "$W/answer" -w '%{http_code}' "https://localhost:$NODE_PORT/.well-known/est/$3"
}

one() { # SERIAL GENPKEY-OPTION...
	local serial=$1
	shift
	openssl genpkey "$@" -out "$W/transport.key" 2>/dev/null
	openssl req -new -key "$W/transport.key" -subj "/CN=$serial" -out "$W/csr.pem"
	[ "$(ask "$serial" "$W/csr.pem" serverkeygen)" = 200 ] || { cat "$W/answer"; return 1; }
	grep -qi '^content-type: multipart/mixed; boundary=handsel-part' "$W/head"
	part 1 >"$W/key.cms" && part 2 >"$W/certs.p7"
	openssl cms -decrypt -inform DER -in "$W/key.cms" -inkey "$W/transport.key" -binary -out "$W/key.der"
	openssl pkcs7 -inform DER -in "$W/certs.p7" -print_certs -out "$W/cert.pem"
	cmp <(openssl pkey -inform DER -in "$W/key.der" -pubout) <(openssl x509 -in "$W/cert.pem" -noout -pubkey)
	cp "$W/answer" "$W/first"
	[ "$(ask "$serial" "$W/csr.pem" serverkeygen)" = 200 ] || { cat "$W/answer"; return 1; }
	cmp "$W/first" "$W/answer"	# the same bytes
	[ "$(ask "$serial" "$W/csr.pem" simpleenroll)" = 400 ]	# the id began on the other path
	echo "$serial: key of $* opened by openssl, repeated byte for byte"
}
one 00020001 -algorithm EC -pkeyopt ec_paramgen_curve:P-256
one 00020002 -algorithm RSA -pkeyopt rsa_keygen_bits:2048
