# Two manufacturers' factory CAs and a customer's in one system, at one address, with one signer: devices of both are onboarded,
# nothing of one CA is good for another, and each parameter of a request is taken, defaulted or refused by its name.
set -eu
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel cas test XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT
S=$W/system
sys() { ca --dir "$S" "$@"; }
says() { grep -q -- "$1" "$2" || { echo "not found: $1"; cat "$2"; exit 1; }; }

# Globex has a model of its own, which the customer's CA knows, too.
mkdir "$W/data"
cp -r "$TOP/profiles" "$W/data"
sed 's/Acme Devices/Globex/; s/gateway-b/meter-g/; s/\.3\.1$/.3.2/' "$TOP/profiles/models/gateway-b.yaml" >"$W/data/profiles/models/meter-g.yaml"
export HANDSEL_DATADIR="$W/data"

# ---- the system ----
sys init --kind factory --id acme --name "Acme Devices" --host 127.0.0.1 --key-passphrase none
sys ca add --id globex --kind factory --name Globex --host 127.0.0.1 --key-passphrase none
mkdir -p "$S/cas/plant/profiles"
cat >"$S/cas/plant/profiles/short.yaml" <<-END
	version: 1
	id: short
	kind: device-customer
	key-types: [p256]
	validity: 30d
	allow: []
	locality: "Hall 9"
	include-ca: false
	usage: [client-auth]
END
sys ca add --id plant --kind customer --name "Plant Seven" --host 127.0.0.1 --profile device-customer --profile short --key-passphrase none
for bad in "--id acme" "--id globex" "--id Upper" "--id a/b" "--id -x"; do
	! sys ca add $bad --kind factory --name X 2>/dev/null || die "a CA was added with $bad"
done
! sys ca add --id other --kind customer --name X --profile device-factory 2>"$W/err" || die "a customer's CA has a factory's profile"
says 'not of the kind device-customer' "$W/err"
sys --json ca list | tee "$W/list"
[ "$(wc -l <"$W/list")" = 3 ]
says '"id":"acme","kind":"factory","name":"Acme Devices","profiles":"device-factory"' "$W/list"
says '"id":"plant","kind":"customer","name":"Plant Seven","profiles":"device-customer short"' "$W/list"
sys config check
[ "$(sort -u <(for r in "$S" "$S/cas/globex" "$S/cas/plant"; do fingerprint "$r/root.pem"; done) | wc -l)" = 3 ]

start_daemon system "$BUILD/handsel-ca" --dir "$S" serve --listen 127.0.0.1:0
URL=https://127.0.0.1:$PORT SYSTEM_PID=$PID
[ "$(pgrep -c -P "$PID" -f handsel-signer)" = 1 ]

# One port, three identities; whoever names none gets the first.
shows() { openssl s_client -connect "127.0.0.1:$PORT" -CAfile "$2" -verify_return_error ${1:+-servername "$1"} </dev/null >/dev/null 2>&1; }
shows "" "$S/root.pem"
shows any.example "$S/root.pem"
shows globex.ca.handsel.internal "$S/cas/globex/root.pem"
shows PLANT.ca.handsel.internal "$S/cas/plant/root.pem"
! shows globex.ca.handsel.internal "$S/root.pem" || die "globex shows a certificate under acme's root"

# ---- two factories: the same order id, station name and serials ----
# factory CA NAME ROOT MODEL OPTION-OF-STATION... : $W/CA/station, order WO-1, devices 00030001 and 00030002 provisioned
factory() {
	local id=$1 name=$2 root=$3 model=$4 d=$W/$1
	shift 4
	mkdir "$d"
	station --dir "$d/station" init --name line-1 --ca "$URL" --root "$root" "$@"
	sys --ca "$id" unit issue "$d/station/station.csr" --role station --name line-1 --out "$d/station/station.pem"
	sys --ca "$id" order create --id WO-1 --model "$model" --serials 00030001-00030009 --quota 2 --station line-1 \
		--agent "$BUILD/handsel-agent"
	printf '00030001\n00030002\n' >"$d/labels"
	umockdev-wrapper "$BUILD/tests/usb/farm" --dir "$d" --model "$model" --manufacturer "$name" --revision C \
		--serial 00030001 --serial 00030002 -- "$BUILD/handsel-station" --dir "$d/station" run --order WO-1 \
		--agent "$BUILD/handsel-agent" --model "$HANDSEL_DATADIR/profiles/models/$model.yaml" --labels "$d/labels" --count 2
	[ "$(sys --ca "$id" --json issued list --state active | grep -c "\"manufacturer\":\"$name\"")" = 2 ]
	sys --ca "$id" --json order list | grep -q '"quota":2,"used":2'
	for s in 00030001 00030002; do
		openssl verify -CAfile "$root" -untrusted "$d/$s/store/factory/cert.pem" "$d/$s/store/factory/cert.pem"
	done
}
factory acme "Acme Devices" "$S/root.pem" gateway-b
factory globex Globex "$S/cas/globex/root.pem" meter-g --ca-id globex
! openssl verify -CAfile "$S/root.pem" -untrusted "$W/globex/00030001/store/factory/cert.pem" \
	"$W/globex/00030001/store/factory/cert.pem" 2>/dev/null || die "globex's device has a certificate under acme's root"

# ---- one customer with a node for each manufacturer's devices ----
# site FACTORY-CA FACTORY-ROOT : $W/node-CA serves; device 00030001 of that factory is onboarded there, 00030002 is not listed
site() {
	local id=$1 root n=$W/node-$1
	root=$(fingerprint "$2")
	node --dir "$n" init --name "site-$id" --ca "$URL" --ca-id plant --ca-root "$S/cas/plant/root.pem" --listen 127.0.0.1:0
	sys --ca plant unit issue "$n/node.csr" --role node --name "site-$id" --host 127.0.0.1 --out "$n/node.pem"
	node --dir "$n" handoff request --out "$W/$id.csr"
	sys --ca "$id" handoff grant "$W/$id.csr" --customer plant-seven --name "site-$id" --out "$W/$id.p7"
	node --dir "$n" handoff accept "$W/$id.p7" --root-fingerprint "$root"
	sys --ca plant handoff accept "$W/$id.p7" --root-fingerprint "$root"
	sys --ca "$id" ship --customer plant-seven --device 00030001 --out "$W/$id.manifest"
	node --dir "$n" import "$W/$id.manifest"
	node --dir "$n" apply
	SYSTEM_PORT=$PORT
	start_daemon "node-$id" "$BUILD/handsel-node" --dir "$n" serve
	"$W/$id/00030001/agent" --dir "$W/$id/00030001/store" activate --node "https://127.0.0.1:$PORT" --timeout 20s
	! "$W/$id/00030002/agent" --dir "$W/$id/00030002/store" activate --node "https://127.0.0.1:$PORT" --timeout 2s 2>"$W/err" ||
		die "a device that is not listed was onboarded"
	says E21 "$W/err"
	PORT=$SYSTEM_PORT
}
site acme "$S/root.pem"
site globex "$S/cas/globex/root.pem"
until_true 10 eval '[ "$(sys --ca plant --json issued list --state active | wc -l)" = 2 ]'
sys --ca plant --json issued list --state active | tee "$W/active"
says '"manufacturer":"Acme Devices","model":"gateway-b","serial":"00030001"' "$W/active"
says '"manufacturer":"Globex","model":"meter-g","serial":"00030001"' "$W/active"

# ---- a unit asks its own CA and no other ----
# post FOLDER/NAME-OF-UNIT NAME-OF-CA ROOT < message
post() {
	curl -sS -D "$W/head" -o "$W/body" --cacert "$3" --cert "$1.pem" --key "$1.key" --data-binary @- \
		-H 'Content-Type: application/xml' --connect-to "::127.0.0.1:$PORT" "https://$2.ca.handsel.internal:$PORT/ca" --insecure
}
asks() { printf '<request xmlns="urn:handsel:ca:1"%s><ca-certificates/></request>' "${4:+ ca=\"$4\"}" | post "$1" "$2" "$3"; }
asks "$W/node-acme/node" plant "$S/cas/plant/root.pem"
says '<ca-certificates>' "$W/body"
asks "$W/node-acme/node" acme "$S/root.pem"		# whatever name the handshake has: the certificate decides
says '<ca-certificates>' "$W/body"
for other in acme globex; do
	asks "$W/node-acme/node" plant "$S/cas/plant/root.pem" $other
	says '403' "$W/head"
	says 'Handsel-Reason: E54' "$W/head"
done
asks "$W/acme/station/station" globex "$S/cas/globex/root.pem" globex
says 'Handsel-Reason: E54' "$W/head"
asks "$W/acme/station/station" acme "$S/root.pem" nobody
says 'Handsel-Reason: E53' "$W/head"

# ---- the parameters of a request (protocol-ca 4.2) at the customer's CA, as a node sends them for a plain EST client ----
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$W/p256.key" -subj /CN=x -out "$W/p256.csr" 2>/dev/null
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout "$W/p384.key" -subj /CN=x -out "$W/p384.csr" 2>/dev/null
openssl req -new -newkey rsa:2048 -nodes -keyout "$W/rsa.key" -subj /CN=x -out "$W/rsa.csr" 2>/dev/null
N=0
# issue CSR PARAMETERS : $W/body is the answer, $W/cert.pem the certificate if there is one
issue() {
	N=$((N + 1))
	{
		printf '<request xmlns="urn:handsel:ca:1" ca="plant"><issue id="%032x" generation="0">' $N
		printf '<device manufacturer="Plain" model="m" serial="%08d"/><csr>' $N
		grep -v -- - "$W/$1.csr"
		printf '</csr>%s</issue></request>' "${2:+<parameters>$2</parameters>}"
	} | post "$W/node-acme/node" plant "$S/cas/plant/root.pem"
	{ echo -----BEGIN CERTIFICATE-----; tr -d '\n' <"$W/body" | sed 's/<\/certificate>.*//; s/.*<certificate>//' | tr -d ' ' | fold -w 64
		echo; echo -----END CERTIFICATE-----; } >"$W/cert.pem"
}
# taken CSR PARAMETERS WHAT : the certificate's text has WHAT (an extended regular expression)
taken() {
	issue "$1" "$2"
	says '<issued' "$W/body"
	openssl x509 -in "$W/cert.pem" -noout -text >"$W/text"
	grep -Eq "$3" "$W/text" || { echo "$2: no $3"; cat "$W/text"; exit 1; }
	echo "taken   ${2:-nothing}: $3"
}
# refused CSR PARAMETERS WORD : E52, whose sentence has WORD
refused() {
	issue "$1" "$2"
	says 'refused .*code="E52" name="profile"' "$W/body"
	says "$3" "$W/body"
	echo "refused $2: $(sed -n 's/.*<text>\(.*\)<\/text>.*/\1/p' "$W/body")"
}
days() { echo $((($(date -d "$(openssl x509 -in "$W/cert.pem" -noout -enddate | sed 's/.*=//')" +%s) - $(date +%s) + 3600) / 86400)); }
certificates() { grep -o '<certificate>' "$W/body" | wc -l; }
SHORT="<profile>short</profile>"

taken p256 "" 'Subject: O = Plain, OU = m, CN = m 00000001, serialNumber = 00000001'
[ "$(days)" = 730 ]
[ "$(certificates)" = 2 ]
taken p256 "<profile>device-customer</profile>" 'O = Plain'
taken p256 "$SHORT" 'L = Hall 9'
[ "$(days)" = 30 ]
[ "$(certificates)" = 1 ]
refused p256 "<profile>device-factory</profile>" "'profile'"
refused p256 "<profile>nothing</profile>" "'profile'"
taken p256 "<key-type>p256</key-type>" 'ASN1 OID: prime256v1'
taken p384 "<key-type>ec</key-type>" 'ASN1 OID: secp384r1'
taken rsa "<key-type>rsa</key-type><key-bits>2048</key-bits>" 'Public-Key: \(2048 bit\)'
refused p256 "<key-type>rsa2048</key-type>" "'key-type'"
refused p256 "<key-bits>384</key-bits>" "'key-bits'"
refused p384 "$SHORT" 'keys of type p384'
refused rsa "$SHORT" 'keys of type rsa2048'
taken p256 "<validity-days>100</validity-days>" .
[ "$(days)" = 100 ]
refused p256 "<validity-days>1827</validity-days>" "'validity-days'"
refused p256 "$SHORT<validity-days>31</validity-days>" "'validity-days'"
taken p256 "$SHORT<validity-days>30</validity-days>" 'Hall 9'
refused p256 "<organization>Other</organization>" "'organization'"
refused p256 "<unit>other</unit>" "'unit'"
taken p256 "<locality>Hall 3</locality>" 'L = Hall 3'
refused p256 "$SHORT<locality>Hall 3</locality>" "'locality'"
taken p256 "$SHORT<locality>Hall 9</locality>" 'L = Hall 9'
taken p256 "<email>ops@plant.example</email>" 'email:ops@plant.example'
refused p256 "$SHORT<email>ops@plant.example</email>" "'email'"
taken p256 "<encrypt-key>no</encrypt-key>" 'O = Plain'
refused p256 "<encrypt-key>yes</encrypt-key>" "'encrypt-key'"
taken p256 "<include-ca>no</include-ca>" 'O = Plain'
[ "$(certificates)" = 1 ]
taken p256 "$SHORT<include-ca>yes</include-ca>" 'O = Plain'
[ "$(certificates)" = 2 ]

# ---- the list of profiles is read anew ----
sed -i 's/, "short"//' "$S/cas/plant/ca.yaml"
kill -HUP "$SYSTEM_PID"
until_true 10 eval 'issue p256 "$SHORT"; grep -q "E52" "$W/body"'
refused p256 "$SHORT" "'profile'"
echo "one system of 3 CAs, 2 devices of each of 2 factories, 1 of each onboarded, $N requests with parameters"
