# Bad input at the doors of the running programs: a clear error that names place and remedy, a stable code, and nothing lost.
set -u
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel bad input XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT
FAILED=0 CHECKED=0

# expect NAME PATTERN COMMAND... : the command fails and says what the pattern says.
expect() {
	local name=$1 pattern=$2 out
	shift 2
	CHECKED=$((CHECKED + 1))
	if out=$("$@" 2>&1); then
		FAILED=$((FAILED + 1))
		echo "FAILED $name: it was accepted"
	elif grep -qE "$pattern" <<<"$out"; then
		echo "ok $name: $(grep -E "$pattern" <<<"$out" | head -1)"
	else
		FAILED=$((FAILED + 1))
		printf 'FAILED %s: no "%s" in: %s\n' "$name" "$pattern" "$out"
	fi
}

SERIAL=00020001
{
	factory_init && factory_serve && station_init line-1 && order_create WO-1 00020001 00020009 3 line-1 &&
		provision WO-1 line-1 "$SERIAL" && customer_init && customer_serve && node_init site-1 && node_serve
} >"$W/setup.log" 2>&1 || { tail -n 20 "$W/setup.log"; die "no story"; }

# ---- the XML door of the CA ------------------------------------------------------
post() {
	local out
	out=$(curl -sS --cacert "$W/factory/root.pem" -H 'Content-Type: application/xml' -w '\nstatus %{http_code}\n' "$@" \
		"https://127.0.0.1:$FACTORY_PORT/ca" 2>&1)
	printf '%s\n' "$out"
	grep -q 'status 200' <<<"$out" && ! grep -q '<refused' <<<"$out"
}
ns='xmlns="urn:handsel:ca:1"'
xml() { printf '%s' "$2" >"$W/$1.xml"; }
xml truncated "<?xml version=\"1.0\"?><request $ns><iss"
xml doctype "<!DOCTYPE request [<!ENTITY a \"b\">]><request $ns><ca-certificates/></request>"
xml laughs "<!DOCTYPE r [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;\">]><request $ns>&c;</request>"
{ printf '<request %s ' "$ns"; for i in $(seq 5000); do printf 'a%d="x" ' "$i"; done; printf '/>'; } >"$W/attributes.xml"
{ printf '<request %s><ca-certificates/>' "$ns"; head -c 1000000 /dev/zero | tr '\0' ' '; printf '</request>'; } >"$W/megabyte.xml"
xml unknown "<request $ns><explode/></request>"
for kind in truncated doctype laughs attributes unknown; do
	expect "XML $kind" 'E53|status 4' post --data-binary "@$W/$kind.xml"
done
expect "XML 1 MB frame" 'status 413|E53' post --data-binary "@$W/megabyte.xml"
expect "role: an anonymous peer asks for a work order" 'E54' post \
	--data "<request $ns><work-order order=\"WO-1\"/></request>"
expect "Content-Length with Transfer-Encoding" 'status 400|HTTP/1.1 400' bash -c "
	printf 'POST /ca HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n' |
	timeout 10 openssl s_client -quiet -connect 127.0.0.1:$FACTORY_PORT -CAfile '$W/factory/root.pem' 2>/dev/null; exit 1"
curl -sS --cacert "$W/factory/root.pem" -H 'Content-Type: application/xml' --data "<request $ns><ca-certificates/></request>" \
	"https://127.0.0.1:$FACTORY_PORT/ca" | grep -q '<certificate' || { FAILED=$((FAILED + 1)); echo "FAILED the CA no longer answers"; }

# ---- the EST door of the node ------------------------------------------------------
store=$W/$SERIAL/store/factory
est() {
	local out
	out=$(curl -sS --cacert "$W/customer/root.pem" -D - -w '\nstatus %{http_code}\n' -H 'Content-Type: application/pkcs10' "$@" \
		"https://127.0.0.1:$NODE_PORT/.well-known/est/simpleenroll" 2>&1)
	printf '%s\n' "$out"
	grep -q 'status 200' <<<"$out"
}
expect "EST: base64 rubbish" 'E53|status 400' est --cert "$store/cert.pem" --key "$store/key.pem" --data '%%%%'
openssl ecparam -name prime256v1 -genkey -noout -out "$W/x.key"
openssl req -new -key "$W/x.key" -subj /CN=x -outform DER -out "$W/x.der"
size=$(stat -c %s "$W/x.der")
{ head -c $((size - 4)) "$W/x.der"; printf 'zzzz'; } | openssl base64 >"$W/forged.b64"
expect "EST: a CSR whose signature is not its key's" 'E53|status 400' est --cert "$store/cert.pem" --key "$store/key.pem" \
	--data-binary "@$W/forged.b64"
openssl req -x509 -key "$W/x.key" -subj "/CN=gateway-b 1/serialNumber=$SERIAL" -days 2 -out "$W/self.pem"
openssl base64 -in "$W/x.der" -out "$W/x.b64"
expect "EST: a certificate of nobody's factory" 'E12|status 40[13]' est --cert "$W/self.pem" --key "$W/x.key" --data-binary "@$W/x.b64"
expect "EST: a device that is not listed" 'E21' est --cert "$store/cert.pem" --key "$store/key.pem" --data-binary "@$W/x.b64"

# ---- the admin's YAML ------------------------------------------------------
lint() {
	printf '%s\n' "$1" >"$W/list.yaml"
	node --dir "$W/node" lint "$W/list.yaml"
}
expect "YAML unquoted serial" "list.yaml:3:[0-9]+: error" lint $'version: 1\ndevices:\n  - serial: 00020001'
expect "YAML unknown key" "list.yaml:4:5: error.*note" lint $'version: 1\ndevices:\n  - serial: "00020001"\n    nota: x'
expect "YAML wrong type" "list.yaml:2:[0-9]+: error" lint $'version: 1\ndevices: yes'
expect "YAML duplicate serial" "list.yaml:4:[0-9]+: error.*00020001" lint $'version: 1\ndevices:\n  - serial: "00020001"\n  - serial: "00020001"'
expect "YAML duplicate key" "list.yaml:4:[0-9]+: error" lint $'version: 1\ndevices:\n  - serial: "00020001"\n    serial: "00020002"'
expect "YAML tabs" "list.yaml:3:[0-9]+: error" lint $'version: 1\ndevices:\n\t- serial: "1"'
expect "YAML no version" "list.yaml:1:[0-9]+: error.*version" lint $'devices: []'
printf 'version: 1\ndevices:\n  - serial: 5\n' >"$W/node/allowlist.yaml.new"
expect "a wrong list is not applied" 'error' node --dir "$W/node" apply "$W/node/allowlist.yaml.new"

# ---- documents ------------------------------------------------------
ca --dir "$W/factory" ship --customer plant-seven --device "$SERIAL" --out "$W/m1.p7" >/dev/null
size=$(stat -c %s "$W/m1.p7")
# in the tag of the content, in the content, in its signature; the chain beside it is judged by itself
for at in 60 200 1000 $((size - 20)); do
	{ head -c "$at" "$W/m1.p7"; printf 'X'; tail -c +$((at + 2)) "$W/m1.p7"; } >"$W/flipped.p7"
	expect "manifest with a changed byte at $at" 'error' node --dir "$W/node" import "$W/flipped.p7"
done
head -c $((size / 2)) "$W/m1.p7" >"$W/short.p7"
expect "manifest cut in half" 'error' node --dir "$W/node" import "$W/short.p7"
expect "handoff with another fingerprint" 'error.*fingerprint|E12' node --dir "$W/node" handoff accept "$W/handoff.p7" \
	--root-fingerprint "$(printf '0%.0s' $(seq 64))"
expect "CSR that is none" 'error' ca --dir "$W/factory" unit issue "$W/list.yaml" --role station --name x --out "$W/x.pem"
expect "unknown role" 'error.*role' ca --dir "$W/factory" unit issue "$W/station-line-1/station.csr" --role king --name x --out "$W/x.pem"

# ---- the station's job: model, labels, order, agent, station.yaml ------------------------------
MODEL_YAML=$TOP/profiles/models/$MODEL.yaml
sed 's/^model:/modell:/' "$MODEL_YAML" >"$W/key.yaml"
sed 's/pid: 0x0002/pid: banana/' "$MODEL_YAML" >"$W/value.yaml"
printf 'version: 1\n  id: [' >"$W/none.yaml"
sed 's/^model: .*/model: "toaster"/' "$MODEL_YAML" >"$W/other.yaml"
printf '00020002\n00020003 x y z\n' >"$W/words"
printf '00020002\n\xff\xfe\n' >"$W/bytes"
# job MODEL-FILE ORDER AGENT [OPTION...]
job() {
	local model=$1 order=$2 agent=$3
	shift 3
	station --dir "$W/station-line-1" run --model "$model" --order "$order" --agent "$agent" "$@"
}
AGENT=$BUILD/handsel-agent
expect "model file: unknown key" 'E71.*key.yaml:4:1: unknown key "modell"; did you mean "model"' job "$W/key.yaml" WO-1 "$AGENT"
expect "model file: no USB id" 'E71.*value.yaml:9:8: .*four hex digits' job "$W/value.yaml" WO-1 "$AGENT"
expect "model file: no YAML" 'E71.*none.yaml:2:5: ' job "$W/none.yaml" WO-1 "$AGENT"
expect "labels: words" 'E71.*words:2: a label is' job "$MODEL_YAML" WO-1 "$AGENT" --labels "$W/words"
expect "labels: bytes" 'E71.*bytes:2: a label is' job "$MODEL_YAML" WO-1 "$AGENT" --labels "$W/bytes"
expect "an order that nobody made" 'E41.*no such work order' job "$MODEL_YAML" WO-9 "$AGENT"
expect "an agent that the order does not name" 'E71.*not the file that work order WO-1 names' job "$MODEL_YAML" WO-1 "$BUILD/handsel-station"
expect "a model that the order does not name" 'E71.*describes .* toaster, but work order WO-1 is for' job "$W/other.yaml" WO-1 "$AGENT"
cp "$W/station-line-1/station.yaml" "$W/kept.yaml"
echo 'colour: red' >>"$W/station-line-1/station.yaml"
expect "station.yaml: unknown key" 'E71.*station.yaml:[0-9]+:1: unknown key "colour"' job "$MODEL_YAML" WO-1 "$AGENT"
cp "$W/kept.yaml" "$W/station-line-1/station.yaml"
printf 'slots:\n  - {name: a, port: "1-1"}\n  - {name: a, port: "1-2"}\n' >>"$W/station-line-1/station.yaml"
expect "station.yaml: a slot twice" 'E71.*station.yaml:[0-9]+:[0-9]+: slot a: name and port must differ' job "$MODEL_YAML" WO-1 "$AGENT"
cp "$W/kept.yaml" "$W/station-line-1/station.yaml"
printf 'slots:\n  - {name: a, port: "1_1"}\n' >>"$W/station-line-1/station.yaml"
expect "station.yaml: a port that is none" 'E71.*station.yaml:[0-9]+:21: "1_1" is no USB port' job "$MODEL_YAML" WO-1 "$AGENT"
cp "$W/kept.yaml" "$W/station-line-1/station.yaml"

# ---- command lines ------------------------------------------------------
expect "unknown word" 'did you mean' ca --dir "$W/factory" ordr list
expect "unknown option" 'did you mean|unknown option' ca --dir "$W/factory" order list --jso
expect "configuration: unknown key" 'ca.yaml:[0-9]+:[0-9]+' bash -c "
	cp -a '$W/factory' '$W/factory-bad'; echo 'lisen: x' >>'$W/factory-bad/ca.yaml'; '$BUILD/handsel-ca' --dir '$W/factory-bad' config check"
echo "$CHECKED bad inputs, $FAILED not refused as they should be"
[ "$FAILED" = 0 ]
