# A factory that calls itself by the same name, and makes the same device with the same serial, is another factory.
set -u
. "$TOP/tests/attack/lib.sh"
world "00020001 00020002"

here=$W
W=$here/forger
mkdir "$W"
{
	FACTORY_PORT=0 && factory_init && factory_serve && station_init line-1 && order_create WO-1 00020001 00020009 9 line-1 &&
		provision WO-1 line-1 00020001
} >"$W.log" 2>&1 || {
	tail -n 20 "$W.log"
	die "no forger"
}
W=$here
forged=$W/forger/00020001

refused 'E12\|E26' "its agent at the node" "$forged/agent" --dir "$forged/store" activate --node "https://127.0.0.1:$NODE_PORT" \
	--timeout 3s
openssl ecparam -name prime256v1 -genkey -noout -out "$W/new.key"
openssl req -new -key "$W/new.key" -subj /CN=x -outform DER | openssl base64 >"$W/new.b64"
enrol() {
	local out
	out=$(curl -sS -i --cacert "$W/customer/root.pem" --cert "$1/store/factory/cert.pem" --key "$1/store/factory/key.pem" \
		-H 'Content-Type: application/pkcs10' --data-binary "@$W/new.b64" \
		"https://127.0.0.1:$NODE_PORT/.well-known/est/simpleenroll" 2>&1)
	printf '%s\n' "$out"
	grep -q '^HTTP/1.1 200' <<<"$out"
}
refused 'E12' "its certificate at the EST door" enrol "$forged"

# Its documents: a manifest and a handoff signed by the forger's operator.
ca --dir "$W/forger/factory" ship --customer plant-seven --device 00020001 --out "$W/forged.p7" >"$W/ship.log" 2>&1
refused 'E12' "its manifest" node --dir "$W/node" import "$W/forged.p7"
root=$(fingerprint "$W/factory/root.pem")
ca --dir "$W/forger/factory" handoff grant "$W/handoff.csr" --customer plant-seven --name site-1 --out "$W/forged-handoff.p7" \
	>"$W/grant.log" 2>&1
refused 'E12' "its handoff under the true fingerprint" node --dir "$W/node" handoff accept "$W/forged-handoff.p7" \
	--root-fingerprint "$root"
holds "the true device is onboarded all the same" activate 00020001 --timeout 10s
summary
