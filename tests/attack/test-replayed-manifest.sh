# What was shipped once is not shipped twice: an older manifest, one for another customer, and a changed one.
set -u
. "$TOP/tests/attack/lib.sh"
world "00020001 00020002"

import() { node --dir "$W/node" import "$1"; }
sequence() { sqlite3 -cmd ".timeout 5000" "$W/node/node.db" "SELECT sequence FROM shipped WHERE serial = '00020001'"; }

# Shipped three times: the first is imported by the world, the second never, the third now.
ship() { quietly ca --dir "$W/factory" ship --customer plant-seven "${@:2}" --out "$W/$1.p7"; }
ship second --device 00020001 --device 00020002
ship newer --device 00020001
holds "the newer manifest is taken" import "$W/newer.p7"
newest=$(sequence)
unchanged() {	# AS: the list is that file, and what is known of the device is the newest
	cmp "$W/node/allowlist.yaml" "$1" && [ "$(sequence)" = "$newest" ]
}
listed() { grep -c '00020001' "$W/node/allowlist.yaml"; }
cp "$W/node/allowlist.yaml" "$W/listed.yaml"
refused E22 "the older one, imported before" import "$W/manifest.p7"
refused E22 "an older one, never imported" import "$W/second.p7"
holds "neither changed anything" unchanged "$W/listed.yaml"
holds "the newest again is free" import "$W/newer.p7"
holds "and changes nothing" unchanged "$W/listed.yaml"

# The admin takes the device off the list: an older manifest does not bring it back. The newest one does, which mends a cut.
printf 'version: 1\ndevices: []\n' >"$W/node/allowlist.yaml"
quietly node --dir "$W/node" apply
cp "$W/node/allowlist.yaml" "$W/without.yaml"
refused E22 "the older one, with its device off the list" import "$W/manifest.p7"
refused E22 "the one that was never imported likewise" import "$W/second.p7"
holds "neither put it back" unchanged "$W/without.yaml"
holds "the newest is imported again" import "$W/newer.p7"
holds "and puts it back" [ "$(listed)" = 1 ]

quietly ca --dir "$W/factory" ship --customer somebody-else --device 00020002 --resale --out "$W/foreign.p7"
refused 'E24\|E52\|E53' "a manifest for another customer" import "$W/foreign.p7"
sed 's/plant-seven/plant-eight/g' "$W/newer.p7" >"$W/changed.p7"
refused 'E12\|E53' "a manifest with other bytes" import "$W/changed.p7"

# Its XML signed by whom the factory certified for something else.
openssl cms -verify -inform DER -purpose any -CAfile "$W/factory/root.pem" -in "$W/newer.p7" -out "$W/manifest.xml" 2>/dev/null
sed 's/sequence="[0-9]*"/sequence="99"/' "$W/manifest.xml" >"$W/forged.xml"
forge() {
	openssl cms -sign -binary -nodetach -outform DER -in "$W/forged.xml" -signer "$1" -inkey "$2" \
		-certfile "$W/factory/unit.pem" -out "$W/forged.p7"
}
forge "$W/station-line-1/station.pem" "$W/station-line-1/station.key"
refused 'E54' "a manifest signed by a station" import "$W/forged.p7"
forge "$W/node/onboard.pem" "$W/node/onboard.key"
refused 'E54' "a manifest signed by the node itself" import "$W/forged.p7"
holds "the newest is still in force" [ "$(sequence)" = "$newest" ]
summary
