# A device copied with its store, before onboarding and after it: one of the two is onboarded, and nobody has two credentials.
set -u
. "$TOP/tests/attack/lib.sh"
world "00020001 00020002"

copy() { rm -rf "$W/clone" && cp -a "$W/00020001" "$W/clone"; }
clone() { "$W/clone/agent" --dir "$W/clone/store" activate --node "https://127.0.0.1:$NODE_PORT" --timeout 5s; }
one_active() { [ "$(issued_count customer --device 00020001 --state active)" = 1 ]; }

copy	# both have the factory credential; the genuine one comes first
holds "the genuine device is onboarded" activate 00020001 --timeout 10s
refused E23 "a copy made before onboarding" clone
holds "one active certificate" until_true 10 one_active

# Two with the same request id and key are one device to everybody: one certificate, not two.
copy
holds "a copy of all is the same device: nothing new is issued" clone
holds "still one active certificate" until_true 10 one_active

# The copy comes first: the genuine device is refused, so it comes out, instead of both working.
rm -rf "$W/clone" && cp -a "$W/00020002" "$W/clone"
refused E21 "a device that was not shipped" activate 00020002 --timeout 5s
quietly ca --dir "$W/factory" ship --customer plant-seven --device 00020002 --out "$W/second.p7"
quietly node --dir "$W/node" import "$W/second.p7"
quietly node --dir "$W/node" apply
holds "a copy comes before the genuine device" clone
refused E23 "the genuine device after its copy" activate 00020002 --timeout 5s
summary
