# lib.sh - a node that lets plain EST clients in, and a new device for each of them. Sourced; needs $TOP and $BUILD, makes $W.
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel interop XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT

# site SERIALS : all of it up to the customer's gate; their factory credentials are in $W/SERIAL/store/factory. Sets EST.
site() {
	local s ship=()
	{
		for s in $1; do ship+=(--device "$s"); done
		factory_init && factory_serve && station_init line-1 &&
			order_create WO-1 "${1%% *}" "${1##* }" "$(wc -w <<<"$1")" line-1 &&
			provision WO-1 line-1 "$1" &&
			customer_init && mkdir "$W/record" && customer_serve --record "$W/record" && node_init site-1 &&
			ca --dir "$W/factory" ship --customer plant-seven "${ship[@]}" --out "$W/manifest.p7" &&
			node --dir "$W/node" import "$W/manifest.p7" && node --dir "$W/node" apply &&
			sed -i 's/^plain-est:.*/plain-est: true/' "$W/node/node.yaml" &&
			grep -q '^plain-est: true' "$W/node/node.yaml" && node_serve
	} >"$W/site.log" 2>&1 || {
		tail -n 60 "$W/site.log" >&2
		die "no site to test at"
	}
	EST="https://127.0.0.1:$NODE_PORT/.well-known/est"
}

factory_cert() { echo "$W/$1/store/factory/cert.pem"; }
factory_key() { echo "$W/$1/store/factory/key.pem"; }

# told CLIENT OPERATION HOW : the line of an operation that was done and judged.
told() { printf 'ok  %-22s %-10s %s\n' "$@"; }

# get_cacerts : the customer's chain in $W/cacerts.pem, as openssl reads it.
get_cacerts() {
	curl -sS --fail-with-body --cacert "$W/customer/root.pem" -D "$W/head" -o "$W/cacerts.b64" "$EST/cacerts"
	unbase64 "$W/cacerts.b64" >"$W/cacerts.p7"
	openssl pkcs7 -inform DER -in "$W/cacerts.p7" -print_certs -out "$W/cacerts.pem"
	[ "$(grep -c BEGIN "$W/cacerts.pem")" -ge 2 ]
}

# take NAME : the answer in $W/NAME.p7.b64 becomes $W/NAME.pem, one certificate alone.
take() {
	unbase64 "$W/$1.p7.b64" >"$W/$1.p7"
	openssl pkcs7 -inform DER -in "$W/$1.p7" -print_certs -out "$W/$1.pem"
}

# judge NAME SERIAL : openssl accepts $W/NAME.pem under the customer's root; it is for the key $W/NAME.key, and the identity
# is that of the certificate which was shown, never that of the request.
judge() {
	[ "$(grep -c BEGIN "$W/$1.pem")" = 1 ] || die "$1: not one certificate"
	openssl verify -CAfile "$W/customer/root.pem" -untrusted "$W/cacerts.pem" "$W/$1.pem" >"$W/verify.log" 2>&1 ||
		die "$1: $(cat "$W/verify.log")"
	openssl x509 -in "$W/$1.pem" -noout -subject | grep -q "serialNumber = $2" || die "$1: the subject is not $2"
	openssl x509 -in "$W/$1.pem" -noout -pubkey | cmp - <(openssl pkey -in "$W/$1.key" -pubout) || die "$1: another key"
}

# differ NAME NAME : two different certificates.
differ() { ! cmp -s "$W/$1.pem" "$W/$2.pem" || die "$1 and $2 are the same certificate"; }
