# What was signed once is not good twice: manifests, tickets, requests.
set -u
. "$TOP/tests/attack/lib.sh"
world "00020001 00020002"

post() {
	local out
	out=$(curl -sS --cacert "$W/factory/root.pem" -H 'Content-Type: application/xml' --data-binary "@$1" \
		"https://127.0.0.1:$FACTORY_PORT/ca" 2>&1)
	printf '%s\n' "$out"
	! grep -q '<refused\|<dead' <<<"$out"
}
issue=$(grep -l '<issue' "$W"/record/*-request.xml | head -n 1)
before=$(ca --dir "$W/factory" issued list --json | wc -l)

# The very request again, by somebody else: the same certificate, which is public and useless without the key.
holds "a replayed request gets the same answer" post "$issue"
# The ticket with another key.
openssl ecparam -name prime256v1 -genkey -noout -out "$W/thief.key"
csr=$(openssl req -new -key "$W/thief.key" -subj /CN=thief -outform DER | openssl base64 -A)
sed "s#<csr>[^<]*</csr>#<csr>$csr</csr>#" "$issue" >"$W/stolen.xml"
holds "the request was changed" grep -q "${csr:0:60}" "$W/stolen.xml"
refused 'E44\|E73\|E53' "a stolen ticket with another key" post "$W/stolen.xml"
# The ticket of one device for the serial of another.
sed 's/serial="0002000[12]"/serial="00020009"/' "$issue" >"$W/other.xml"
refused 'E44\|E53\|E73' "a ticket for another serial" post "$W/other.xml"
holds "nothing was issued" [ "$(ca --dir "$W/factory" issued list --json | wc -l)" = "$before" ]

# A manifest that is older than the one in force may not bring a device back.
ca --dir "$W/factory" ship --customer plant-seven --device 00020001 --out "$W/newer.p7" >/dev/null
holds "the newer manifest is taken" node --dir "$W/node" import "$W/newer.p7"
before=$(sha256sum "$W/node/allowlist.yaml")
node --dir "$W/node" import "$W/manifest.p7" >"$W/older.log" 2>&1
cat "$W/older.log"
holds "the older manifest changed nothing" [ "$(sha256sum "$W/node/allowlist.yaml")" = "$before" ]
ca --dir "$W/factory" ship --customer somebody-else --device 00020002 --out "$W/foreign.p7" >/dev/null
refused 'E[0-9][0-9]' "a manifest for another customer" node --dir "$W/node" import "$W/foreign.p7"
summary
