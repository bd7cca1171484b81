# What was shipped once is not shipped twice: an older manifest, one for another customer, and a changed one.
set -u
. "$TOP/tests/attack/lib.sh"
world "00020001 00020002"

import() { node --dir "$W/node" import "$1"; }
sequence() { sqlite3 -cmd ".timeout 5000" "$W/node/node.db" "SELECT sequence FROM shipped WHERE serial = '00020001'"; }

quietly ca --dir "$W/factory" ship --customer plant-seven --device 00020001 --out "$W/newer.p7"
holds "the newer manifest is taken" import "$W/newer.p7"
newest=$(sequence)
before=$(sha256sum "$W/node/allowlist.yaml")
import "$W/manifest.p7" >"$W/older.log" 2>&1	# it is no error: the devices are known already
holds "the older manifest changed no list" [ "$(sha256sum "$W/node/allowlist.yaml")" = "$before" ]
holds "nor what is known of the device" [ "$(sequence)" = "$newest" ]

quietly ca --dir "$W/factory" ship --customer somebody-else --device 00020002 --out "$W/foreign.p7"
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
