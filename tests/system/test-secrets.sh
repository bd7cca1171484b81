# No private key in any message that a CA decrypts: the recorded XML, its base64 contents decoded, is searched byte for byte.
set -eu
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel secrets XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT

mkdir "$W/record"
factory_init && factory_serve --record "$W/record" && station_init line-1
order_create WO-1 00020001 00020009 4 line-1
provision WO-1 line-1 "00020001 00020002"
provision WO-1 line-1 00020003 --key ca
provision WO-1 line-1 00020004 --key ca --key-type rsa2048
customer_init && mkdir "$W/record2" && customer_serve --record "$W/record2" && node_init site-1 && node_serve
ca --dir "$W/factory" ship --customer plant-seven --order WO-1 --out "$W/manifest.p7"
node --dir "$W/node" import "$W/manifest.p7" && node --dir "$W/node" apply
activate 00020001
activate 00020002
activate 00020003 --key ca
# RSA keys are made ahead since one was asked for, and status tells how fast; the daemon says so every few seconds.
made_ahead() { ca --dir "$W/factory" status "$@" | tee "$W/status" | grep -E "$RATE" >"$W/rate"; }
RATE='"type":"pool","key_type":"rsa2048","ready":[0-9]+,"room":[1-9][0-9]*,"made":[1-9][0-9]*,"a_minute":(0\.0*)?[1-9]'
until_true 120 made_ahead --json || { cat "$W/status"; die "no rate of RSA keys"; }
RATE='^pool  *rsa2048 .* keys ready, [1-9][0-9]* made ahead, [0-9.]*[1-9][0-9.]* a minute$'
made_ahead || { cat "$W/status"; die "the rate is not said in words"; }
stop_all

xmllint --noout --schema "$TOP/profiles/schema/handsel-ca-1.xsd" "$W"/record*/*.xml
# What was sent, and what its base64 contents are, as hex: so that no byte of a key is a line end for grep.
messages=0
for xml in "$W"/record*/*.xml; do
	messages=$((messages + 1))
	{
		cat "$xml"
		xmllint --xpath '//text()' "$xml" | tr -d ' \t' | while read -r text || [ -n "$text" ]; do
			[ ${#text} -lt 40 ] || openssl base64 -d -A <<<"$text" 2>/dev/null || true
		done
	} | hex >>"$W/plain"
	echo >>"$W/plain"
done
# The search itself is proven: what must be in the messages, the public keys, is found by it.
keys=0
for key in "$W"/0002000?/store/*/key.pem; do
	keys=$((keys + 1))
	grep -qF "$(public_hex "$key")" "$W/plain" || { echo "the public key of $key is in no message: the search does not work"; exit 1; }
	! grep -qF "$(private_hex "$key")" "$W/plain" || { echo "the private key of $key is in a message"; exit 1; }
	! grep -qF "$(sed -n 3p "$key" | tr -d '\n' | hex)" "$W/plain" || { echo "the PEM of $key is in a message"; exit 1; }
done
[ "$keys" = 7 ] || die "$keys keys"
[ "$messages" -ge 8 ] || die "$messages messages"
# A key that the CA made is on no disk but the device's: not in ledger, signer's database, station, logs or messages.
for key in "$W"/0002000[34]/store/factory/key.pem "$W"/00020003/store/customer-a/key.pem; do
	[ ! -e "${key%/*}/transport.pem" ]
	cat "$W"/factory/*.db* "$W"/customer/*.db* "$W"/node/*.db* | hex >"$W/disk"
	grep -qF "$(public_hex "$key")" "$W/disk" || { echo "the public key of $key is in no database: the search does not work"; exit 1; }
	find "$W/factory" "$W/customer" "$W/node" "$W/station-line-1" "$W"/record* "$W"/*.log -type f | while read -r file; do
		hex "$file"
		echo
	done >>"$W/disk"
	! grep -qF "$(private_hex "$key")" "$W/disk" || { echo "the private key of $key is outside the device"; exit 1; }
	! grep -qF "$(sed -n 3p "$key" | tr -d '\n' | hex)" "$W/disk" || { echo "the PEM of $key is outside the device"; exit 1; }
done
echo "$messages messages, $keys private keys, none in them"
