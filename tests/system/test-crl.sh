# Devices that the allowlist has only by a range, without a manifest: let in while the factory's revocation list is fresh, refused
# without one, with one that is over, and when they are on it; an older list is not taken. The list comes from the factory's CA
# over HTTPS, and from a file. After a rollover each generation has a list of its own.
set -u
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel crl XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT
. "$TOP/tests/system/checks.sh"

logs() { until_true 10 grep -q "$1" "$W/node.log"; }
here() { node --dir "$W/node" "$@"; }
# A device that demands no voucher, since there is none without a manifest.
unvouched() { printf 'version: 1\nvoucher: off\n' >"$W/$1/store/agent.yaml"; }
carry() { activate "$1" --timeout "${2:-6s}"; }
# Of the list that is in force at the node.
number() { here config check --json | sed -n 's/.*"number":\([0-9]*\).*/\1/p'; }
in_force() { [ "$(number)" = "$1" ]; }
crl() { ca --dir "$W/factory" crl --out "$1" --json | sed -n 's/.*"number":\([0-9]*\).*/\1/p'; }
get() { curl -sk "https://127.0.0.1:$FACTORY_PORT/crl/$1.crl"; }
served() { get "${1:-issuing}" | openssl crl -inform DER -noout -text; }
serial_of() { openssl x509 -in "$W/$1/store/factory/cert.pem" -noout -serial | sed 's/.*=//'; }
is_on_list() { served "${2:-issuing}" | grep -q "Serial Number: $(serial_of "$1")"; }
source_is() {
	stop_daemon "$NODE_PID"
	sed -i '/^factory-crl/d' "$W/node/node.yaml"
	printf 'factory-crl: ["%s"]\n' "$1" >>"$W/node/node.yaml"
	: >"$W/node.log"
	node_serve
}

A=00020001 B=00020002 C=00020003 D=00020004 E=00020005 F=00020006 G=00020007 H=00020008 I=00020009
{
	factory_init && factory_serve && station_init line-1 && order_create WO-1 $A 00020009 9 line-1 &&
		provision WO-1 line-1 "$A $B $C $D $E $F $G" && customer_init && customer_serve && node_init site-1 &&
		printf 'version: 1\ndevices:\n  - range: {from: "00020001", to: "00020004"}\n    model: "%s"\n' "$MODEL" \
			>"$W/node/allowlist.yaml" && here apply && node_serve
} >"$W/setup.log" 2>&1
[ -n "${NODE_PORT:-}" ] || { tail -n 20 "$W/setup.log"; die "no story"; }
for serial in $A $C $D $E $F; do unvouched $serial; done

# ---- no list ----
says "a range without a list" 'E51.*name that as factory-crl in node.yaml' carry $A
says "the configuration check says it" 'E71.*allowlist.yaml:3.*factory-crl' here config check
holds "so does the plan" eval 'node --dir "$W/node" plan | grep -q "00020001 to 00020004.*E51"'
holds "so does explain, of a device that nobody has seen" eval 'node --dir "$W/node" explain $D | grep -q "verdict *E51"'

# ---- the list of the factory's CA over HTTPS ----
HANDSEL_FAULT=node.crl HANDSEL_FAULT_LOG="$W/fired" source_is "https://127.0.0.1:$FACTORY_PORT/crl/factory/issuing.crl" >>"$W/setup.log" 2>&1
holds "cut when it keeps the list" until_true 10 grep -qs node.crl "$W/fired"
source_is "https://127.0.0.1:$FACTORY_PORT/crl/factory/issuing.crl" >>"$W/setup.log" 2>&1
holds "the factory's list is fetched" logs "factory CRL from https.* is in force"
holds "explain tells which and how long it is good" eval 'node --dir "$W/node" explain $D | grep -q "CRL .*factory issuing CA.*good until"'
holds "and that the device would be let in" eval 'node --dir "$W/node" explain $D | grep -q "would be let in"'
holds "the device of the range is onboarded" carry $A
says "one that demands a voucher finds none" 'E26' carry $B
says "one beyond the range is not on the list" 'E21' carry $E
crl "$W/old.crl" >/dev/null

# ---- revoked at the factory ----
holds "the factory revokes" ca --dir "$W/factory" revoke --device $B --reason keyCompromise
holds "its list says so within seconds" until_true 15 is_on_list $B
holds "openssl refuses the certificate by it" eval 'curl -sk "https://127.0.0.1:$FACTORY_PORT/crl/issuing.crl" |
	openssl crl -inform DER -out "$W/list.pem" && openssl verify -CAfile "$W/factory/root.pem" -untrusted "$W/factory/issuing.pem" \
	-CRLfile "$W/list.pem" -crl_check "$W/$B/store/factory/cert.pem" 2>&1 | grep -q "certificate revoked"'
holds "and takes another one" openssl verify -CAfile "$W/factory/root.pem" -untrusted "$W/factory/issuing.pem" \
	-CRLfile "$W/list.pem" -crl_check "$W/$C/store/factory/cert.pem"
unvouched $B
before=$(number)
kill -HUP "$NODE_PID"
holds "the node fetches it when it is told to" until_true 10 eval '[ "$(number)" -gt "$before" ]'
says "the revoked device is refused" 'E22.*revoked the factory certificate.*keyCompromise' carry $B
holds "the device that is onboarded stays so" eval 'node --dir "$W/node" devices --json | grep "\"$A\"" | grep -q "\"onboarded\""'

# ---- from a file: a list that is over ----
sed -i '/^crl-valid/d' "$W/factory/ca.yaml"
printf 'crl-valid: 4s\n' >>"$W/factory/ca.yaml"
short=$(crl "$W/factory.crl")
source_is "$W/factory.crl" >>"$W/setup.log" 2>&1
holds "the file's list is in force" in_force "$short"
is_over() { node --dir "$W/node" explain $C | grep -q "over since"; }
holds "it runs out" until_true 20 is_over
says "then the device is refused" 'E51.*was good until' carry $C
says "the revoked one all the same" 'E22.*revoked' carry $B
sed -i 's/^crl-valid.*/crl-valid: 7d/' "$W/factory/ca.yaml"
fresh=$(crl "$W/factory.crl")
holds "a new file is seen without a signal" until_true 15 in_force "$fresh"
holds "and the device onboarded" carry $C

# ---- what is not taken ----
cp "$W/old.crl" "$W/factory.crl"
kill -HUP "$NODE_PID"
holds "an older list is refused" logs "is older than number $fresh"
holds "and the newer one stays in force" in_force "$fresh"
says "the revoked device is refused still" 'E22' carry $B
ca --dir "$W/customer" crl --out "$W/factory.crl" >/dev/null
kill -HUP "$NODE_PID"
holds "another CA's list is refused" logs "no issuing CA of a handoff"
head -c 100 "$W/old.crl" >"$W/factory.crl"
kill -HUP "$NODE_PID"
holds "half a list is refused" logs "malformed CRL"
rm "$W/factory.crl"
kill -HUP "$NODE_PID"
holds "a file that is gone is told" logs "cannot read.*factory.crl\|factory.crl.*No such file"
source_is "$W/factory.crl" >>"$W/setup.log" 2>&1
holds "after a restart without its source the list is known" in_force "$fresh"
holds "and good for the next device" carry $D
says "the revoked one is refused after it, too" 'E22' carry $B

# ---- the manifest goes before ----
ca --dir "$W/factory" ship --customer plant-seven --device $E --out "$W/manifest.p7" >/dev/null
here import "$W/manifest.p7" >/dev/null && here apply >/dev/null
rm "$W/$E/store/agent.yaml"
holds "a device with a manifest has its voucher and needs no list" carry $E

# ---- after a rollover: a list of each generation, for as long as anybody has devices of it ----
is_of() { get "$1" | openssl crl -inform DER -noout -verify -CAfile "$2" 2>&1 | grep -q "verify OK"; }
made() { get "$1" | openssl crl -inform DER -noout -crlnumber | sed 's/.*=0*x*//I'; }
lists() { ca --dir "$W/factory" status --json | sed -n 's/.*"type":"crl","of":"\([^"]*\)".*/\1/p' | tr '\n' ' '; }
factory_again() { stop_daemon "$FACTORY_PID" && factory_serve; }
{
	sed -i 's/^crl-valid.*/crl-valid: 20s/' "$W/factory/ca.yaml"
	cat >"$W/node/allowlist.yaml" <<-END
		version: 1
		devices:
		  - range: {from: "00020006", to: "00020009"}
		    model: "$MODEL"
	END
	here apply
	factory_again
	source_is "https://127.0.0.1:$FACTORY_PORT/crl/factory/issuing.crl"
} >>"$W/setup.log" 2>&1
before=$(made issuing)
holds "the rollover" eval 'ca --dir "$W/factory" ca rollover --host 127.0.0.1 && factory_again'
GEN=$W/factory/gen-2
holds "each CA key has its list" eval '[ "$(lists)" = "issuing-2 unit-2 issuing unit root-2 root " ]'
holds "the older issuing CA's keeps its name" is_of issuing "$W/factory/issuing.pem"
holds "and its numbers" eval '[ $((16#$(made issuing))) -gt $((16#$before)) ]'
holds "the new one's is another" is_of issuing-2 "$GEN/issuing.pem"
holds "the older unit CA's" is_of unit "$W/factory/unit.pem"
holds "the new one's" is_of unit-2 "$GEN/unit.pem"
# A list is followed by the next one before it is over; three tries, since nobody promises this machine's time.
ends() { date -d "$(openssl crl -inform DER -in "$1" -noout -nextupdate | cut -d= -f2)" +%s; }
followed() {
	get issuing >"$W/one.crl" && until_true 40 eval 'get issuing >"$W/two.crl" && ! cmp -s "$W/one.crl" "$W/two.crl"' &&
		[ "$(date +%s)" -lt "$(ends "$W/one.crl")" ]
}
(followed || followed || followed) &
followed=$!
holds "the older one is made again and again" until_true 40 eval '[ "$(number)" ] && node --dir "$W/node" explain $F | grep -q "over since"'
holds "each before the one before it is over" wait $followed
kill -HUP "$NODE_PID"
holds "and carries a customer who has a range beyond the last list from before" eval 'until_true 10 logs "is in force" && carry $F'

provision WO-1 line-1 "$H $I" >>"$W/setup.log" 2>&1
unvouched $H
holds "one of each generation is revoked" eval 'ca --dir "$W/factory" revoke --device $G --reason keyCompromise && ca --dir "$W/factory" revoke --device $I --reason keyCompromise'
holds "the older one's list says so" until_true 15 is_on_list $G issuing
holds "the new one's of its own" until_true 15 is_on_list $I issuing-2
holds "neither list has what the other CA has issued" eval '! is_on_list $I issuing && ! is_on_list $G issuing-2'

handoff_both() {
	ca --dir "$W/factory" handoff grant "$W/handoff.csr" --customer plant-seven --name site-1 --out "$W/handoff2.p7" &&
		node --dir "$W/node" handoff accept "$W/handoff2.p7" --root-fingerprint "$(fingerprint "$W/factory/root.pem")" &&
		ca --dir "$W/customer" handoff accept "$W/handoff2.p7" --root-fingerprint "$(fingerprint "$W/factory/root.pem")"
}
url=https://127.0.0.1:$FACTORY_PORT/crl/factory
holds "with a handoff of both the node takes both lists" eval 'handoff_both &&
	source_is "$url/issuing.crl\", \"$url/issuing-2.crl" && until_true 10 eval "[ \$(number | wc -l) = 2 ]"'
holds "and a device of the new generation by the new list" carry $H
unvouched $I
says "but none that is on it" 'E22.*revoked' carry $I

ca --dir "$W/factory" order close WO-1 >/dev/null
holds "the end of the overlap" eval 'ca --dir "$W/factory" ca rollover --finish && factory_again'
holds "devices keep their factory place, so their list is still made" eval '[ "$(lists)" = "issuing-2 unit-2 issuing root-2 root " ] &&
	ca --dir "$W/factory" crl --of issuing --out "$W/last.crl" && is_of issuing "$W/factory/issuing.pem"'
holds "units are over, and so is theirs" eval '! is_of unit "$W/factory/unit.pem" && ! ca --dir "$W/factory" crl --of unit --out "$W/last.crl"'
mv "$W/factory/keys/issuing.pem" "$W/kept.pem"
holds "without its key none is made, and the CA goes on" eval 'factory_again && [ "$(lists)" = "issuing-2 unit-2 root-2 root " ]'

for n in FACTORY CUSTOMER NODE; do
	pid=${n}_PID
	stop_daemon "${!pid}" || { FAILED=$((FAILED + 1)); echo "FAILED: $n ended with $?"; }
done
STARTED=()
echo "$CHECKED checks, $FAILED exceptions"
[ "$FAILED" = 0 ]
