# Devices that the allowlist has only by a range, without a manifest: let in while the factory's revocation list is fresh, refused
# without one, with one that is over, and when they are on it; an older list is not taken. The list comes from the factory's CA
# over HTTPS, and from a file.
set -u
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel crl XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT
FAILED=0 CHECKED=0

# says NAME PATTERN COMMAND... : the command fails and says so.
says() {
	local name=$1 pattern=$2 out
	shift 2
	CHECKED=$((CHECKED + 1))
	if ! out=$("$@" 2>&1) && grep -qE "$pattern" <<<"$out"; then
		echo "ok $name: $(grep -m 1 -E "$pattern" <<<"$out" | cut -c1-150)"
	else
		FAILED=$((FAILED + 1))
		printf 'FAILED %s: no "%s" in: %s\n' "$name" "$pattern" "$out"
	fi
}
# holds NAME COMMAND...
holds() {
	local name=$1
	shift
	CHECKED=$((CHECKED + 1))
	if "$@" >"$W/holds.log" 2>&1; then
		echo "ok $name"
	else
		FAILED=$((FAILED + 1))
		echo "FAILED $name"
		cat "$W/holds.log"
	fi
}
logs() { until_true 10 grep -q "$1" "$W/node.log"; }
here() { node --dir "$W/node" "$@"; }
# A device that demands no voucher, since there is none without a manifest.
unvouched() { printf 'version: 1\nvoucher: off\n' >"$W/$1/store/agent.yaml"; }
carry() { activate "$1" --timeout "${2:-6s}"; }
# Of the list that is in force at the node.
number() { here config check --json | sed -n 's/.*"number":\([0-9]*\).*/\1/p'; }
in_force() { [ "$(number)" = "$1" ]; }
crl() { ca --dir "$W/factory" crl --out "$1" --json | sed -n 's/.*"number":\([0-9]*\).*/\1/p'; }
served() { curl -sk "https://127.0.0.1:$FACTORY_PORT/crl/issuing.crl" | openssl crl -inform DER -noout -text; }
serial_of() { openssl x509 -in "$W/$1/store/factory/cert.pem" -noout -serial | sed 's/.*=//'; }
is_on_list() { served | grep -q "Serial Number: $(serial_of "$1")"; }
source_is() {
	stop_daemon "$NODE_PID"
	sed -i '/^factory-crl/d' "$W/node/node.yaml"
	printf 'factory-crl: ["%s"]\n' "$1" >>"$W/node/node.yaml"
	: >"$W/node.log"
	node_serve
}

A=00020001 B=00020002 C=00020003 D=00020004 E=00020005
{
	factory_init && factory_serve && station_init line-1 && order_create WO-1 $A 00020009 9 line-1 &&
		provision WO-1 line-1 "$A $B $C $D $E" && customer_init && customer_serve && node_init site-1 &&
		printf 'version: 1\ndevices:\n  - range: {from: "00020001", to: "00020004"}\n    model: "%s"\n' "$MODEL" \
			>"$W/node/allowlist.yaml" && here apply && node_serve
} >"$W/setup.log" 2>&1
[ -n "${NODE_PORT:-}" ] || { tail -n 20 "$W/setup.log"; die "no story"; }
for serial in $A $C $D $E; do unvouched $serial; done

# ---- no list ----
says "a range without a list" 'E51.*name that as factory-crl in node.yaml' carry $A
says "the configuration check says it" 'E71.*allowlist.yaml:3.*factory-crl' here config check
holds "so does the plan" eval 'node --dir "$W/node" plan | grep -q "00020001 to 00020004.*E51"'
holds "so does explain, of a device that nobody has seen" eval 'node --dir "$W/node" explain $D | grep -q "verdict *E51"'

# ---- the list of the factory's CA over HTTPS ----
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

for n in FACTORY CUSTOMER NODE; do
	pid=${n}_PID
	stop_daemon "${!pid}" || { FAILED=$((FAILED + 1)); echo "FAILED: $n ended with $?"; }
done
STARTED=()
echo "$CHECKED checks, $FAILED exceptions"
[ "$FAILED" = 0 ]
