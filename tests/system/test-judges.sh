# openssl and GnuTLS judge every kind of certificate, revocation list and OCSP answer that the system makes: roots, CAs, cross certificates
# of a rollover and of an upper CA, units of each role, devices by IEEE 802.1AR through the whole story, what the golden certificates have
# of profiles and types of key; and a CA with name constraints. A profile is looked at before it is used.
set -u
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel judges XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT
. "$TOP/tests/system/checks.sh"

F=$W/factory U=$W/upper HTTP=$(free_port) A=00020001 B=00020002
FACTORY=2.25.3394918324114836231.1.1 CUSTOMER=2.25.3394918324114836231.1.2 UNIT=2.25.3394918324114836231.1.3

# ---- the judges ----
field() { openssl x509 -in "$1" -noout "${@:2}"; }
key_id() { sed -n "/X509v3 $2 Key Identifier:/,+1s/^ *\(keyid:\)\{0,1\}\(..\(:..\)\{19\}\)\$/\2/p" "$1"; }
extensions() { sed -n 's/^            \(X509v3 [A-Za-z ]*\|Authority Information Access\|OCSP No Check\):.*/\1/p' "$1"; }
# RFC 5280 4.1.2.2, 4.2: number, criticality, key identifiers, no extension twice. test_golden has what X.690 wants.
form() {
	local crt=$1 text=$W/form.txt number
	field "$crt" -text -serial >"$text" && field "$2" -text >"$W/above.txt" || return 1
	number=$(sed -n 's/^serial=//p' "$text")
	[ ${#number} -ge 16 ] && [ ${#number} -le 40 ] && [[ ${number:0:1} =~ [0-7] ]] || { echo "number $number"; return 1; }
	[ "$(extensions "$text" | grep -c .)" -ge 3 ] && [ -z "$(extensions "$text" | sort | uniq -d)" ] || { echo "extensions missing or twice"; return 1; }
	[ "$(grep 'X509v3 .*: critical$' "$text" | sed 's/^ *//; s/:.*//' | sort | paste -sd,)" = "X509v3 Basic Constraints,X509v3 Key Usage${LIMITED:+,X509v3 Name Constraints}" ] ||
		{ echo "criticality: $(grep critical "$text")"; return 1; }
	[ "$crt" = "$2" ] || [ "$(key_id "$text" Authority)" = "$(key_id "$W/above.txt" Subject)" ] || { echo "key identifiers"; return 1; }
	if grep -q CA:TRUE "$text"; then
		[ -n "$(key_id "$text" Subject)" ] && grep -q "^ *Certificate Sign, CRL Sign\$" "$text"
	else
		grep -qE "^ *Digital Signature(, Key (Encipherment|Agreement))?\$" "$text"
	fi || { echo "keyUsage, or a CA without key identifier"; return 1; }
}
LIMITED=
# good NAME CERT ISSUER ROOT POLICY [OPTION...] : the form, openssl with lists and policies, certtool.
good() {
	local name=$1 crt=$2 issuer=$3 root=$4 policy=$5 chain=() pems=("$2")
	shift 5
	[ "$issuer" = "$root" ] || { chain=(-untrusted "$issuer"); pems+=("$issuer"); }
	cat "${pems[@]}" >"$W/chain.pem"
	holds "$name: form" form "$crt" "$issuer"
	holds "$name: openssl" openssl verify -x509_strict -check_ss_sig -policy_check ${policy:+-policy "$policy" -explicit_policy} -CAfile "$root" "${chain[@]}" "$@" "$crt"
	holds "$name: certtool" eval 'certtool --verify --load-ca-certificate "$root" --infile "$W/chain.pem" | grep -E "Chain verification output: $VERDICT *\$"'
}
# list CA FILE : as openssl and certtool read it.
list() {
	local file=$W/$2.crl.pem ca=$1
	curl -s "http://127.0.0.1:$HTTP/crl/$2.crl" | openssl crl -inform DER >"$file"
	holds "list $2: openssl" openssl crl -in "$file" -CAfile "$ca" -noout -verify
	holds "list $2: certtool" eval 'certtool --verify-crl --infile "$file" --load-ca-certificate "$ca" 2>&1 | grep -q "Verified"'
	holds "list $2: a number and the CA's key identifier" eval 'openssl crl -in "$file" -noout -text | grep -c -e "X509v3 CRL Number: *$" -e "X509v3 Authority Key Identifier: *$" | grep -qx 2'
}
# answer NAME ISSUER ROOT CERT-OR-NUMBER WHAT : openssl and ocsptool, and the responder's certificate.
answer() {
	local what=-cert issuer=$2 root=$3 state=$5
	[ -e "$4" ] || what=-serial
	openssl ocsp -issuer "$issuer" "$what" "$4" -CAfile "$root" -no_nonce -url "http://127.0.0.1:$HTTP/ocsp" -respout "$W/answer" >"$W/answer.txt" 2>&1
	holds "OCSP $1: openssl" eval 'grep -q "verify OK" "$W/answer.txt" && grep -q ": $state" "$W/answer.txt"'
	holds "OCSP $1: ocsptool" eval 'ocsptool --verify-response --infile "$W/answer" --load-trust "$root" --load-issuer "$issuer" 2>&1 | grep -q Success'
	openssl ocsp -respin "$W/answer" -noverify -resp_text 2>/dev/null | sed -n '/-----BEGIN/,/-----END/p' >"$W/responder.pem"
	holds "OCSP $1: the responder" eval 'form "$W/responder.pem" "$issuer" && openssl verify -x509_strict -purpose ocsphelper -CAfile "$root" -untrusted "$issuer" "$W/responder.pem" && grep -q "OCSP No Check" "$W/form.txt"'
}

# ---- golden certificates: each profile, role and type of key, at the time that they are of ----
V=$TOP/tests/vectors/profiles
# certtool knows no time but now
VERDICT='(Verified\..*|Not verified\. (The certificate is NOT trusted\. )?The certificate chain uses (expired|not yet valid) certificate\.)'
at() { good "golden $1" "$V/$1.pem" "$V/$2.pem" "$V/root.pem" "$3" -attime 1800000000; }
good "golden root" "$V/root.pem" "$V/root.pem" "$V/root.pem" "" -attime 1800000000
for p in issuing-factory issuing-customer unit-ca; do at $p root ""; done
LIMITED=yes
at limited root ""
LIMITED=
for p in device-factory device-factory-p384 device-factory-rsa2048 ieee-idevid; do at $p issuing-factory $FACTORY; done
for p in device-customer device-customer-long ieee-ldevid full full-rsa2048 short; do at $p issuing-customer $CUSTOMER; done
for p in "$V"/role-*.pem; do at "$(basename "$p" .pem)" unit-ca $UNIT; done
holds "every golden certificate was judged" [ "$(grep -c . <<<"$(ls "$V"/*.pem)")" = $((CHECKED / 3)) ]
says "a policy of another kind is not there" 'explicit policy' openssl verify -attime 1800000000 -policy_check -policy $CUSTOMER -explicit_policy \
	-CAfile "$V/root.pem" -untrusted "$V/issuing-factory.pem" "$V/device-factory.pem"
holds "99991231235959Z is a GeneralizedTime, other dates UTCTime" eval 'openssl x509 -in "$V/ieee-idevid.pem" -outform DER | openssl asn1parse -inform DER | grep -c -e "UTCTIME *:270115075500Z" -e "GENERALIZEDTIME *:99991231235959Z" | grep -qx 2'
VERDICT='Verified\..*'

# ---- a real system: IDevIDs and LDevIDs, a rollover, an upper CA ----
{
	factory_init && customer_init
	printf 'profiles: ["ieee-idevid"]\nlisten-http: "127.0.0.1:%s"\n' "$HTTP" >>"$F/ca.yaml"
	printf 'profiles: ["ieee-ldevid"]\n' >>"$W/customer/ca.yaml"
	factory_serve && station_init line-1 && order_create WO-1 $A 00020009 9 line-1 && provision WO-1 line-1 "$A $B" && customer_serve && node_init site-1 &&
		ca --dir "$F" ship --customer plant-seven --device $A --out "$W/manifest.p7" && node --dir "$W/node" import "$W/manifest.p7" && node --dir "$W/node" apply &&
		node_serve && activate $A --timeout 20s
} >"$W/setup.log" 2>&1
IDEVID=$W/$A.idevid.pem
openssl x509 -in "$W/$A/store/factory/cert.pem" -out "$IDEVID" 2>/dev/null
openssl x509 -in "$W/$B/store/factory/cert.pem" -out "$W/$B.pem" 2>/dev/null
LDEVID=$(ls "$W/$A"/store/customer-*/cert.pem 2>/dev/null | head -n 1)
[ -s "$IDEVID" ] && [ -n "$LDEVID" ] || { tail -n 20 "$W/setup.log" "$W/factory.log"; die "no story"; }
openssl x509 -in "$LDEVID" -out "$W/ldevid.pem"
for role in ca node station operator ra kmc; do
	host=()
	case $role in ca | node) host=(--host "$role.example" --host 192.0.2.7) ;; esac
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$W/$role.key" -subj "/CN=$role" -out "$W/$role.csr" 2>/dev/null
	ca --dir "$F" unit issue "$W/$role.csr" --role $role --name "${role}-9" "${host[@]}" --out "$W/$role.chain" >/dev/null
	openssl x509 -in "$W/$role.chain" -out "$W/$role.pem"
done
# what a person has by a code, and what the CA of the factory has made for the node in the handoff
ca --server "https://127.0.0.1:$FACTORY_PORT" --as "$W/ada" operator enrol \
	--code "$(ca --dir "$F" operator invite ada --function clerk --function auditor 2>/dev/null)" >>"$W/setup.log" 2>&1
openssl x509 -in "$W/ada/person.pem" -out "$W/person.pem"
openssl x509 -in "$W/node/onboard.pem" -out "$W/onboard.pem"
list "$F/issuing.pem" issuing
list "$F/unit.pem" unit
list "$F/root.pem" root
cat "$W"/{issuing,unit,root}.crl.pem >"$W/lists.pem"
LISTS=(-crl_check_all -CRLfile "$W/lists.pem")	# each certificate of a chain is looked up in one
good "root" "$F/root.pem" "$F/root.pem" "$F/root.pem" "" "${LISTS[@]}"
good "issuing CA" "$F/issuing.pem" "$F/root.pem" "$F/root.pem" "" "${LISTS[@]}"
good "unit CA" "$F/unit.pem" "$F/root.pem" "$F/root.pem" "" "${LISTS[@]}"
good "IDevID" "$IDEVID" "$F/issuing.pem" "$F/root.pem" $FACTORY "${LISTS[@]}"
for of in issuing unit root; do ca --dir "$W/customer" crl --of $of --pem --out "$W/customer-$of.crl.pem" >/dev/null; done
cat "$W"/customer-*.crl.pem >"$W/customer.lists.pem"
good "LDevID" "$W/ldevid.pem" "$W/customer/issuing.pem" "$W/customer/root.pem" $CUSTOMER -crl_check_all -CRLfile "$W/customer.lists.pem"
holds "neither has an extension that 802.1AR does not ask for" eval '! { field "$IDEVID" -text; field "$W/ldevid.pem" -text; } | grep -e "Extended Key Usage" -e "Subject Key Identifier"'
for role in ca node station operator ra kmc; do good "unit $role" "$W/$role.pem" "$F/unit.pem" "$F/root.pem" $UNIT "${LISTS[@]}"; done
good "person" "$W/person.pem" "$F/unit.pem" "$F/root.pem" $UNIT "${LISTS[@]}"
holds "with the functions" eval 'field "$W/person.pem" -ext subjectAltName | grep -q "URI:handsel:person:ada, URI:handsel:functions:clerk.auditor"'
good "handoff of the node" "$W/onboard.pem" "$F/unit.pem" "$F/root.pem" $UNIT "${LISTS[@]}"
holds "with the customer" eval 'field "$W/onboard.pem" -ext subjectAltName | grep -q "URI:handsel:node:.*URI:handsel:customer:plant-seven"'
holds "clients for openssl" eval 'for c in person onboard; do openssl verify -purpose sslclient -CAfile "$F/root.pem" -untrusted "$F/unit.pem" "$W/$c.pem" || exit 1; done'
holds "servers for openssl" openssl verify -purpose sslserver -verify_ip 192.0.2.7 -CAfile "$F/root.pem" -untrusted "$F/unit.pem" "$W/node.pem"
says "a station is none" 'purpose' openssl verify -purpose sslserver -CAfile "$F/root.pem" -untrusted "$F/unit.pem" "$W/station.pem"
answer good "$F/issuing.pem" "$F/root.pem" "$IDEVID" good
answer unknown "$F/issuing.pem" "$F/root.pem" 0x1234567890abcdef unknown
answer "of a unit" "$F/unit.pem" "$F/root.pem" "$W/ra.pem" good
ca --dir "$F" revoke --certificate "$(field "$W/$B.pem" -serial | sed 's/.*=//')" --reason keyCompromise >/dev/null
answer revoked "$F/issuing.pem" "$F/root.pem" "$W/$B.pem" revoked
on_list() { list_now "$1" | grep -q "$(field "$2" -serial | sed 's/.*=//')"; }
list_now() { curl -s "http://127.0.0.1:$HTTP/crl/$1.crl" | openssl crl -inform DER -noout -text; }
holds "its list has it" until_true 15 on_list issuing "$W/$B.pem"

# ---- a rollover and an upper CA: cross certificates ----
{
	ca --dir "$F" ca rollover --host 127.0.0.1 && stop_daemon "$FACTORY_PID" && factory_serve &&
		ca --dir "$U" init --kind upper --name "Acme Group" "${FACTORY_KEYS[@]}" && ca --dir "$U" root sign "$F/gen-2/root.pem" --out "$W/upper.cross"
} >>"$W/setup.log" 2>&1
G=$F/gen-2
csplit -sz -f "$W/cross-" "$G/cross.pem" '/BEGIN/' '{*}'	# the new root by the old one, the old root by the new one
openssl x509 -in "$W/upper.cross" -out "$W/up.pem"
list "$G/issuing.pem" issuing-2
list "$G/unit.pem" unit-2
list "$G/root.pem" root-2
list "$F/issuing.pem" issuing
list "$F/root.pem" root
openssl crl -inform DER -in "$U/root.crl" -out "$W/upper.crl.pem"
cat "$W"/{issuing,unit,root,issuing-2,unit-2,root-2,upper}.crl.pem >"$W/lists.pem"
good "root of generation 2" "$G/root.pem" "$G/root.pem" "$G/root.pem" "" "${LISTS[@]}"
good "issuing CA of generation 2" "$G/issuing.pem" "$G/root.pem" "$G/root.pem" "" "${LISTS[@]}"
good "unit CA of generation 2" "$G/unit.pem" "$G/root.pem" "$G/root.pem" "" "${LISTS[@]}"
openssl x509 -in "$F/server.pem" -out "$W/server2.pem"
good "unit of generation 2" "$W/server2.pem" "$G/unit.pem" "$G/root.pem" $UNIT "${LISTS[@]}"
good "new root by the old" "$W/cross-00" "$F/root.pem" "$F/root.pem" "" "${LISTS[@]}"
good "old root by the new" "$W/cross-01" "$G/root.pem" "$G/root.pem" "" "${LISTS[@]}"
good "upper root" "$U/root.pem" "$U/root.pem" "$U/root.pem" "" "${LISTS[@]}"
good "root by the upper root" "$W/up.pem" "$U/root.pem" "$U/root.pem" "" "${LISTS[@]}"
answer "of generation 2" "$G/unit.pem" "$G/root.pem" "$F/server.pem" good
via() { openssl verify -x509_strict -CAfile "$1" -untrusted "$W/via.pem" "${LISTS[@]}" "${@:2}"; }
cat "$F/issuing.pem" "$W/cross-01" >"$W/via.pem"
holds "an old device under the new root alone" via "$G/root.pem" -policy_check -policy $FACTORY -explicit_policy "$IDEVID"
cat "$G/issuing.pem" "$W/up.pem" >"$W/via.pem"
holds "a new CA under the upper root alone" via "$U/root.pem" "$G/issuing.pem"

# ---- a root takes a CA of its own back ----
holds "the list of the root in force" eval 'ca --dir "$F" root crl --days 700 | grep -q "root-2 CRL [0-9]* with 0 certificates"'
says "a root does not revoke itself" 'does not revoke itself' ca --dir "$F" root crl --revoke "$G/root.pem" --reason keyCompromise
says "nor what another has issued" 'was not signed by' ca --dir "$F" root crl --revoke "$F/issuing.pem" --reason cACompromise
says "nor without a reason" 'E71.*--reason' ca --dir "$F" root crl --generation 1 --revoke "$F/issuing.pem"
says "nor for one that is none" 'E71.*--reason' "$BUILD/handsel-signer" --dir "$F" root crl --generation 1 --revoke "$F/issuing.pem" --reason sometimes
says "there is no third generation" 'no generation 3' ca --dir "$F" root crl --generation 3
holds "the old issuing CA" eval 'ca --dir "$F" root crl --generation 1 --revoke "$F/issuing.pem" --reason cACompromise --json | jq -e ".of == \"root\" and .certificates == 1"'
number() { openssl crl -in "$W/$1.crl.pem" -noout -crlnumber | sed 's/.*=0x//'; }
before=$(number root)
list "$F/root.pem" root
holds "its number grows" [ $((16#$(number root))) -gt $((16#$before)) ]
cat "$W"/{issuing,unit,root,issuing-2,unit-2,root-2,upper}.crl.pem >"$W/lists.pem"
cat "$F/issuing.pem" >"$W/via.pem"
says "by openssl's word" 'certificate revoked' via "$F/root.pem" "$IDEVID"
holds "for good" eval 'ca --dir "$F" root crl --generation 1 | grep -q "with 1 certificates"'
holds "status has each root's list" eval 'ca --dir "$F" status --json | jq -es "map(select(.type == \"crl\") | .of) | contains([\"root\", \"root-2\"])"'
holds "and says when one ends soon" eval 'ca --dir "$F" root crl --days 29 && ca --dir "$F" status | grep -q "^CRL *root-2 .*ENDS SOON"'

# ---- a CA with name constraints: what it refuses is refused by the same words before and after ----
mkdir -p "$W/limited/profiles"
{ cat "$TOP/profiles/unit-ca.yaml"; echo 'permitted: ["dns:plant.example", "ip:127.0.0.0/8"]'; } >"$W/limited/profiles/unit-ca.yaml"
limited() { ca --dir "$W/limited" "$@"; }
holds "its profile has no errors" limited profile lint
holds "it is made" limited init --kind customer --name "Plant Nine" --host 127.0.0.1 --listen 127.0.0.1:0 "${CUSTOMER_KEYS[@]}"
LIMITED=yes
good "limited unit CA, its constraints critical" "$W/limited/unit.pem" "$W/limited/root.pem" "$W/limited/root.pem" ""
LIMITED=
holds "a node of its plant" limited unit issue "$W/node.csr" --role node --name n-1 --host n.plant.example --out "$W/inside.chain"
openssl x509 -in "$W/inside.chain" -out "$W/inside.pem"
good "node of a limited CA" "$W/inside.pem" "$W/limited/unit.pem" "$W/limited/root.pem" $UNIT
says "a node elsewhere" 'E52.*name constraints' limited unit issue "$W/node.csr" --role node --name n-2 --host n.other.example --out "$W/outside.pem"
says "the preview says so, too" 'E52.*name constraints' limited profile preview unit --csr "$W/node.csr" --role node --name n-2 --host n.other.example

# ---- profiles: looked at before they are used ----
journal() { sha256sum "$F/ca.db" "$F/signer.db"; }
stop_daemon "$FACTORY_PID"
before=$(journal)
mv "$F/keys" "$F/keys.away" && mv "$G/keys" "$G/keys.away"
preview() { ca --dir "$F" profile preview "$@"; }
holds "a preview without the CA's keys" preview ieee-idevid --csr "$W/node.csr" --serial $A --model "$MODEL" --out "$W/preview.pem"
holds "says what it is" eval 'preview unit --role ra --name r | grep -q "^PREVIEW: not signed by the CA"'
holds "is of the CA in force, in name and key identifier" eval '[ "$(field "$W/preview.pem" -issuer)" = "$(field "$G/issuing.pem" -subject | sed s/subject/issuer/)" ] &&
	form "$W/preview.pem" "$G/issuing.pem"'
says "and not signed by it" 'certificate signature failure|unable to get' openssl verify -CAfile "$G/root.pem" -untrusted "$G/issuing.pem" "$W/preview.pem"
body() { openssl x509 -in "$1" -noout -text -certopt no_serial,no_validity,no_issuer,no_sigdump,no_signame | sed '/Authority Key/,+1d'; }
openssl x509 -in "$IDEVID" -pubkey -noout >"$W/device.pub"
holds "but for key, number and dates the same as what was issued" eval '[ "$(body "$W/preview.pem" | sed "/Public Key Info/,/CURVE/d")" = "$(body "$IDEVID" | sed "/Public Key Info/,/CURVE/d")" ]'
says "refused as the CA refuses it" "E52.*'validity-days'" preview device-factory --serial $A --model "$MODEL" --validity-days 30
says "nothing to name the device by" 'E71.*--model is needed' preview device-factory --serial $A
says "no such profile" 'did you mean "unit"' preview unti
mv "$F/keys.away" "$F/keys" && mv "$G/keys.away" "$G/keys"
holds "ledger and journal are as they were" [ "$before" = "$(journal)" ]
mkdir -p "$F/profiles"
sed 's/730d/40000d/; s/p256, //; s/^usage.*/usage: [client-auth, 1.3.6.1.5.5.7.3.9]\nkey-usage: [digital-signature, key-cert-sign]\nvalidty-max: 1d/' \
	"$TOP/profiles/device-customer.yaml" >"$F/profiles/bad.yaml"
says "lint has every place" 'bad.yaml:6:11: error\[validity\]' ca --dir "$F" profile lint bad
holds "also as JSON" eval 'ca --dir "$F" profile lint bad --json | jq -es "map(select(.type == \"problem\" and .level == \"error\" and .line > 0) | .key) | sort == [\"ca\", \"field\", \"id\", \"usage\", \"validity\"]"'
holds "in the order of the file" eval 'ca --dir "$F" profile lint bad | sed -n "s/.*bad.yaml:\([0-9]*\):.*/\1/p" | tee "$W/lines" | sort -nc && grep -qx 3 "$W/lines"'
holds "the list marks it" eval 'ca --dir "$F" profile list | grep -q "^bad .*has errors"'
holds "and what is in use" eval 'ca --dir "$F" profile list | grep -q "^ieee-idevid .* default"'
holds "show has what it comes to" eval 'ca --dir "$F" profile show ieee-idevid --json | jq -e ".usage == \"any\" and .[\"subject-key-id\"] == \"no\""'

STARTED=()
stop_daemon "$CUSTOMER_PID"
stop_daemon "$NODE_PID"
echo "$CHECKED checks, $FAILED exceptions"
[ "$FAILED" = 0 ]
