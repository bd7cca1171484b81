# Every kind of certificate at every door. The table below is the whole of it: a row a certificate, a column a door, and what
# happens there: "in", or the code of the refusal. Each role opens its own doors and no other; what is right but for one thing
# opens none.
set -u
. "$TOP/tests/attack/lib.sh"
[ -z "${UNDER_UPPER:-}" ] || . "$TOP/tests/attack/upper.sh"
world "00020001 00020002"
SERIAL=00020001
quietly activate "$SERIAL" --timeout 20s
F=$W/factory C=$W/customer

# ---- the certificates: $W/c/NAME.pem and .key ----
mkdir "$W/c"
keep() { cp "$2" "$W/c/$1.pem" && cp "$3" "$W/c/$1.key" && chmod 600 "$W/c/$1.key"; }
issue_unit() {	# NAME SIDE ROLE : by the program
	new_key "$W/c/$1.key" && chmod 600 "$W/c/$1.key" && openssl req -new -key "$W/c/$1.key" -subj /CN=x -out "$W/unit.csr" &&
		ca --dir "$W/$2" unit issue "$W/unit.csr" --role "$3" --name "$1" --host 127.0.0.1 --out "$W/c/$1.pem"
}
# A person comes by a code, from a machine of his own.
as_person() {	# SIDE COMMAND...
	local port=$FACTORY_PORT
	[ "$1" = factory ] || port=$CUSTOMER_PORT
	ca --server "https://127.0.0.1:$port" --as "$W/person-$1" "${@:2}"
}
invite_person() {	# SIDE
	local code
	code=$(ca --dir "$W/$1" operator invite ada --function administrator 2>>"$W/world.log") && as_person "$1" operator enrol --code "$code" &&
		keep "$1-person" "$W/person-$1/person.pem" "$W/person-$1/person.key"
}
for side in factory customer; do
	for role in station node ca operator ra kmc; do quietly issue_unit "$side-$role" "$side" "$role"; done
	quietly invite_person "$side"
	holds "a person of the $side comes in with what is his" as_person "$side" operator list
	quietly keep "$side-issuing" "$W/$side/issuing.pem" "$W/$side/keys/issuing.pem"
	quietly keep "$side-unit-ca" "$W/$side/unit.pem" "$W/$side/keys/unit.pem"
done
quietly keep factory-handoff "$W/node/onboard.pem" "$W/node/onboard.key"	# a node's, and it names the customer
quietly keep factory-device "$W/$SERIAL/store/factory/cert.pem" "$W/$SERIAL/store/factory/key.pem"
quietly keep customer-device "$W/$SERIAL/store/customer-a/cert.pem" "$W/$SERIAL/store/customer-a/key.pem"

# mint NAME SIDE CA ROLE DEFECT : a unit's certificate by the true key, right but for one thing
POLICIES=2.25.3394918324114836231.1
mint() {
	local eku=serverAuth,clientAuth policy=$POLICIES.3 uri="URI:handsel:$4:x,URI:handsel:customer:plant-seven" days=9
	case $5 in
	eku) eku=codeSigning ;;
	policy) policy=1.2.3.4 ;;
	device-policy) policy=$POLICIES.1 ;;
	role) uri=URI:urn:x ;;
	other-role) uri=URI:handsel:Node:x ;;
	expired) days=-1 ;;
	esac
	[ "$eku" = codeSigning ] || [ "$4" = node ] || [ "$4" = ca ] || eku=clientAuth
	printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=%s\ncertificatePolicies=%s\nsubjectAltName=%s\n' \
		"$eku" "$policy" "$uri" >"$W/extensions"
	by_true_key "$1" "$2" "$3" "$4 x" $days
}
by_true_key() {	# NAME SIDE CA COMMON-NAME DAYS : with what is in $W/extensions
	new_key "$W/c/$1.key" && chmod 600 "$W/c/$1.key" && openssl req -new -key "$W/c/$1.key" -subj "/CN=$4" -out "$W/unit.csr" &&
		openssl x509 -req -in "$W/unit.csr" -CA "$W/$2/$3.pem" -CAkey "$W/$2/keys/$3.pem" -set_serial "0x$(openssl rand -hex 8)" \
			-days "$5" -extfile "$W/extensions" -out "$W/leaf.pem" &&
		cat "$W/leaf.pem" "$W/$2/$3.pem" ${UNDER_UPPER:+"$W/$2/upper.pem"} >"$W/c/$1.pem"
}
# As the signer makes the OCSP responders of its CA keys: their own private keys are in its memory alone, nobody has them.
responder() {	# NAME SIDE CA
	printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=OCSPSigning\nnoCheck=ignored\n' >"$W/extensions"
	by_true_key "$1" "$2" "$3" "OCSP responder" 9
}
self_signed() {	# NAME ROLE
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$W/c/$1.key" -out "$W/c/$1.pem" -days 9 \
		-subj "/CN=$2 x" -addext "subjectAltName=URI:handsel:$2:x" -addext "certificatePolicies=$POLICIES.3" \
		-addext extendedKeyUsage=serverAuth,clientAuth && chmod 600 "$W/c/$1.key"
}
quietly self_signed self-node node
quietly self_signed self-ca ca
for side in factory customer; do
	quietly responder "$side-responder" "$side" issuing
	quietly responder "$side-unit-responder" "$side" unit
done
# Under an upper CA each shows its whole way up to that root.
if [ -n "${UNDER_UPPER:-}" ]; then
	for side in factory customer; do
		for name in "$W/c/$side"-*.pem; do
			[[ $name = *responder.pem ]] || cat "$W/$side/upper.pem" >>"$name"	# these have it
		done
	done
fi

# ---- the doors: DOOR NAME prints "in", "shut" (there is no session at all), or the code ----
# verdict WHAT-IN-MEANS : of what comes in
verdict() {
	local text
	text=$(tr -d '\0')
	grep -q "$1" <<<"$text" && echo in && return
	grep -q 'curl: (' <<<"$text" && echo shut && return
	grep -o 'E[0-9][0-9]' <<<"$text" | head -n 1
}
as_client() { [ "$1" = nobody ] || printf '%s\n' --cert "$W/c/$1.pem" --key "$W/c/$1.key"; }
at_ca() {
	local options
	mapfile -t options < <(as_client "$2")
	post "$1" "$W/status.xml" "${options[@]}" | verdict '<status'
}
printf '<request xmlns="urn:handsel:ca:1"><status id="%032d" generation="1"/></request>' 7 >"$W/status.xml"
factory_ca() { at_ca factory "$1"; }
customer_ca() { at_ca customer "$1"; }
node_door() {
	local options
	mapfile -t options < <(as_client "$1")
	curl -sS -i -m 20 --cacert "$C/root.pem" "${options[@]}" "https://127.0.0.1:$NODE_PORT/.well-known/handsel/voucher" 2>&1 |
		verdict '^HTTP/1.1 200'
}

# serve NAME : a server with that certificate, on $PORT. It cannot answer, so it ends when a client has come in: when that one's
# Finished was read.
serve() {
	: >"$W/server.log"
	openssl s_server -accept 127.0.0.1:0 -cert "$W/c/$1.pem" -key "$W/c/$1.key" -cert_chain "$W/c/$1.pem" -www -state \
		>"$W/server.log" 2>&1 &
	PID=$!
	until_true 10 grep -q '^ACCEPT' "$W/server.log" && PORT=$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' "$W/server.log")
}
end_when_in() {
	until grep -q 'TLS read finished' "$W/server.log"; do sleep 0.1; done
	kill "$1"
}
tls_of() { "$W/$SERIAL/agent" --dir "$1" check --node "https://127.0.0.1:$PORT" --json 2>&1 | grep '"tls"' | verdict '"good"'; }
new_device() { tls_of "$W/new/store"; }
own_device() { tls_of "$W/$SERIAL/store"; }
empty_device() {
	rm -rf "$W/empty" && mkdir "$W/empty" && cp "$W/$SERIAL/store/identity.yaml" "$W/empty" && printf x >"$W/ticket.p7"
	"$BUILD/tests/attack/loader" "$W/$SERIAL/agent" "$W/empty" go "$F/root.pem" 127.0.0.1 "$PORT" "$W/ticket.p7" 2>>"$W/agent.log" |
		verdict 'E51\|E03'
}
station_run() {
	sed -i "s#https://127.0.0.1:[0-9]*#https://127.0.0.1:$PORT#" "$W/station/station.yaml"
	station --dir "$W/station" run --order WO-1 --agent "$BUILD/handsel-agent" --model "$TOP/profiles/models/$MODEL.yaml" --count 1 \
		--timeout 3s 2>&1 | verdict 'E51\|E03'
}
# A node that asks its CA what it has of it.
node_ca() {
	sed -i "s#https://127.0.0.1:[0-9]*#https://127.0.0.1:$PORT#" "$W/asking/node.yaml"
	node --dir "$W/asking" reconcile 2>&1 | verdict 'E51\|E03'
}
cp -a "$W/node" "$W/asking"
cp -a "$W/$SERIAL" "$W/new" && printf 'factory\n' >"$W/new/store/current" && rm -rf "$W"/new/store/customer-?/*
cp -a "$W/station-line-1" "$W/station"

# ---- the table ----
# "-": is not asked. Columns: the factory's CA, the customer's CA, the node, as clients; then as servers before a device in the
# factory (that expects a CA), a station (a CA), a new device (a node of a customer), an onboarded device (a node of its own), a node (a CA).
DOORS=(factory_ca customer_ca node_door empty_device station_run new_device own_device node_ca)
TABLE='
nobody                   E54   E54   E54   -     -     -     -     -
factory-station          in    E12   E12   E12   E12   E12   E12   E12
factory-node             E54   E12   E12   E54   E54   E54   E12   E12
factory-handoff          E54   E12   E12   E54   E54   in    E12   E12
factory-ca               E54   E12   E12   in    in    E54   E12   E12
factory-operator         E54   E12   E12   E12   E12   E12   E12   E12
factory-person           E54   E12   E12   E12   E12   E12   E12   E12
factory-ra               E54   E12   E12   E12   E12   E12   E12   E12
factory-kmc              E54   E12   E12   E12   E12   E12   E12   E12
factory-device           E12   E12   in    E54   E54   E54   E12   E12
factory-issuing          shut  shut  shut  E12   E12   E12   E12   E12
factory-unit-ca          shut  shut  shut  E12   E12   E12   E12   E12
factory-responder        E12   E12   E12   E54   E54   E54   E12   E12
factory-unit-responder   E12   E12   E12   E12   E12   E12   E12   E12
customer-station         E12   E54   E12   E12   E12   E12   E12   E12
customer-node            E12   in    E12   E12   E12   E12   in    E54
customer-ca              E12   E54   E12   E12   E12   E12   E54   in
customer-operator        E12   E54   E12   E12   E12   E12   E12   E12
customer-person          E12   E54   E12   E12   E12   E12   E12   E12
customer-ra              E12   E54   E12   E12   E12   E12   E12   E12
customer-kmc             E12   E54   E12   E12   E12   E12   E12   E12
customer-device          E12   E12   in    E12   E12   E12   E54   E54
customer-issuing         shut  shut  shut  E12   E12   E12   E12   E12
customer-unit-ca         shut  shut  shut  E12   E12   E12   E12   E12
customer-responder       E12   E12   E12   E12   E12   E12   E54   E54
customer-unit-responder  E12   E12   E12   E12   E12   E12   E12   E12
self-node                E12   E12   E12   E12   E12   E12   E12   E12
self-ca                  E12   E12   E12   E12   E12   E12   E12   E12
'
# What is right but for one thing, at the door that it would open: side, CA that issued it, role, defect, door, code.
DEFECTS='
factory   unit     station  none           factory_ca    in
factory   unit     station  eku            factory_ca    E12
factory   unit     station  policy         factory_ca    E54
factory   unit     station  device-policy  factory_ca    E54
factory   unit     station  role           factory_ca    E54
factory   unit     station  other-role     factory_ca    E54
factory   unit     station  expired        factory_ca    E11
factory   issuing  station  none           factory_ca    E12
customer  unit     node     none           customer_ca   in
customer  unit     node     eku            customer_ca   E12
customer  unit     node     policy         customer_ca   E54
customer  unit     node     role           customer_ca   E54
customer  unit     node     other-role     customer_ca   E54
customer  unit     node     expired        customer_ca   E11
customer  issuing  node     none           customer_ca   E12
factory   unit     ca       none           empty_device  in
factory   unit     ca       eku            empty_device  E12
factory   unit     ca       policy         empty_device  E54
factory   unit     ca       role           empty_device  E54
factory   unit     ca       expired        empty_device  E11
factory   issuing  ca       none           empty_device  E54
factory   unit     node     none           new_device    in
factory   unit     node     eku            new_device    E12
factory   unit     node     policy         new_device    E54
factory   unit     node     role           new_device    E54
factory   unit     node     expired        new_device    E11
factory   issuing  node     none           new_device    E54
customer  unit     node     none           own_device    in
customer  unit     node     eku            own_device    E12
customer  unit     node     policy         own_device    E54
customer  unit     node     other-role     own_device    E54
customer  unit     node     expired        own_device    E11
customer  issuing  node     none           own_device    E54
customer  unit     ca       none           node_ca       in
customer  unit     ca       eku            node_ca       E12
customer  unit     ca       policy         node_ca       E54
customer  unit     ca       role           node_ca       E54
customer  unit     ca       expired        node_ca       E11
customer  issuing  ca       none           node_ca       E54
factory   unit     x        device-policy  node_door     E12
'
is_server() { [ "$1" != factory_ca ] && [ "$1" != customer_ca ] && [ "$1" != node_door ] && [ "$1" != shown ]; }
# The station's door for devices.
SHOWN='
true                in
factory-device      E63
factory-station     E54
factory-issuing     E12
customer-device     E12
customer-station    E12
self-node           E12
'
# cell NAME DOOR EXPECTED
cell() {
	local got watcher
	if is_server "$2"; then
		quietly serve "$1"
		end_when_in "$PID" &
		watcher=$!
	fi
	got=$("$2" "$1")
	is_server "$2" && kill "$watcher" "$PID" 2>/dev/null
	holds "$1 at $2: ${got:-nothing}" [ "$got" = "$3" ]
}

rows=0
while read -r name expected; do
	[ -n "$name" ] || continue
	rows=$((rows + 1))
	i=0
	for code in $expected; do
		[ "$code" = - ] || cell "$name" "${DOORS[i]}" "$code"
		i=$((i + 1))
	done
done <<<"$TABLE"
# nobody, the handoff, two that are self-signed; and of each side: seven roles, a device, the two CAs below the root, their responders.
holds "every kind of certificate has its row" [ "$rows" = $((4 + 2 * 12)) ]
for role in $(sed -n 's/^\t\[ROLE_\([A-Z]*\)\] = { [^,]*, true, .*/\1/p' "$TOP/factory-ca/policy.c" | tr A-Z a-z); do
	roles=$((${roles:-0} + 1))
	for side in factory customer; do holds "role $role of the $side has one" grep -q "^$side-$role " <<<"$TABLE"; done
done
holds "seven roles of units are known" [ "$roles" = 7 ]

# A device that shows a station another certificate than its own, with the key that belongs to it. Its agent wants two in a chain,
# so one that stands alone comes twice.
cp -a "$W/00020002/store" "$W/true"
shown() {
	rm -rf "$W/00020002/store" && cp -a "$W/true" "$W/00020002/store" && rm -f "$W/00020002/store/factory/passed"
	[ "$1" = true ] || cat "$W/c/$1.pem" "$W/c/$1.pem" >"$W/00020002/store/factory/cert.pem"
	[ "$1" = true ] || cp "$W/c/$1.key" "$W/00020002/store/factory/key.pem"
	FARM_OPTIONS=(--fault 00020002=as-agent)
	provision WO-1 line-1 00020002 --timeout 8s 2>&1 | tee "$W/shown.log" | verdict '=  PASS'
}
while read -r name code; do
	[ -z "$name" ] || cell "$name" shown "$code"
done <<<"$SHOWN"

while read -r side issuer role defect door code; do
	[ -n "$side" ] || continue
	name=$side-$issuer-$role-$defect
	quietly mint "$name" "$side" "$issuer" "$role" "$defect"
	cell "$name" "$door" "$code"
done <<<"$DEFECTS"
summary
