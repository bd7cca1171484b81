# Two factories and two customers whose roots one upper CA has certified (H14): anyone who holds the upper root alone can verify a
# device of each; and that is a cross-check, by which none of them is taken for another.
set -u
. "$TOP/tests/attack/lib.sh"
. "$TOP/tests/attack/upper.sh"

# The second pair first: the same names, the same serial, the same order.
here=$W
W=$here/second
mkdir "$W"
world "00020001 00020002"
quietly activate 00020001 --timeout 20s
SECOND=$W SECOND_NODE=$NODE_PORT
FACTORY_PORT=0 CUSTOMER_PORT=0 NODE_PORT=0
W=$here
world "00020001 00020002"

# ---- the cross-check ----
# certificate of the device, the CAs below the root, the upper CA's word for that root
verify() { openssl verify -CAfile "$UPPER/root.pem" -untrusted <(cat "$1" "$2/upper.pem") "$1"; }
for side in "$W" "$SECOND"; do
	holds "a factory credential verifies under the upper root alone" verify "$side/00020001/store/factory/cert.pem" "$side/factory"
done
holds "a customer credential does" verify "$SECOND/00020001/store/customer-a/cert.pem" "$SECOND/customer"
holds "with nothing but what the device sends along" openssl verify -CAfile "$UPPER/root.pem" \
	-untrusted "$SECOND/00020001/store/customer-a/cert.pem" "$SECOND/00020001/store/customer-a/cert.pem"
holds "as the node has it from its CA" grep -q "$(sed -n 2p "$SECOND/customer/upper.pem")" "$SECOND/node/ca-chain.pem"
holds "the factory's root stays what the device knows" cmp "$SECOND/factory/root.pem" "$SECOND/00020001/store/factory/root.pem"

# ---- an upper CA signs for those alone who ask it, and only an upper CA does ----
refused E71 "a factory that certifies another's root" ca --dir "$W/factory" root sign "$SECOND/factory/root.pem" --out "$W/x.pem"
refused E12 "another's certificate installed" ca --dir "$W/factory" root install "$SECOND/factory.cross.pem" --root-fingerprint "$GROUP"
quietly ca --dir "$W/upper2" init --kind upper --name "Group" --key-passphrase none
quietly ca --dir "$W/upper2" root sign "$W/factory/root.pem" --out "$W/false.pem"
refused E12 "that of a false upper CA" ca --dir "$W/factory" root install "$W/false.pem" --root-fingerprint "$GROUP"
refused E71 "an upper CA that issues" ca --dir "$UPPER" unit issue "$W/node/node.csr" --role node --name x --out "$W/x.pem"
refused E71 "an upper CA that serves" ca --dir "$UPPER" serve --listen 127.0.0.1:0

# ---- at the node: whoever comes with the whole chain up to the upper root ----
new_key "$W/new.key"
csr_of "$W/new.key" >"$W/new.b64"
# enrol CREDENTIAL-FOLDER UPPER-PEM [PATH]
enrol() {
	cat "$1/cert.pem" "$2" >"$W/long.pem"
	curl -sS -i -m 20 --cacert "$W/customer/root.pem" --cert "$W/long.pem" --key "$1/key.pem" -H 'Content-Type: application/pkcs10' \
		--data-binary "@$W/new.b64" "https://127.0.0.1:$NODE_PORT/.well-known/est/${3:-simpleenroll}" 2>&1 | tee "$W/enrol.log"
	grep -q '^HTTP/1.1 200' "$W/enrol.log"
}
refused E12 "the other factory's device" enrol "$SECOND/00020001/store/factory" "$SECOND/factory/upper.pem"
refused E12 "the other customer's credential as a factory's" enrol "$SECOND/00020001/store/customer-a" "$SECOND/customer/upper.pem"
refused E12 "and as ours" enrol "$SECOND/00020001/store/customer-a" "$SECOND/customer/upper.pem" simplereenroll
refused 'E2[0-9]' "a factory credential as a customer's" enrol "$W/00020002/store/factory" "$W/factory/upper.pem" simplereenroll

# ---- at the device: the other customer's node, with the whole chain ----
cat "$SECOND/factory/upper.pem" >>"$SECOND/node/onboard.pem"
quietly kill -TERM "$NODE_PID"	# ours; the other one takes its place
W=$SECOND NODE_PORT=0
quietly node_serve
W=$here
refused 'FAIL E12\|FAIL E26' "our device at the other factory's customer" activate 00020001 --timeout 3s

# ---- at the CA: units of the others ----
printf '<request xmlns="urn:handsel:ca:1"><ca-certificates/></request>' >"$W/ask.xml"
as() { post "$1" "$W/ask.xml" --cert <(cat "$2.pem" "$3") --key "$2.key"; }
refused E12 "the other factory's station at ours" as factory "$SECOND/station-line-1/station" "$SECOND/factory/upper.pem"
refused E12 "the other customer's node at ours" as customer "$SECOND/node/node" "$SECOND/customer/upper.pem"
refused E12 "our node at our factory" as factory "$W/node/node" "$W/customer/upper.pem"
holds "our station at our factory" as factory "$W/station-line-1/station" "$W/factory/upper.pem"

# ---- at the signer: an order that the other's operator has signed ----
cp -a "$W/factory" "$W/copy"
cat "$SECOND/factory/operator.pem" "$SECOND/factory/upper.pem" >"$W/copy/operator.pem"
cp "$SECOND/factory/operator.key" "$W/copy/operator.key"
refused E12 "an order of the other factory" ca --dir "$W/copy" order create --id WO-9 --model "$MODEL" --serials 1-9 --quota 1 \
	--station line-1 --agent "$BUILD/handsel-agent"

NODE_PORT=0
quietly node_serve
holds "our device at our customer's node" activate 00020001 --timeout 20s
summary
