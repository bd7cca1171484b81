# Two factories at one node, of two manufacturers that give their devices the same model names and serials: two devices each time, and
# none is let in, shown, released or renewed in place of the other.
set -u
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel makers XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT
. "$TOP/tests/system/checks.sh"
ACME=$W BOLT=$W/bolt

SERIAL=00020001
# Both have a model of this name; the file of the second one's is called otherwise.
mkdir -p "$BOLT/profiles/models" && cp -r "$TOP"/profiles/* "$BOLT/profiles/" &&
	sed -e 's/^manufacturer: .*/manufacturer: "Bolt Works"/' -e 's/^hw-type: .*/&.77/' "$TOP/profiles/models/$MODEL.yaml" \
		>"$BOLT/profiles/models/bolt.yaml"
factory() { factory_init && factory_serve && station_init line-1 && order_create WO-1 $SERIAL 00020009 9 line-1 &&
	provision WO-1 line-1 "$SERIAL 00020002"; }
{
	factory || die "no first factory"
	first_top=$TOP first_port=$FACTORY_PORT
	W=$BOLT TOP=$BOLT MANUFACTURER="Bolt Works" FACTORY_PORT=0
	export HANDSEL_DATADIR="$BOLT"
	ln -s "$first_top/tests" "$BOLT/tests"
	MODEL_FILE=bolt factory || die "no second factory"
	W=$ACME TOP=$first_top MANUFACTURER="Acme Devices" FACTORY_PORT=$first_port
	export HANDSEL_DATADIR="$TOP"
	customer_init && HANDSEL_DATADIR=$BOLT customer_serve && node_init site-1 &&
		ca --dir "$ACME/factory" ship --customer plant-seven --device $SERIAL --out "$ACME/manifest.p7" &&
		ca --dir "$BOLT/factory" ship --customer plant-7 --device $SERIAL --out "$BOLT/manifest.p7" && node --dir "$W/node" import "$W/manifest.p7" && node --dir "$W/node" apply
} >"$ACME/setup.log" 2>&1 || { tail -n 20 "$ACME/setup.log"; die "no story"; }

lint() { node --dir "$W/node" lint "$@"; }
devices() { node --dir "$W/node" devices "$@"; }
state() { devices --json | grep "\"serial\":\"$SERIAL\"" | grep "\"manufacturer\":\"$1\"" | grep -q "\"state\":\"$2\""; }
device() {	# FOLDER VERB
	"$1/$SERIAL/agent" --dir "$1/$SERIAL/store" "$2" --node "https://127.0.0.1:$NODE_PORT" --timeout 10s
}

# ---- one manufacturer: nothing more to say ----
holds "an entry without manufacturer is in order while there is one" lint
says "a manifest of a factory without a handoff" 'E12' node --dir "$W/node" import "$BOLT/manifest.p7"
node_serve || die "no node"
says "a device of a factory without a handoff" 'E12' device "$BOLT" activate

# ---- the second handoff ----
root=$(fingerprint "$BOLT/factory/root.pem")
ca --dir "$BOLT/factory" handoff grant "$W/handoff.csr" --customer plant-7 --name site-1 --out "$BOLT/handoff.p7" >"$W/grant.log" 2>&1
holds "the second handoff is taken" node --dir "$W/node" handoff accept "$BOLT/handoff.p7" --root-fingerprint "$root"
holds "also at the CA" ca --dir "$W/customer" handoff accept "$BOLT/handoff.p7" --root-fingerprint "$root"
holds "once more is nothing new" node --dir "$W/node" handoff accept "$BOLT/handoff.p7" --root-fingerprint "$root"
holds "there are two" [ -s "$W/node/onboard-2.pem" -a ! -e "$W/node/onboard-3.pem" ]
says "now the entry is not" "allowlist.yaml:[0-9]*:13: error\[A-MANUFACTURER\].*\"Acme Devices\", \"Bolt Works\"" lint
says "nor can it be applied" 'A-MANUFACTURER' node --dir "$W/node" apply
says "nor extended" 'A-MANUFACTURER' node --dir "$W/node" import "$BOLT/manifest.p7"
says "nor is the configuration in order" 'A-MANUFACTURER' node --dir "$W/node" config check
stop_daemon "$NODE_PID"
node_serve || die "no node"

# What is in force without a manufacturer is the first one's and lets nobody else in.
says "a device of the second is not listed by it" 'E25.*another model or manufacturer' device "$BOLT" activate
sed -i 's/^\( *\)model: .*/&\n\1manufacturer: "Acme Devices"/' "$W/node/allowlist.yaml"
holds "the list names the manufacturer" lint
holds "its manifest is taken" node --dir "$W/node" import "$BOLT/manifest.p7"
holds "and names it" grep -q 'manufacturer: "Bolt Works"' "$W/node/allowlist.yaml"
holds "and is applied" node --dir "$W/node" apply
says "the serial alone does not say which" '2 devices have the serial 00020001: .*"Acme Devices".*"Bolt Works".*--manufacturer' \
	node --dir "$W/node" explain $SERIAL
holds "with the manufacturer it does" node --dir "$W/node" explain $SERIAL --manufacturer "Bolt Works"

# ---- both come ----
holds "the first one's device is onboarded" device "$ACME" activate
holds "the second one's device is listed yet" state "Bolt Works" listed
holds "the second one's device is onboarded" device "$BOLT" activate
holds "the first one's renews" device "$ACME" renew
holds "both are onboarded" state "Acme Devices" onboarded
holds "both are onboarded" state "Bolt Works" onboarded
# hwType as the certificate has it: each manufacturer's model has its own.
hardware() { # FOLDER TYPE
	local cert at
	cert=$1/$SERIAL/store/$(cat "$1/$SERIAL/store/current")/cert.pem
	at=$(openssl asn1parse -in "$cert" | grep -A 1 "Subject Alternative Name" | sed -n 's/^ *\([0-9]*\):.*OCTET STRING.*/\1/p')
	openssl asn1parse -in "$cert" -strparse "$at" | grep -q "OBJECT *:$2\$"
}
holds "the first one's hwType" hardware "$ACME" 2.25.3394918324114836231.3.1
holds "the second one's, of the same model name" hardware "$BOLT" 2.25.3394918324114836231.3.1.77
count() { [ "$(ca --dir "$W/customer" issued list --device $SERIAL --state active --json | grep -c '"type":"issued"')" = "$1" ]; }
holds "two active certificates of one serial" until_true 10 count 2
says "a release by the serial alone" '2 devices have the serial' node --dir "$W/node" devices release $SERIAL
says "a block by the serial alone" '2 devices have the serial' node --dir "$W/node" devices block $SERIAL
holds "the second one's is released" node --dir "$W/node" devices release $SERIAL --manufacturer "Bolt Works"
holds "the first one's is untouched" state "Acme Devices" onboarded
holds "one active certificate is left" until_true 10 count 1
holds "the second one's goes back and comes again" device "$BOLT" activate
holds "the first one's renews on" device "$ACME" renew
holds "two active certificates" until_true 10 count 2
says "a device that is not listed" 'E21' "$BOLT/00020002/agent" --dir "$BOLT/00020002/store" activate --timeout 3s \
	--node "https://127.0.0.1:$NODE_PORT"
holds "the configuration is in order" node --dir "$W/node" config check

# ---- a factory speaks for its own name alone ----
FACTORY_PORT=0 W=$ACME/cheat
mkdir "$W"
{
	MANUFACTURER="Cheat Co" && factory_init && MANUFACTURER="Acme Devices" && factory_serve && station_init line-1 &&
		order_create WO-1 $SERIAL 00020009 9 line-1 && provision WO-1 line-1 "$SERIAL 00020002" &&
		ca --dir "$W/factory" handoff grant "$ACME/handoff.csr" --customer plant-seven --name site-1 --out "$W/handoff.p7" &&
		ca --dir "$W/factory" ship --customer plant-seven --device $SERIAL --out "$W/manifest.p7" &&
		node --dir "$ACME/node" handoff accept "$W/handoff.p7" --root-fingerprint "$(fingerprint "$W/factory/root.pem")"
} >"$ACME/cheat.log" 2>&1 || { tail -n 20 "$ACME/cheat.log"; die "no third factory"; }
W=$ACME
stop_daemon "$NODE_PID"
node_serve || die "no node"
says "a third factory with a device of the first one's name" 'E12.*a factory of "Cheat Co" has certified a device of "Acme Devices"' \
	device "$W/cheat" activate
says "its manifest for such a device" 'E12.*signed by "Cheat Co" and names device 00020001 of "Acme Devices"' \
	node --dir "$W/node" import "$W/cheat/manifest.p7"

W=$ACME/forger && mkdir "$W" && factory_init >"$ACME/forger.log" 2>&1 &&
	ca --dir "$W/factory" handoff grant "$ACME/handoff.csr" --customer plant-seven --name site-1 --out "$W/handoff.p7" \
		>>"$ACME/forger.log" 2>&1 || { tail -n 20 "$ACME/forger.log"; die "no forger"; }
W=$ACME
says "a factory of the first one's name" 'E12.*another factory with the name "Acme Devices"' node --dir "$W/node" handoff accept \
	"$W/forger/handoff.p7" --root-fingerprint "$(fingerprint "$W/forger/factory/root.pem")"
holds "the first one's device renews all the same" device "$ACME" renew
echo "$CHECKED checks, $FAILED failed"
[ "$CHECKED" -gt 0 ] && [ $FAILED = 0 ]
