# lib.sh - walks the fault points of a transaction. Sourced by the fault tests, which need a build with --enable-fault-injection.
. "$TOP/tests/system/lib.sh"

W=$(mktemp -d "${TMPDIR:-/tmp}/handsel fault XXXXXX") || exit 1
KEPT=$W.template		# the state before each case
CASES=0 BAD=0
trap 'stop_all; [ $BAD != 0 ] || rm -rf "$W" "$KEPT"' EXIT
trap 'exit 130' INT TERM

# The ports are chosen by the first start and then kept, since the configurations name them.
save_state() { stop_all; rm -rf "$KEPT"; cp -a "$W" "$KEPT"; }
restore_state() { stop_all; rm -rf "$W"; cp -a "$KEPT" "$W"; }

# with_fault NAME COMMAND... : the fault happens once, in whichever process passes the point first.
with_fault() {
	local name=$1
	shift
	FARM_OPTIONS=(--fault "$SERIAL=env:HANDSEL_FAULT=$name")
	HANDSEL_FAULT=$name HANDSEL_FAULT_LOG="$W/fired" "$@"
}
has_fired() { grep -qxF "${1%%:*}" "$W/fired" 2>/dev/null; }

# Daemons are started again when they die; the ports are known by then.
supervised() {
	SUPERVISOR="bash $TOP/tests/fault/supervise.sh"
	"$@"
	local status=$?
	SUPERVISOR=""
	return $status
}

# points FILE : "NAME:N" for each point that one process passed N times, up to three.
points() {
	sort "$1" | uniq -c | awk '{ if ($1 > most[$2]) most[$2] = $1 }
		END { for (name in most) for (i = 1; i <= 3 && i <= most[name]; i++) print name ":" i }' | sort
}

# ---- the customer's side: what every walk of it shares ----
serve_both() { customer_serve && node_serve; }

ids() { ca --dir "$W/customer" issued list --device "$SERIAL" --state "$1" --json | sed -n 's/.*"type":"issued".*"id":"\([0-9a-f]*\)".*/\1/p'; }
held() { sed 's/[ :].*//' "$W/$SERIAL/store/$(cat "$W/$SERIAL/store/current")/request"; }
one_active() { [ "$(ids active | wc -l)" = 1 ]; }
# The node tells the CA in its own time.
settled() { [ "$(ids active)" = "$(held)" ] && [ -z "$(ids pending)" ]; }

# judge_customer FAULT : device, node and CA agree on one active credential, and no other one is pending.
judge_customer() {
	local fault=$1 cert
	until_true 10 has_fired "$fault" || { bad "$fault" "the fault never fired"; return 1; }
	until_true 15 settled || {
		bad "$fault" "the device holds $(held), at the CA are active: $(ids active), pending: $(ids pending)"
		return 1
	}
	node --dir "$W/node" devices --json | grep "\"serial\":\"$SERIAL\"" | grep -q '"state":"onboarded"' ||
		bad "$fault" "the node does not hold the device for onboarded"
	cert=$W/$SERIAL/store/$(cat "$W/$SERIAL/store/current")/cert.pem
	[ ! -e "${cert%/*}/transport.pem" ] || bad "$fault" "the transport key is still there"
	cmp -s <(openssl pkey -in "${cert%/*}/key.pem" -pubout) <(openssl x509 -in "$cert" -pubkey -noout) ||
		bad "$fault" "key and certificate differ"
	openssl verify -CAfile "$W/customer/root.pem" -untrusted "$cert" "$cert" >/dev/null 2>&1 ||
		bad "$fault" "openssl does not accept the certificate"
}

# customer_case FAULT COMMAND... : the daemons, then the command until it works, with a longer time at each try. What the daemons
# commit together differs from run to run, so a commit may not come as often as before: then once more.
customer_case() {
	local fault=$1 run try
	shift
	for run in 1 2 3; do
		restore_state
		HANDSEL_FAULT=$fault HANDSEL_FAULT_LOG="$W/fired" supervised serve_both || return 1
		for try in 1 2 3 4 5; do
			[ $try != 5 ] || return 1
			with_fault "$fault" "$@" $((2 * try))s >>"$W/agent.log" 2>&1 && break
		done
		until_true 3 has_fired "$fault" && break
	done
	return 0
}

# customer_points COMMAND... : sets $points to those that the command passes undisturbed.
customer_points() {
	restore_state
	export HANDSEL_FAULT_LIST="$KEPT.points"
	rm -f "$HANDSEL_FAULT_LIST"
	serve_both
	"$@" 10s >"$W/agent.log" 2>&1 || { cat "$W/agent.log"; die "the undisturbed run failed"; }
	until_true 10 settled || die "the node did not tell the CA"
	stop_all
	unset HANDSEL_FAULT_LIST
	points=$(points "$KEPT.points")
	rm -f "$KEPT.points"
	[ "$(wc -l <<<"$points")" -ge 15 ] || die "too few fault points: $points"
}

# walk_customer JUDGE COMMAND... : all of it. The command is called with the time that it may take.
walk_customer() {
	local judge=$1 point
	shift
	customer_points "$@"
	for point in $points; do
		CASES=$((CASES + 1))
		customer_case "$point" "$@" || { bad "$point" "not done after four tries"; tail -n 5 "$W/agent.log"; continue; }
		"$judge" "$point"
	done
}

# at_the_gate : $SERIAL has left the factory, is shipped and listed; the customer's CA and node serve.
at_the_gate() {
	factory_init >/dev/null && factory_serve && station_init line-1 >/dev/null &&
		order_create WO-1 00020001 00020009 3 line-1 >/dev/null &&
		provision WO-1 line-1 "$SERIAL" >"$W/station.log" 2>&1 || die "no device"
	customer_init >/dev/null && customer_serve && node_init site-1 >/dev/null && node_serve &&
		ca --dir "$W/factory" ship --customer plant-seven --device "$SERIAL" --out "$W/manifest.p7" >/dev/null &&
		node --dir "$W/node" import "$W/manifest.p7" >/dev/null && node --dir "$W/node" apply >/dev/null || die "no customer"
}

# bad CASE TEXT
bad() {
	BAD=$((BAD + 1))
	echo "FAILED: $1: $2"
	[ "$BAD" -gt 5 ] && exit 1
	cp -a "$W" "$W.failed-$BAD"
}

summary() {
	echo "$CASES cases, $BAD exceptions"
	[ "$CASES" -gt 0 ] && [ "$BAD" = 0 ]
}
