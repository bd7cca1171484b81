# Is a certificate revoked? The CA answers by OCSP and by lists, over HTTPS and plain HTTP; openssl, GnuTLS's ocsptool and certtool judge what
# it says: of devices and units, of each CA key after a rollover, of what it does not know. Profiles name the places, or that there is none.
set -u
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel ocsp XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT
. "$TOP/tests/system/checks.sh"

F=$W/factory A=00020001 B=00020002 HTTP=$(free_port)
cert() { echo "$W/$1/store/factory/cert.pem"; }
number() { openssl x509 -in "$1" -noout -serial | sed 's/.*=//'; }
leaf() { openssl x509 -in "$(cert "$1")" -out "$W/$1.pem"; }
# ask ISSUER CERT-OR-NUMBER [OPTION...] : openssl asks over HTTP, and verifies; what it says of the certificate
ask() {
	local what=-cert
	[ -e "$2" ] || what=-serial
	openssl ocsp "${@:3}" -issuer "$1" "$what" "$2" -CAfile "${ROOT:-$F/root.pem}" -no_nonce -url "http://127.0.0.1:$HTTP/ocsp" 2>&1
}
is() { grep -q "$1" <<<"$(ask "${@:2}")"; }
by_file() { curl -s -m 10 "http://127.0.0.1:$HTTP/ocsp" -H 'Content-Type: application/ocsp-request' --data-binary "@$1"; }
error_is() { by_file "$1" | openssl ocsp -respin /dev/stdin -resp_text -noverify 2>&1 | grep -q "$2"; }
request() { openssl ocsp -issuer "$1" -serial "$2" -no_nonce -reqout "$W/$3" "${@:4}"; }
factory_again() { stop_daemon "$FACTORY_PID" && factory_serve; }
{
	factory_init
	mkdir "$F/profiles"
	cat "$TOP/profiles/device-factory.yaml" - >"$F/profiles/device-factory.yaml" <<-END
		crl-url: "http://127.0.0.1:$HTTP/crl/issuing.crl"
		ocsp-url: "http://127.0.0.1:$HTTP/ocsp"
	END
	printf 'listen-http: "127.0.0.1:%s"\n' "$HTTP" >>"$F/ca.yaml"
	factory_serve && station_init line-1 && order_create WO-1 $A 00020009 9 line-1 && provision WO-1 line-1 "$A $B"
	leaf $A && leaf $B
} >"$W/setup.log" 2>&1
[ -s "$W/$B.pem" ] || { tail -n 20 "$W/setup.log" "$W/factory.log"; die "no story"; }
openssl x509 -in "$W/$A.pem" -noout -text >"$W/a.txt"
holds "a certificate says where the list is" grep -q "URI:http://127.0.0.1:$HTTP/crl/issuing.crl" "$W/a.txt"
holds "and where to ask" grep -q "OCSP - URI:http://127.0.0.1:$HTTP/ocsp" "$W/a.txt"
holds "at the place that the certificate names there is the list" eval 'curl -s "http://127.0.0.1:$HTTP/crl/issuing.crl" | openssl crl -inform DER -noout'
says "but nothing else is served there" 'nothing is served here' curl -s --fail-with-body "http://127.0.0.1:$HTTP/ca" -d x

# ---- what it says, and who agrees ----
holds "a device's certificate is good" is "$A.pem: good" "$F/issuing.pem" "$W/$A.pem"
holds "openssl agrees with the signature" is "Response verify OK" "$F/issuing.pem" "$W/$A.pem"
holds "also by SHA-256" is "$A.pem: good" "$F/issuing.pem" "$W/$A.pem" -sha256
ask "$F/issuing.pem" "$W/$A.pem" -respout "$W/a.ocsp" >/dev/null
holds "ocsptool agrees, too" eval 'ocsptool --verify-response --infile "$W/a.ocsp" --load-trust "$F/root.pem" --load-issuer "$F/issuing.pem" 2>&1 | grep -q "Success"'
holds "ocsptool asks by itself" eval 'ocsptool --ask="http://127.0.0.1:$HTTP/ocsp" --load-cert "$W/$A.pem" --load-issuer "$F/issuing.pem" --load-trust "$F/root.pem" --no-nonce 2>&1 | grep -q "Success"'
holds "a nonce is no reason to be angry, nor to answer it" eval 'openssl ocsp -issuer "$F/issuing.pem" -cert "$W/$A.pem" -CAfile "$F/root.pem" -url "http://127.0.0.1:$HTTP/ocsp" >"$W/n.txt" 2>&1; grep -q "no nonce" "$W/n.txt" && grep -q ": good" "$W/n.txt"'
request "$F/issuing.pem" "0x$(number "$W/$A.pem")" a.req
get() { curl -s -m 10 "http://127.0.0.1:$HTTP/ocsp/$(openssl base64 -A -in "$W/a.req" | sed 's|+|%2B|g; s|/|%2F|g; s|=|%3D|g')" "$@"; }
holds "GET has the answer of POST" eval 'by_file "$W/a.req" >"$W/p.ocsp" && get | cmp - "$W/p.ocsp"'
holds "with what caches want to know" eval 'get -D - -o /dev/null | tr -d "\r" | grep -c -e "^Cache-Control: max-age=.*no-transform" -e "^Expires: .*GMT" -e "^ETag: " | grep -qx 3'
holds "over HTTPS, too" eval 'curl -sk "https://127.0.0.1:$FACTORY_PORT/ocsp" -H "Content-Type: application/ocsp-request" --data-binary "@$W/a.req" | cmp - "$W/p.ocsp"'
holds "a unit's is good" is ": good" "$F/unit.pem" "$F/server.pem"
holds "one that nobody has issued is unknown" is "0x1234567890abcdef1234: unknown" "$F/issuing.pem" 0x1234567890abcdef1234
holds "a unit's asked of the devices' CA is unknown" is ": unknown" "$F/issuing.pem" "0x$(number "$F/server.pem")"
holds "one of another CA: unauthorized" eval 'request "$F/root.pem" 0x17 o.req && error_is "$W/o.req" unauthorized'
printf 'no request' >"$W/x.req"
holds "what is no request: malformed" error_is "$W/x.req" malformedrequest
openssl ocsp -issuer "$F/issuing.pem" -cert "$W/$A.pem" -cert "$W/$B.pem" -no_nonce -reqout "$W/two.req"
holds "two at once: malformed (RFC 5019)" error_is "$W/two.req" malformedrequest

# ---- revoked ----
says "what is held could never be released in the devices' places" 'E71.*certificateHold.*block' ca --dir "$F" revoke --device $A --reason certificateHold
says "a list that takes back is none" 'E71.*removeFromCRL' ca --dir "$F" revoke --device $A --reason removeFromCRL
says "a word that is no reason" 'E71.*keyCompromise' ca --dir "$F" revoke --device $A --reason because
holds "a device's certificate is revoked by its number" ca --dir "$F" revoke --certificate "$(number "$W/$A.pem")" --reason keyCompromise
holds "the answer says so at once, and why" eval 'ask "$F/issuing.pem" "$W/$A.pem" >"$W/r.txt"; grep -q ": revoked" "$W/r.txt" && grep -q "Reason: keyCompromise" "$W/r.txt"'
holds "ocsptool reads it" eval 'ask "$F/issuing.pem" "$W/$A.pem" -respout "$W/r.ocsp"; ocsptool --response-info --infile "$W/r.ocsp" | grep -qi "Certificate Status: revoked"'
holds "the other is good still" is ": good" "$F/issuing.pem" "$W/$B.pem"
list() { curl -s "http://127.0.0.1:$HTTP/crl/$1.crl" | openssl crl -inform DER; }
on_list() { list issuing | openssl crl -noout -text | grep -q "$(number "$W/$1.pem")"; }
holds "the list says so soon" until_true 15 on_list $A
{ list issuing; list unit; ca --dir "$F" crl --of issuing --out "$W/i.crl" --pem >/dev/null; cat "$W/i.crl"; } >"$W/lists.pem"
holds "certtool verifies the list" eval 'list issuing >"$W/l.pem"; certtool --verify-crl --infile "$W/l.pem" --load-ca-certificate "$F/issuing.pem" 2>&1 | grep -q "Verified"'
holds "openssl refuses by the list" eval 'openssl verify -CAfile "$F/root.pem" -untrusted "$F/issuing.pem" -CRLfile "$W/lists.pem" -crl_check "$W/$A.pem" 2>&1 | grep -q "certificate revoked"'
holds "a unit is revoked" ca --dir "$F" revoke --certificate "$(number "$W/station-line-1/station.pem")" --reason cessationOfOperation
openssl x509 -in "$W/station-line-1/station.pem" -out "$W/unit.pem"
holds "and its answer says so" eval 'ask "$F/unit.pem" "$W/unit.pem" | grep -q "Reason: cessationOfOperation"'

# ---- the folder of the lists cannot be written ----
mv "$F/crl" "$F/crl.away" && : >"$F/crl" && : >"$W/factory.log"
ca --dir "$F" revoke --device $B --reason affiliationChanged >/dev/null
holds "the service says that it cannot publish" until_true 15 grep -q "E32 .*revocation lists" "$W/factory.log"
holds "and goes on to answer" is "Reason: affiliationChanged" "$F/issuing.pem" "$W/$B.pem"
rm "$F/crl"
holds "it tries again, and the list is there" until_true 25 on_list $B

# ---- each generation, each profile ----
{
	cat >"$F/profiles/short.yaml" <<-END
		version: 1
		id: short
		kind: device-factory
		key-types: [p256]
		validity: 8h
		usage: [client-auth]
		order-needed: true
		no-revocation: true
	END
	printf 'profiles: ["short"]\n' >>"$F/ca.yaml"
	ca --dir "$F" ca rollover --host 127.0.0.1 && factory_again && station_init line-2 &&
		order_create WO-2 00020021 00020029 9 line-2 && provision WO-2 line-2 00020021 && leaf 00020021
} >>"$W/setup.log" 2>&1
holds "after a rollover the older CA's certificate" is "Reason: keyCompromise" "$F/issuing.pem" "$W/$A.pem"
holds "and the new one's" eval 'ROOT=$F/gen-2/root.pem is ": good" "$F/gen-2/issuing.pem" "$W/00020021.pem"'
holds "each under its own root" eval 'ROOT=$F/gen-2/root.pem is "verify OK" "$F/gen-2/unit.pem" "$F/server.pem"'
openssl x509 -in "$W/00020021.pem" -noout -text >"$W/s.txt"
holds "a short-lived one says that nobody will tell (RFC 9608)" grep -q "2.5.29.56\|No Revocation Available" "$W/s.txt"
holds "and lives hours" eval 'openssl x509 -in "$W/00020021.pem" -noout -checkend 28000 && ! openssl x509 -in "$W/00020021.pem" -noout -checkend 29000'
cp "$F/profiles/short.yaml" "$W/short.yaml"
# bad NAME SED : the profile changed so is refused.
bad() {
	sed "$2" "$W/short.yaml" >"$F/profiles/short.yaml"
	says "$1" 'E71.*short.yaml' ca --dir "$F" config check
}
bad "no revocation, and a life of a month" 's/8h/30d/'
bad "no revocation, and a place to ask" '$a ocsp-url: "http://a.example/ocsp"'
bad "a place that is none" 's|^no-rev.*|crl-url: "ftp://a.example/a.crl"|'
cp "$W/short.yaml" "$F/profiles/short.yaml"

# ---- ahead of the question: half of 24 s after it was asked for, and then without the signer ----
sed -i '/^ocsp-valid/d; /^metrics/d' "$F/ca.yaml"
printf 'ocsp-valid: 24s\nmetrics: "127.0.0.1:0"\n' >>"$F/ca.yaml"
signed() { curl -sS "http://127.0.0.1:$(tail -n 1 "$W/factory.ready")/metrics" | sed -n "s/^handsel_ca_ocsp_signed_total{ca=\"[^\"]*\",when=\"$1\"} //p"; }
holds "with answers that are soon over" factory_again
get >"$W/first.ocsp"
holds "the first is signed for who asks" eval '[ "$(signed asked) $(signed ahead)" = "1 0" ]'
holds "the next before anybody asks" until_true 40 eval '[ "$(signed ahead)" = 1 ]'
get >"$W/next.ocsp"
holds "it is another one" eval '! cmp -s "$W/first.ocsp" "$W/next.ocsp"'
holds "and the signer was not asked for it again" eval '[ "$(signed asked) $(signed ahead)" = "1 1" ]'

stop_daemon "$FACTORY_PID" || { FAILED=$((FAILED + 1)); echo "FAILED: factory ended with $?"; }
STARTED=()
echo "$CHECKED checks, $FAILED exceptions"
[ "$FAILED" = 0 ]
