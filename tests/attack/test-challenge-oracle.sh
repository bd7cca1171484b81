# Who has the device's cable chooses what a challenge says: the factory key signs nothing but the challenge's own text, until
# the device has passed, and what it signed is of no other use.
set -u
. "$TOP/tests/attack/lib.sh"
world "00020001 00020002"
SERIAL=00020001

loader() { "$BUILD/tests/attack/loader" "$W/$SERIAL/agent" "$W/$SERIAL/store" "$@" 2>>"$W/agent.log"; }
challenged() { printf 'the answer: '; loader challenge; return 1; }
store() {
	rm -rf "${W:?}/$SERIAL/store"
	cp -a "$W/kept" "$W/$SERIAL/store"
}
cp -a "$W/$SERIAL/store" "$W/kept"

# Before it has passed, and after that until it is switched off: an interrupted station may prove the unit again.
rm -f "$W/kept/factory/passed"
store
loader oracle "$W/signature"
[ $? = 0 ] || THROUGH=$((THROUGH + 1))
holds "a signature was had" [ -s "$W/signature" ]

# As an endorsement: the CA of the customer asks what the device has signed.
new_key "$W/new.key"
signature=$(openssl base64 -A -in "$W/signature")
cat >"$W/made.xml" <<EOF
<request xmlns="urn:handsel:ca:1"><issue id="$(new_id)" generation="1">
  <device manufacturer="$MANUFACTURER" model="$MODEL" serial="$SERIAL"/><csr>$(csr_of "$W/new.key")</csr>
  <endorsement>$signature</endorsement><endorsed-node>$(fingerprint "$W/node/onboard.pem")</endorsed-node>
  <factory-certificate>$(openssl x509 -in "$W/$SERIAL/store/factory/cert.pem" -outform DER | openssl base64 -A)</factory-certificate>
</issue></request>
EOF
at_customer() { post customer "$W/made.xml" --cert "$W/node/node.pem" --key "$W/node/node.key"; }
refused E55 "the signature as an endorsement" at_customer
# As a confirm of the factory's request.
id=$(sed 's/[ :].*//' "$W/$SERIAL/store/factory/request")
cat >"$W/made.xml" <<EOF
<request xmlns="urn:handsel:ca:1"><confirm id="$id" generation="1">
  <certificate>$(fingerprint "$W/$SERIAL/store/factory/cert.pem")</certificate><signature>$signature</signature>
</confirm></request>
EOF
refused E53 "the signature as a confirm" post factory "$W/made.xml"

# No longer when it has passed and been switched off since, nor when it has left, nor before it has anything to prove.
printf 'another-start\n' >"$W/kept/factory/passed"
store
refused E43 "a device that has passed" challenged
quietly activate "$SERIAL" --timeout 10s
refused E43 "a device that is onboarded" challenged
rm -rf "$W/$SERIAL/store/factory" "$W/$SERIAL/store/customer-a" "$W/$SERIAL/store/current"
refused E43 "a device that has nothing yet" challenged
summary
