# ./demo as a user runs it, with its certificates judged, and no private key outside the device's store.
set -eu
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel demo test XXXXXX")
trap 'rm -rf "$W"' EXIT

HANDSEL_BUILD=$BUILD "$TOP/demo" --devices 3 --json --keep "$W/kept" >"$W/out"
cat "$W/out"
tail -n 1 "$W/out" | grep -q '^{"v":1,"type":"result","devices":3,"passed":4,"onboarded":3,"refused":1,"reason":"E21"'

cd "$W/kept"
# verify ROOT FILE
verify() { openssl verify -CAfile "$1" -untrusted "$2" "$2"; }
for serial in 00020001 00020002 00020003; do
	verify factory-root.pem $serial/factory.pem
	verify customer-root.pem $serial/customer.pem
	for file in factory customer; do
		openssl x509 -in $serial/$file.pem -noout -subject | grep -q "serialNumber = $serial"
		# hardwareModuleName with the serial as hwSerialNum (RFC 4108)
		openssl x509 -in $serial/$file.pem -outform DER | openssl asn1parse -inform DER -strparse \
			"$(openssl x509 -in $serial/$file.pem -outform DER | openssl asn1parse -inform DER |
				grep -A2 'X509v3 Subject Alternative Name' | sed -n 's/^ *\([0-9]*\):.*OCTET STRING.*/\1/p' | head -1)" |
			tee "$W/san" | grep -q '1.3.6.1.5.5.7.8.4'
		grep -qi "OCTET STRING.*$serial\|$(printf %s $serial | od -An -tx1 | tr -d ' \n')" "$W/san"
	done
	! cmp -s <(openssl x509 -in $serial/factory.pem -noout -pubkey) <(openssl x509 -in $serial/customer.pem -noout -pubkey) ||
		die "$serial has one key in both credentials"
done
[ -f 00020004/factory.pem ]
[ ! -e 00020004/customer.pem ]

# Every private key of every device, as its raw scalar and as a line of its PEM, is in its own store and nowhere else.
find . -type f ! -path './*/store/*' -print | while read -r file; do hex "$file"; printf ' %s\n' "$file"; done >"$W/all"
grep -qF "$(hex <factory-root.pem)" "$W/all"	# the search itself works
found=0
for key in */store/*/key.pem; do
	found=$((found + 1))
	scalar=$(private_hex "$key")
	[ ${#scalar} = 64 ]
	for pattern in "$scalar" "$(sed -n 3p "$key" | tr -d '\n' | hex)"; do
		! grep -F "$pattern" "$W/all" | sed 's/.* /private key found in /' | grep . || exit 1
	done
done
[ "$found" -ge 7 ]
echo "$found private keys, none outside the stores"
