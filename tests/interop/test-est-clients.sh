# EST clients with no code of ours, on five TLS libraries, enrol with a factory credential and renew with the customer's
# (plain-est). One line a client and operation.
set -eu
. "$TOP/tests/interop/lib.sh"
make -s -C "$BUILD" tests/interop/est_wolfssl tests/interop/est_mbedtls

CURL=00020001 CURL12=00020002 CURL_RSA=00020003 SWAN=00020004 SWAN13=00020005 SWAN_RSA=00020006 WOLF=00020007 WOLF12=00020008
MBED=00020009 GNUTLS=00020010 GNUTLS12=00020011
site "$(serials 20001 20011)"
get_cacerts
root=$W/customer/root.pem

# both CLIENT HOW COMMAND SERIAL [ARGUMENT...] : the factory credential enrols, the new one renews, each judged. COMMAND gets
# OPERATION CERTIFICATE KEY NAME [ARGUMENT...] and leaves $W/NAME.key, $W/NAME.pem.
both() {
	local client=$1 how=$2 command=$3 serial=$4 name=$3-$4
	shift 4
	"$command" simpleenroll "$(factory_cert "$serial")" "$(factory_key "$serial")" "$name-1" "$@"
	judge "$name-1" "$serial"
	told "$client" enrol "$how, serial $serial"
	"$command" simplereenroll "$W/$name-1.pem" "$W/$name-1.key" "$name-2" "$@"
	judge "$name-2" "$serial"
	differ "$name-1" "$name-2"
	told "$client" re-enrol "$how, serial $serial"
}

# ---- curl and openssl (OpenSSL) --------------------------------------------------
with_curl() {
	local operation=$1 cert=$2 key=$3 name=$4 algorithm=$5
	shift 5
	openssl genpkey -quiet -algorithm "${algorithm%% *}" -pkeyopt "${algorithm#* }" -out "$W/$name.key"
	openssl req -new -key "$W/$name.key" -subj /CN=curl | sed '/^-/d' >"$W/$name.b64"
	curl -sS --fail-with-body --cacert "$root" --cert "$cert" --key "$key" -H 'Content-Type: application/pkcs10' \
		--data-binary @"$W/$name.b64" -o "$W/$name.p7.b64" "$@" "$EST/$operation"
	take "$name"
}
told curl cacerts "$(grep -c BEGIN "$W/cacerts.pem") certificates"
both curl "TLS 1.3" with_curl $CURL "EC ec_paramgen_curve:P-256" --tlsv1.3
both curl "TLS 1.2" with_curl $CURL12 "EC ec_paramgen_curve:P-256" --tlsv1.2 --tls-max 1.2
# An answer of more than 1,024 characters is in lines for curl and in one for strongSwan (protocol-est 4.2).
both curl "TLS 1.3, RSA" with_curl $CURL_RSA "RSA rsa_keygen_bits:2048" --tlsv1.3
[ "$(wc -c <"$W/with_curl-$CURL_RSA-1.p7.b64")" -gt 1024 ]
[ "$(wc -L <"$W/with_curl-$CURL_RSA-1.p7.b64")" = 64 ]

# ---- strongSwan (its own TLS) ------------------------------------------------------
# With a certificate it asks simplereenroll, whatever that certificate is.
swan() { STRONGSWAN_CONF=$SWAN_CONF pki "$@" 2>"$W/swan.log" || die "pki $1: $(tail -n 5 "$W/swan.log")"; }
with_swan() {
	local cert=$2 key=$3 name=$4 type=$6 size=$7
	SWAN_CONF=$W/swan-$5.conf
	printf 'libtls {\n version_max = %s\n}\n' "$5" >"$SWAN_CONF"
	swan --gen --type "$type" --size "$size" --outform pem >"$W/$name.key"
	swan --req --in "$W/$name.key" --type "$type" --dn CN=swan --outform der >"$W/$name.der"
	swan --estca --url "https://127.0.0.1:$NODE_PORT" --cacert "$root" --caout "$W/swan-ca.pem" --outform pem --force
	swan --est --url "https://127.0.0.1:$NODE_PORT" --in "$W/$name.der" --cacert "$root" --cert "$cert" --key "$key" \
		--outform pem >"$W/$name.pem"
	grep -q "^negotiated TLS $5 " "$W/swan.log"
}
both "strongSwan pki --est" "TLS 1.2" with_swan $SWAN 1.2 ecdsa 256
both "strongSwan pki --est" "TLS 1.3" with_swan $SWAN13 1.3 ecdsa 256
both "strongSwan pki --est" "TLS 1.2, RSA" with_swan $SWAN_RSA 1.2 rsa 2048
# It writes one file a certificate: the issuing CA's and the root's names are made of --caout.
cmp <(openssl x509 -in "$W/swan-ca.pem" -outform DER) <(openssl x509 -in "$root" -outform DER)
[ "$(find "$W" -name 'swan-ca*.pem' | wc -l)" = 3 ]
told "strongSwan pki --estca" cacerts "3 certificates"

# ---- wolfSSL and Mbed TLS: est_*.c ---------------------------------------------------
with_library() {
	local operation=$1 cert=$2 key=$3 name=$4 library=$5 version=$6
	"$BUILD/tests/interop/est_$library" "$NODE_PORT" "$root" "$cert" "$key" "$version" "$operation" "$W/$name.key" \
		>"$W/$name.p7.b64"
	take "$name"
}
both wolfSSL "TLS 1.3" with_library $WOLF wolfssl 1.3
both wolfSSL "TLS 1.2" with_library $WOLF12 wolfssl 1.2
both "Mbed TLS" "TLS 1.2" with_library $MBED mbedtls 1.2

# ---- GnuTLS: certtool and gnutls-cli through a pipe ------------------------------------
# The pipe is open for both, so that gnutls-cli meets the end of the answer and not that of its input.
with_gnutls() {
	local operation=$1 cert=$2 key=$3 name=$4 version=$5
	certtool --generate-privkey --key-type ecdsa --curve secp256r1 --no-text --outfile "$W/$name.key" 2>>"$W/gnutls.log"
	printf 'cn = gnutls\n' >"$W/gnutls.cfg"
	certtool --generate-request --load-privkey "$W/$name.key" --template "$W/gnutls.cfg" --no-text 2>>"$W/gnutls.log" |
		sed '/^-/d' >"$W/$name.b64"
	[ -p "$W/pipe" ] || mkfifo "$W/pipe"
	exec 9<>"$W/pipe"
	{
		printf 'POST /.well-known/est/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n' "$operation"
		printf 'Content-Type: application/pkcs10\r\nContent-Length: %d\r\n\r\n' "$(wc -c <"$W/$name.b64")"
		cat "$W/$name.b64"
	} >&9
	timeout 30 gnutls-cli --logfile "$W/gnutls.log" --x509cafile "$root" --x509certfile "$cert" --x509keyfile "$key" \
		--priority "NORMAL:-VERS-ALL:+VERS-TLS$version" -p "$NODE_PORT" 127.0.0.1 <&9 >"$W/$name.http" ||
		die "gnutls-cli: $(cat "$W/gnutls.log" "$W/$name.http")"
	exec 9>&-
	sed '1,/^\r$/d' "$W/$name.http" >"$W/$name.p7.b64"
	unbase64 "$W/$name.p7.b64" >"$W/$name.p7"
	certtool --inder --p7-info --infile "$W/$name.p7" | sed -n '/^-----BEGIN CERT/,/^-----END CERT/p' >"$W/$name.pem"
}
both gnutls-cli "TLS 1.3" with_gnutls $GNUTLS 1.3
both gnutls-cli "TLS 1.2" with_gnutls $GNUTLS12 1.2
stop_all
