# Who took a node over, or stole its keys, can let devices in as he likes: no device of another customer comes, since he has no
# voucher for it; and with the key he opens no other door.
set -u
. "$TOP/tests/attack/lib.sh"
. "$TOP/tests/attack/sites.sh"
sites
thief=$W/node-eight

# Its database says whatever the thief wants the node to show: no voucher, the true customer's, one of another device.
certificate=$(sql seven "SELECT hex(certificate) FROM shipped WHERE serial = '$SERIAL'")
voucher=$(sql seven "SELECT hex(voucher) FROM shipped WHERE serial = '$SERIAL'")
printf 'version: 1\ndevices:\n  - serial: "%s"\n' "$SERIAL" >"$thief/allowlist.yaml"
quietly node --dir "$thief" apply
show_voucher() {
	sql eight "INSERT OR REPLACE INTO shipped VALUES('$SERIAL', '$MANUFACTURER', '$MODEL', 1, x'$certificate', $1)"
}
show_voucher NULL
turned_away E26 "no voucher" eight
show_voucher "x'$voucher'"
turned_away E24 "the true customer's voucher" eight
quietly ship eight "$OTHER"
quietly take eight
show_voucher "(SELECT voucher FROM shipped WHERE serial = '$OTHER')"
turned_away E26 "the voucher of another device" eight

# With the key toward new devices (certified by the factory) and the one toward its own (certified by the customer).
at_factory() { post factory "$W/made.xml" --cert "$thief/$1.pem" --key "$thief/$1.key"; }
at_customer() { use "$2" && post customer "$W/made.xml" --cert "$thief/$1.pem" --key "$thief/$1.key"; }
printf '<request xmlns="urn:handsel:ca:1"><ca-certificates/></request>' >"$W/made.xml"
refused E54 "its onboarding key at the factory's CA" at_factory onboard
refused E12 "its own key at the factory's CA" at_factory node
refused E12 "its own key at another customer's CA" at_customer node seven
refused E12 "its onboarding key at another customer's CA" at_customer onboard seven
refused E12 "its onboarding key at its own customer's CA" at_customer onboard eight
holds "its own key at its own customer's CA" at_customer node eight

# At the node of another customer, as if it were a device.
enrol() {
	local out
	out=$(curl -sS -i -m 20 --cacert "$W/customer-seven/root.pem" --cert "$thief/$1.pem" --key "$thief/$1.key" \
		-H 'Content-Type: application/pkcs10' --data-binary "@$W/new.b64" \
		"https://127.0.0.1:${NODE_PORTS[seven]}/.well-known/est/simpleenroll" 2>&1)
	printf '%s\n' "$out"
	grep -q '^HTTP/1.1 200' <<<"$out"
}
new_key "$W/new.key"
csr_of "$W/new.key" >"$W/new.b64"
refused 'E12\|E54' "its onboarding key at the door for devices" enrol onboard
refused 'E12' "its own key at the door for devices" enrol node

holds "the true owner takes the device in" onboard seven
summary
