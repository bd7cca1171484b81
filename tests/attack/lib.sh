# lib.sh - a factory and a customer under attack. Sourced. Each attack must be refused with its code, and change nothing.
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel attack XXXXXX") || exit 1
trap 'stop_all; rm -rf "$W"' EXIT
ATTACKS=0 THROUGH=0

# quietly COMMAND... : the setting of an attack; what it says is shown only if it fails.
quietly() {
	"$@" >>"$W/world.log" 2>&1 || {
		tail -n 20 "$W/world.log"
		die "no world to attack: $*"
	}
}

# factory_world SERIALS : all of them provisioned by line-1 under WO-1, whose quota they use up and whose range has 50 more.
factory_world() {
	local first=${1%% *} last=${1##* }
	factory_init && mkdir "$W/record" && factory_serve --record "$W/record" && station_init line-1 &&
		order_create WO-1 "$first" "$(printf %08d $((10#$last + 50)))" "$(wc -w <<<"$1")" line-1 && provision WO-1 line-1 "$1" --timeout 300s
}

# world SERIALS : factory_world, and a customer; the first is shipped, listed, not yet onboarded.
world() {
	quietly factory_world "$1"
	quietly customer_init
	quietly customer_serve
	quietly node_init site-1
	quietly node_serve
	quietly ca --dir "$W/factory" ship --customer plant-seven --device "${1%% *}" --out "$W/manifest.p7"
	quietly node --dir "$W/node" import "$W/manifest.p7"
	quietly node --dir "$W/node" apply
	kill -HUP "$NODE_PID"
}

# ---- the hands of an attacker: openssl and curl with whatever he got hold of ----
new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
new_id() { openssl rand -hex 16; }
key_hash() { openssl pkey -in "$1" -pubout -outform DER | openssl dgst -sha256 -r | cut -d ' ' -f 1; }
csr_of() { openssl req -new -key "$1" -subj /CN=x -outform DER | openssl base64 -A; }

GENERATION=1		# of the requests that are made here
# ticket STATION-FOLDER ORDER SERIAL ID KEY [MODEL] : signed by that station's key, in base64.
ticket() {
	cat >"$W/ticket.xml" <<-EOF
	<ticket xmlns="urn:handsel:ca:1" order="$2" slot="1-1" mode="device" id="$4" generation="$GENERATION"
		key-sha256="$(key_hash "$5")" not-after="$(date -u -d '+5 minutes' +%FT%TZ)">
	  <device manufacturer="$MANUFACTURER" model="${6:-$MODEL}" serial="$3"/>
	</ticket>
	EOF
	openssl cms -sign -binary -nodetach -outform DER -in "$W/ticket.xml" -signer "$1/station.pem" -inkey "$1/station.key" \
		-certfile "$W/factory/unit.pem" | openssl base64 -A
}

# issue_request SERIAL ID KEY TICKET [MODEL] : the message of a device that has this ticket.
issue_request() {
	cat <<-EOF
	<request xmlns="urn:handsel:ca:1"><issue id="$2" generation="$GENERATION">
	  <device manufacturer="$MANUFACTURER" model="${5:-$MODEL}" serial="$1"/><csr>$(csr_of "$3")</csr><ticket>$4</ticket>
	</issue></request>
	EOF
}

# post SIDE FILE [CURL-OPTION...] : a message to the CA of "factory" or "customer"; prints its answer; fails if that is a refusal.
post() {
	local side=$1 file=$2 port=$FACTORY_PORT out
	shift 2
	[ "$side" = factory ] || port=$CUSTOMER_PORT
	out=$(curl -sS -i -m 20 --cacert "$W/$side/root.pem" -H 'Content-Type: application/xml' --data-binary "@$file" "$@" \
		"https://127.0.0.1:$port/ca" 2>&1)
	printf '%s\n' "$out"
	grep -q '<reply' <<<"$out" && ! grep -q '<refused\|<dead' <<<"$out"
}

# issued_count SIDE [OPTION...] : credentials in that ledger.
issued_count() {
	local side=$1
	shift
	ca --dir "$W/$side" issued list "$@" --json | grep -c '"type":"issued"'
}

# refused CODE NAME COMMAND... : the attack fails and the answer names the code.
refused() {
	local code=$1 name=$2 out
	shift 2
	ATTACKS=$((ATTACKS + 1))
	out=$("$@" 2>&1)
	if [ $? != 0 ] && grep -q "$code" <<<"$out"; then
		echo "ok $name: $(grep -m 1 "$code" <<<"$out" | sed 's/^ *//')"
	else
		THROUGH=$((THROUGH + 1))
		printf 'FAILED %s: it was not refused with %s\n%s\n' "$name" "$code" "$out"
	fi
}

# holds NAME COMMAND... : what must be true after the attack.
holds() {
	local name=$1
	shift
	ATTACKS=$((ATTACKS + 1))
	if "$@" >"$W/holds.log" 2>&1; then
		echo "ok $name"
	else
		THROUGH=$((THROUGH + 1))
		echo "FAILED $name"
		cat "$W/holds.log"
	fi
}

summary() {
	echo "$ATTACKS attacks, $THROUGH got through"
	[ "$ATTACKS" -gt 0 ] && [ "$THROUGH" = 0 ]
}
