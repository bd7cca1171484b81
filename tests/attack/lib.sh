# lib.sh - a factory and a customer under attack. Sourced. Each attack must be refused with its code, and change nothing.
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel attack XXXXXX") || exit 1
trap 'stop_all; rm -rf "$W"' EXIT
ATTACKS=0 THROUGH=0

# world SERIALS : all of them provisioned under WO-1 (whose quota they use up), the first shipped, listed, not yet onboarded.
world() {
	local first=${1%% *} last=${1##* }
	{
		factory_init && mkdir "$W/record" && factory_serve --record "$W/record" && station_init line-1 &&
			order_create WO-1 "$first" "$(printf %08d $((10#$last + 50)))" "$(wc -w <<<"$1")" line-1 && provision WO-1 line-1 "$1" &&
			customer_init && customer_serve && node_init site-1 && node_serve &&
			ca --dir "$W/factory" ship --customer plant-seven --device "$first" --out "$W/manifest.p7" &&
			node --dir "$W/node" import "$W/manifest.p7" && node --dir "$W/node" apply
	} >"$W/world.log" 2>&1 || {
		tail -n 20 "$W/world.log"
		die "no world to attack"
	}
	kill -HUP "$NODE_PID"
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
