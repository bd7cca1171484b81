# A voucher is the manufacturer's word alone: forged by the node's key, cut, nonsense; and an older one after a resale.
set -u
. "$TOP/tests/attack/lib.sh"
. "$TOP/tests/attack/sites.sh"
sites

certificate=$(sql seven "SELECT hex(certificate) FROM shipped WHERE serial = '$SERIAL'")
voucher=$(sql seven "SELECT hex(voucher) FROM shipped WHERE serial = '$SERIAL'")
printf 'version: 1\ndevices:\n  - serial: "%s"\n' "$SERIAL" >"$W/node-eight/allowlist.yaml"
quietly node --dir "$W/node-eight" apply
show_voucher() {
	sql eight "INSERT OR REPLACE INTO shipped VALUES('$SERIAL', '$MANUFACTURER', '$MODEL', 1, x'$certificate', $1)"
}

# The node's key toward new devices is certified by the same factory as the operator's, for another role.
sql seven "SELECT writefile('$W/true.p7', voucher) FROM shipped WHERE serial = '$SERIAL'" >"$W/writefile.log"
quietly openssl cms -verify -inform DER -purpose any -CAfile "$W/factory/root.pem" -in "$W/true.p7" -out "$W/voucher.xml"
holds "the true voucher names its customer" grep -q 'customer="seven"' "$W/voucher.xml"
sed 's/customer="seven"/customer="eight"/' "$W/voucher.xml" >"$W/forged.xml"
quietly openssl cms -sign -binary -nodetach -outform DER -in "$W/forged.xml" -signer "$W/node-eight/onboard.pem" \
	-inkey "$W/node-eight/onboard.key" -certfile "$W/factory/unit.pem" -out "$W/forged.p7"
show_voucher "x'$(hex "$W/forged.p7")'"
turned_away E26 "a voucher that the node signed" eight
show_voucher "x'${voucher:0:400}'"
turned_away E26 "a voucher that was cut" eight
show_voucher "x'00'"
turned_away E26 "nonsense" eight

cp -a "$W/$SERIAL/store" "$W/new"
holds "the true customer" onboard seven
voucher_is() { [ "$(cat "$W/$SERIAL/store/voucher")" = "$1" ]; }
holds "the device keeps the sequence" voucher_is "1 seven"

# Resale: the new owner's node, then the old one's again.
active_at_seven() { ca --dir "$W/customer-seven" issued list --device "$SERIAL" --state active --json | grep -q issued; }
quietly until_true 10 active_at_seven
rm -rf "$W/$SERIAL/store" && cp -a "$W/new" "$W/$SERIAL/store"	# reset by the seller
quietly node --dir "$W/node-seven" devices release "$SERIAL" --force
quietly ship eight "$SERIAL" --resale
sql eight "DELETE FROM shipped WHERE serial = '$SERIAL'"
quietly take eight
holds "the new owner" onboard eight
holds "the higher sequence is kept" voucher_is "2 eight"
cp "$W/$SERIAL/store/voucher" "$W/floor"
rm -rf "$W/$SERIAL/store" && cp -a "$W/new" "$W/$SERIAL/store"	# as after a return to the factory credential
cp "$W/floor" "$W/$SERIAL/store/voucher"
turned_away E26 "the old owner, after the sale" seven 1

# The device's maker may do without.
printf 'version: 1\nvoucher: off\n' >"$W/$SERIAL/store/agent.yaml"
rm "$W/$SERIAL/store/generation"
holds "with voucher off it is not asked for" onboard seven
summary
