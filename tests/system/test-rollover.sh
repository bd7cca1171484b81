# New keys for root, issuing and unit CA, at the customer and in the factory: for a time both generations are good, whoever knows the
# old root learns the new one by the old one's signature alone, and then the old one is over.
set -eu
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel rollover test XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT
says() { grep -q -- "$1" "$2" || { echo "not found: $1"; cat "$2"; exit 1; }; }
fails() { ! "$@" >"$W/out" 2>&1 || { echo "not refused: $*"; exit 1; }; }
restart() { # NAME PID COMMAND...
	local name=$1
	kill -TERM "$2"
	wait "$2" || true
	shift 2
	"$@"
}
slot() { cat "$W/$1/store/current"; }
cert_of() { echo "$W/$1/store/$(slot "$1")/cert.pem"; }
issuer_of() { openssl x509 -in "$(cert_of "$1")" -noout -issuer; }
root_of() { cat "$W/$1/store/$(slot "$1")/root.pem"; }
renew() { "$W/$1/agent" --dir "$W/$1/store" renew --node "https://127.0.0.1:$NODE_PORT" --timeout 20s; }

factory_init
factory_serve
station_init line-1
order_create WO-1 00040001 00040020 12 line-1
provision WO-1 line-1 "00040001 00040002 00040003 00040004 00040005 00040006 00040015"
customer_init
customer_serve
node_init site-1
ship() { ca --dir "$W/factory" ship --customer plant-seven "$@" --out "$W/manifest.p7" && node --dir "$W/node" import "$W/manifest.p7" && node --dir "$W/node" apply; }
ship --device 00040001 --device 00040002 --device 00040003 --device 00040004 --device 00040005 --device 00040006 --device 00040015
node_serve
activate 00040001 --timeout 20s
activate 00040004 --timeout 20s		# which will sleep through the overlap
activate 00040015 --timeout 20s		# and which through two
cp "$W/customer/root.pem" "$W/root1.pem"

# ---- a cut at any step of it: what was in force is so still, and asking again brings it to its end ----
for point in signer.root-list signer.generation-made signer.generation-expected rollover.made rollover.server; do
	cp -a "$W/customer" "$W/cut"
	! HANDSEL_FAULT=$point ca --dir "$W/cut" ca rollover 2>"$W/err" || die "not cut at $point"
	ca --dir "$W/cut" config check
	ca --dir "$W/cut" ca rollover
	ca --dir "$W/cut" config check
	[ "$(ca --dir "$W/cut" ca list --json | grep -c '"generation":2,"overlap":true')" = 1 ]
	rm -rf "$W/cut"
done

# ---- at the customer ----
ca --dir "$W/customer" ca rollover --host 127.0.0.1
G=$W/customer/gen-2
fails ca --dir "$W/customer" ca rollover
says 'under way' "$W/out"
for list in issuing unit issuing-2 unit-2; do	# each CA key has its own
	ca --dir "$W/customer" crl --of $list --out "$W/$list.crl"
done
openssl crl -inform DER -in "$W/issuing.crl" -noout -verify -CAfile "$W/customer/issuing.pem" 2>&1 | grep 'verify OK'
openssl crl -inform DER -in "$W/issuing-2.crl" -noout -verify -CAfile "$G/issuing.pem" 2>&1 | grep 'verify OK'
openssl verify -CAfile "$W/root1.pem" -untrusted "$G/cross.pem" "$G/issuing.pem"	# new with old
openssl verify -CAfile "$G/root.pem" -untrusted "$G/cross.pem" "$W/customer/issuing.pem"	# old with new
fails openssl verify -CAfile "$W/root1.pem" "$G/issuing.pem"
restart customer "$CUSTOMER_PID" customer_serve
restart node "$NODE_PID" node_serve
until_true 10 grep -q 'BEGIN' "$W/node/ca-chain.pem"
until_true 10 eval '[ "$(grep -c BEGIN "$W/node/ca-chain.pem")" = 6 ]'

echo "-- the node has its old certificate: new certificates, under the root that everybody knows"
activate 00040002 --timeout 20s
issuer_of 00040002 | grep -q 'issuing CA 2'
[ "$(root_of 00040002)" = "$(cat "$W/root1.pem")" ]
renew 00040001
issuer_of 00040001 | grep -q 'issuing CA 2'
[ "$(root_of 00040001)" = "$(cat "$W/root1.pem")" ]

echo "-- the node is certified anew: devices go to the new root"
ca --dir "$W/customer" unit issue "$W/node/node.csr" --role node --name site-1 --host 127.0.0.1 --out "$W/node/node.pem"
cmp "$W/node/ca-root.pem" "$W/root1.pem"
stop_daemon "$NODE_PID"
fails env HANDSEL_FAULT=node.ca-root "$BUILD/handsel-node" --dir "$W/node" serve --listen 127.0.0.1:0
node_serve
cmp "$W/node/ca-root.pem" "$G/root.pem"		# which it has taken up by the old one's word
node --dir "$W/node" config check
renew 00040001
[ "$(root_of 00040001)" = "$(cat "$G/root.pem")" ]
activate 00040003 --timeout 20s
[ "$(root_of 00040003)" = "$(cat "$G/root.pem")" ]
renew 00040002
[ "$(root_of 00040002)" = "$(cat "$G/root.pem")" ]
renew 00040002		# under the new root alone

echo "-- the end of the overlap"
ca --dir "$W/customer" ca rollover --finish
fails ca --dir "$W/customer" ca rollover --finish
fails ca --dir "$W/customer" crl --of issuing --out "$W/issuing.crl"	# of which nothing is good any more
says E71 "$W/out"
restart customer "$CUSTOMER_PID" customer_serve
restart node "$NODE_PID" node_serve
until_true 10 eval '[ "$(grep -c BEGIN "$W/node/ca-chain.pem")" = 5 ]'
renew 00040003

echo "-- what the older CA signs now is nobody's; the very certificate that a device slept with brings it over"
openssl ecparam -name prime256v1 -genkey -noout -out "$W/forged.key"
openssl req -new -key "$W/forged.key" -subj "/O=$MANUFACTURER/OU=$MODEL/CN=$MODEL 00040004/serialNumber=00040004" -out "$W/forged.csr"
printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\ncertificatePolicies=%s\n' \
	"$(openssl x509 -in "$(cert_of 00040004)" -noout -ext certificatePolicies | sed -n 's/.*Policy: //p')" >"$W/forged.ext"
openssl x509 -req -in "$W/forged.csr" -CA "$W/customer/issuing.pem" -CAkey "$W/customer/keys/issuing.pem" -set_serial 77 -days 9 \
	-extfile "$W/forged.ext" -out "$W/forged.pem"
voucher_as() { # CERTIFICATE KEY
	curl -s -i --cacert "$G/root.pem" --cert "$1" --key "$2" "https://127.0.0.1:$NODE_PORT/.well-known/handsel/voucher" | tr -d "\0"
}
[[ "$(voucher_as "$W/forged.pem" "$W/forged.key")" == *E12* ]]
[[ "$(voucher_as "$(cert_of 00040004)" "$W/00040004/store/$(slot 00040004)/key.pem")" == "HTTP/1.1 200"* ]]
renew 00040004
[ "$(root_of 00040004)" = "$(cat "$G/root.pem")" ]

echo "-- a third generation, which the second alone has certified"
cp "$G/root.pem" "$W/root2.pem"
ca --dir "$W/customer" ca rollover --host 127.0.0.1
G=$W/customer/gen-3
restart customer "$CUSTOMER_PID" customer_serve
restart node "$NODE_PID" node_serve
until_true 10 eval '[ "$(grep -c BEGIN "$W/node/ca-chain.pem")" = 7 ]'
renew 00040003
issuer_of 00040003 | grep -q 'issuing CA 3'
[ "$(root_of 00040003)" = "$(cat "$W/root2.pem")" ]
ca --dir "$W/customer" unit issue "$W/node/node.csr" --role node --name site-1 --host 127.0.0.1 --out "$W/node/node.pem"
restart node "$NODE_PID" node_serve
cmp "$W/node/ca-root.pem" "$G/root.pem"
renew 00040003
[ "$(root_of 00040003)" = "$(cat "$G/root.pem")" ]

echo "-- and one that slept through both: link by link from the first root to the third"
ca --dir "$W/customer" ca rollover --finish
restart customer "$CUSTOMER_PID" customer_serve
restart node "$NODE_PID" node_serve
until_true 10 eval '[ "$(grep -c BEGIN "$W/node/ca-chain.pem")" = 6 ]'
[ "$(root_of 00040015)" = "$(cat "$W/root1.pem")" ]
grep -c BEGIN "$W/node/node.pem" | grep -qx 4	# node, unit CA, third root by second, second by first
cp "$W/node/node.pem" "$W/node.pem"
sed '/BEGIN/{x;s/$/x/;x};x;/^xxxx$/{x;d};x' "$W/node.pem" >"$W/node/node.pem"
grep -c BEGIN "$W/node/node.pem" | grep -qx 3	# without the link between
restart node "$NODE_PID" node_serve
fails renew 00040015
says E12 "$W/out"
cp "$W/node.pem" "$W/node/node.pem"
restart node "$NODE_PID" node_serve
renew 00040015
[ "$(root_of 00040015)" = "$(cat "$G/root.pem")" ]
issuer_of 00040015 | grep -q 'issuing CA 3'
renew 00040015		# under the third alone

# ---- in the factory, with an order that is open and a device under way ----
cp "$W/factory/root.pem" "$W/froot1.pem"
ca --dir "$W/factory" ca rollover --host 127.0.0.1
F=$W/factory/gen-2
echo "-- a running server is not told half of it"
kill -HUP "$FACTORY_PID"
until_true 10 grep -q 'taken up by a restart of' "$W/factory.log"
provision WO-1 line-1 00040009
openssl x509 -in "$W/00040009/store/factory/cert.pem" -noout -issuer | grep -q 'factory issuing CA$'
restart factory "$FACTORY_PID" factory_serve
provision WO-1 line-1 00040007
openssl x509 -in "$W/00040007/store/factory/cert.pem" -noout -issuer | grep -q 'issuing CA 2'
openssl verify -CAfile "$W/froot1.pem" -untrusted "$W/00040007/store/factory/cert.pem" "$W/00040007/store/factory/cert.pem"
# One is cut again and again before it has its certificate, and put aside.
FARM_OPTIONS=(--fault "00040008=fault-points:$(printf 'agent.verified,%.0s' {1..60})agent.verified")
for _ in 1 2 3 4 5; do
	fails provision WO-1 line-1 00040008 --timeout 3s
	[ ! -e "$W/00040008/store/factory/root.pem" ] || break
done
FARM_OPTIONS=()
[ "$(cat "$W/00040008/store/factory/root.pem")" = "$(cat "$W/froot1.pem")" ]
[ ! -e "$W/00040008/store/factory/cert.pem" ]
# And one whose CA-client is the station.
FARM_OPTIONS=(--fault "00040010=fault-points:$(printf 'link.verified,%.0s' {1..60})link.verified")
fails provision WO-1 line-1 00040010 --client station --timeout 6s
FARM_OPTIONS=()
[ "$(cat "$W/00040010/store/factory/root.pem")" = "$(cat "$W/froot1.pem")" ]
[ ! -e "$W/00040010/store/factory/cert.pem" ]
ship --device 00040007 --device 00040005 --device 00040006
kill -HUP "$NODE_PID"
fails activate 00040007 --timeout 2s		# its issuing CA is not known to the node yet
says E12 "$W/out"

echo "-- a new handoff has both generations"
handoff() { # ROOT
	ca --dir "$W/factory" handoff grant "$W/handoff.csr" --customer plant-seven --name site-1 --out "$W/handoff2.p7" &&
		node --dir "$W/node" handoff accept "$W/handoff2.p7" --root-fingerprint "$(fingerprint "$1")" &&
		ca --dir "$W/customer" handoff accept "$W/handoff2.p7" --root-fingerprint "$(fingerprint "$1")" &&
		restart node "$NODE_PID" node_serve
}
handoff "$W/froot1.pem"
activate 00040007 --timeout 20s
activate 00040005 --timeout 20s

echo "-- a station that is certified anew in the overlap stays with the root that its order is signed under"
cp -a "$W/station-line-1" "$W/station-copy"
ca --dir "$W/factory" unit issue "$W/station-copy/station.csr" --role station --name line-1 --out "$W/station-copy/station.pem"
provision WO-1 copy 00040014
cmp "$W/station-copy/root.pem" "$W/froot1.pem"
rm -r "$W/station-copy"

echo "-- the end needs that nothing is open under the old keys"
fails ca --dir "$W/factory" ca rollover --finish
says 'E41' "$W/out"
ca --dir "$W/factory" order close WO-1
ca --dir "$W/factory" ca rollover --finish
restart factory "$FACTORY_PID" factory_serve

echo "-- a station needs a new certificate, and then takes up the new root by the old one's word"
order_create WO-3 00040008 00040020 5 line-1
fails provision WO-3 line-1 00040012
says E12 "$W/out"
ca --dir "$W/factory" unit issue "$W/station-line-1/station.csr" --role station --name line-1 --out "$W/station-line-1/station.pem"
cmp "$W/station-line-1/root.pem" "$W/froot1.pem"
provision WO-3 line-1 00040012
[ "$(cat "$W/00040012/store/factory/root.pem")" = "$(cat "$F/root.pem")" ]
[ "$(cat "$W/station-line-1/root.pem")" = "$(cat "$F/root.pem" "$W/froot1.pem")" ]
station --dir "$W/station-line-1" record verify	# also those of the old generation
echo "-- the one that was put aside is finished under the root that it began with"
provision WO-3 line-1 00040008
[ "$(cat "$W/00040008/store/factory/root.pem")" = "$(cat "$W/froot1.pem")" ]
provision WO-3 line-1 00040010 --client station
[ "$(cat "$W/00040010/store/factory/root.pem")" = "$(cat "$W/froot1.pem")" ]
order_create WO-2 00040011 00040020 5 line-1
provision WO-2 line-1 00040011
ship --device 00040011
handoff "$F/root.pem"
activate 00040011 --timeout 20s		# a device of the new root
activate 00040006 --timeout 20s		# and one of the old, whose factory place is written once
[ "$(ls "$W/node" | grep -c '^factory.*pem$')" = 1 ]
echo "a rollover at the customer and one in the factory, each begun, gone through and ended"
