# The factory credential is spent by the onboarding: who has a copy of it, by whatever program, gets nothing with it any more.
set -u
. "$TOP/tests/attack/lib.sh"
world "00020001 00020002"

holds "the genuine device is onboarded" activate 00020001 --timeout 10s
active() {
	ca --dir "$W/customer" issued list --device 00020001 --state active --json | sed -n 's/.*"id":"\([0-9a-f]*\)".*/\1/p'
}
told() { [ -n "$(active)" ]; }
holds "and its CA is told" until_true 20 told
genuine=$(active)

# The copy of the onboarded device falls back to nothing: without its customer credential it has only the spent one.
cp -a "$W/00020001" "$W/clone"
rm -rf "$W/clone/store/customer-a" "$W/clone/store/customer-b"
mkdir "$W/clone/store/customer-a" "$W/clone/store/customer-b"
printf factory >"$W/clone/store/current"
clone() { "$W/clone/agent" --dir "$W/clone/store" activate --node "https://127.0.0.1:$NODE_PORT" --timeout 5s; }
refused E23 "by the device's own program" clone

# By hand: a plain EST request, and a confirm of the device's own request.
factory=$W/00020001/store/factory
by_hand() {
	local out
	out=$(curl -sS -i -m 20 --cacert "$W/customer/root.pem" --cert "$factory/cert.pem" --key "$factory/key.pem" \
		-H "Content-Type: $2" --data-binary "@$3" "https://127.0.0.1:$NODE_PORT/.well-known/$1" 2>&1)
	printf '%s\n' "$out"
	grep -q '^HTTP/1.1 200' <<<"$out" && ! grep -q '<refused' <<<"$out"
}
new_key "$W/new.key"
csr_of "$W/new.key" >"$W/new.b64"
refused 'E23\|E55\|E52' "a plain EST request" by_hand est/simpleenroll application/pkcs10 "$W/new.b64"
refused 'E23\|E55\|E52' "a plain EST renewal" by_hand est/simplereenroll application/pkcs10 "$W/new.b64"
id=$(new_id)
printf '<request xmlns="urn:handsel:ca:1"><confirm id="%s" generation="3"><certificate>%064d</certificate></confirm></request>' \
	"$id" 0 >"$W/confirm.xml"
refused 'E53\|E54' "a confirm without the new key" by_hand handsel/confirm application/xml "$W/confirm.xml"
holds "the genuine credential is the active one" [ "$(active)" = "$genuine" ]

# The factory credential enrols, and makes nothing active: that does the new key alone, for this session, id and certificate.
quietly ca --dir "$W/factory" ship --customer plant-seven --device 00020002 --out "$W/second.p7"
quietly node --dir "$W/node" import "$W/second.p7"
quietly node --dir "$W/node" apply
second=$W/00020002/store/factory
mkdir "$W/wrong"
wrong_id=$(new_id)
confirmer() {
	"$BUILD/tests/attack/confirmer" "$NODE_PORT" "$W/factory/root.pem" "$second/cert.pem" "$second/key.pem" "$W/node/onboard.pem" \
		"$W/wrong" "$wrong_id" "$1"
}
state() { node --dir "$W/node" devices list --json | grep '"serial":"00020002"' | sed 's/.*"state":"\([a-z]*\)".*/\1/'; }
holds "the second device enrols" confirmer enrol
holds "and is not onboarded by that" [ "$(state)" = pending ]
NOT_SIGNED='E53: protocol-est 5.2: the signature is not by the new key'
for deed in factory-key other-session other-id other-generation other-certificate; do
	refused "$NOT_SIGNED" "a confirm with $deed" confirmer "$deed"
	holds "$deed made nothing active" [ "$(state)" = pending ]
done
refused 'E53: the confirm names another certificate' "a confirm of another certificate" confirmer named-certificate
holds "nor did that one" [ "$(state)" = pending ]
holds "the right confirm is taken" confirmer true
holds "and onboards the device" [ "$(state)" = onboarded ]
summary
