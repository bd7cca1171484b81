# A device copied with its customer credential, when that is renewed and when it is released.
set -u
. "$TOP/tests/attack/lib.sh"
world "00020001 00020002"

copy() { rm -rf "$W/clone" && cp -a "$W/00020001" "$W/clone"; }
agent() {
	local dir=$1 verb=$2
	"$W/$dir/agent" --dir "$W/$dir/store" "$verb" --node "https://127.0.0.1:$NODE_PORT" --timeout 10s
}
current() { cat "$W/$1/store/current"; }
shows() { node --dir "$W/node" devices --json | grep '"serial":"00020001"' | grep -q "$1"; }
one_active() { [ "$(ca --dir "$W/customer" issued list --device 00020001 --state active --json | grep -c '"type":"issued"')" = 1 ]; }

holds "the genuine device is onboarded" activate 00020001 --timeout 10s
copy
holds "the genuine device renews" agent 00020001 renew
refused E73 "a copy renews with the old credential" agent clone renew
holds "the admin sees the notice" shows '"reason":"E73"'
holds "the copy did not fall back to the factory credential" [ "$(current clone)" = customer-a ]
holds "one active certificate" until_true 10 one_active
holds "the genuine device renews again" agent 00020001 renew

# A copy uses the very credential that is released: not before the genuine device has gone on is it known for one.
enrol_with() {	# KEY-AND-CERTIFICATE FOLDER
	local out
	out=$(curl -sS -i --cacert "$W/customer/root.pem" --cert "$1/cert.pem" --key "$1/key.pem" -H 'Content-Type: application/pkcs10' \
		--data-binary "@$W/new.b64" "https://127.0.0.1:$NODE_PORT/.well-known/est/simplereenroll" 2>&1)
	printf '%s\n' "$out"
	grep -q '^HTTP/1.1 200' <<<"$out"
}
openssl ecparam -name prime256v1 -genkey -noout -out "$W/new.key"
openssl req -new -key "$W/new.key" -subj /CN=x -outform DER | openssl base64 >"$W/new.b64"
cp -a "$W/00020001/store/$(current 00020001)" "$W/released"

# What the copy would have to hear, the genuine device hears: a release of its credential, and of no other.
holds "the device is released" node --dir "$W/node" devices release 00020001 --force
refused E73 "the copy, after the release" agent clone renew
refused E22 "what was released, before the device goes back" enrol_with "$W/released"
holds "the copy has its old credential still" [ "$(current clone)" = customer-a ]
holds "the genuine device goes back and is onboarded anew" agent 00020001 activate
refused E73 "what was released, after it" enrol_with "$W/released"
holds "the admin sees the notice" shows '"reason_text":"[^"]*that was released is in use'
holds "one active certificate" until_true 10 one_active

# A status alone is no release: blocked, it stays what it is.
holds "the device is blocked" node --dir "$W/node" devices block 00020001
refused E22 "a blocked device renews" agent 00020001 renew
holds "it did not fall back" [ "$(current 00020001)" != factory ]

# Unblocked, its credential stays dead: a release names it, and the device comes back. No other certificate is let back in.
cp -a "$W/00020001/store/$(current 00020001)" "$W/blocked"
told() { node --dir "$W/node" devices unblock 00020001 | grep -q 'devices release 00020001'; }
holds "the unblocking tells what is missing" told
refused E22 "the dead credential after the unblocking" agent 00020001 renew
holds "it did not fall back" [ "$(current 00020001)" != factory ]
holds "the dead certificate is released" node --dir "$W/node" devices release 00020001
holds "the device goes back and is onboarded anew" agent 00020001 activate
holds "one active certificate" until_true 10 one_active
refused E73 "what was blocked, after it" enrol_with "$W/blocked"

# A release after a use that came after the refusal: the admin is shown both, and must insist.
factory_again() {
	rm -rf "$W/clone" && cp -a "$W/00020001" "$W/clone" && rm -rf "$W/clone/store/customer-"? &&
		mkdir "$W/clone/store/customer-a" "$W/clone/store/customer-b" && printf factory >"$W/clone/store/current"
}
factory_again
refused E23 "a wiped one asks as a new device" agent clone activate
refused E53 "the credential is used after it" enrol_with "$W/00020001/store/$(current 00020001)"
refused 'E73.*was used last at 20.*asked as a new one last at 20.*--force' "a release" node --dir "$W/node" devices release 00020001
holds "the device keeps what it has" one_active
summary
