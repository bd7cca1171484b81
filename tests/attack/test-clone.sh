# A device copied with its store: before onboarding, after it, and its spent factory credential.
set -u
. "$TOP/tests/attack/lib.sh"
world "00020001 00020002"

copy() { rm -rf "$W/clone" && cp -a "$W/00020001" "$W/clone"; }
clone() { "$W/clone/agent" --dir "$W/clone/store" activate --node "https://127.0.0.1:$NODE_PORT" --timeout 5s; }

copy	# both have the factory credential; the genuine one comes first
holds "the genuine device is onboarded" activate 00020001 --timeout 10s
refused E23 "a copy made before onboarding" clone

# The copy of an onboarded device falls back to nothing: without its customer credential it has only the spent one.
copy
rm -rf "$W/clone/store/customer-a" "$W/clone/store/customer-b"
mkdir "$W/clone/store/customer-a" "$W/clone/store/customer-b"
printf factory >"$W/clone/store/current"
refused E23 "a spent factory credential" clone
holds "one active certificate" [ "$(ca --dir "$W/customer" issued list --device 00020001 --state active --json | wc -l)" = 1 ]

# Two that race with the same request id and key are one device to everybody: one certificate, not two.
copy
holds "a copy of all is the same device: nothing new is issued" clone
holds "still one active certificate" [ "$(ca --dir "$W/customer" issued list --device 00020001 --state active --json | wc -l)" = 1 ]
refused E21 "a device of another shipment" activate 00020002 --timeout 5s
summary
