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

# What the copy would have to hear, the genuine device hears: a release of its credential, and of no other.
holds "the device is released" node --dir "$W/node" devices release 00020001 --force
refused E73 "the copy, after the release" agent clone renew
holds "the copy has its old credential still" [ "$(current clone)" = customer-a ]
holds "the genuine device goes back and is onboarded anew" agent 00020001 activate
holds "one active certificate" until_true 10 one_active

# A status alone is no release: blocked, it stays what it is.
holds "the device is blocked" node --dir "$W/node" devices block 00020001
refused E22 "a blocked device renews" agent 00020001 renew
holds "it did not fall back" [ "$(current 00020001)" != factory ]
summary
