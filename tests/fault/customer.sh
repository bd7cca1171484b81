# customer.sh - the customer's side of the fault walks: a node and a CA, and devices at their gate. Sourced.
FIRST=20001		# serial of the first device

# The devices have left the factory, are shipped and listed; the customer's CA and node serve. Their agent is there already.
at_the_gate() {
	local serials s group options=()
	serials=$(serials $FIRST $((FIRST + DEVICES - 1)))
	factory_init >/dev/null && factory_serve && station_init line-1 >/dev/null &&
		order_create WO-1 00020001 00020099 $((DEVICES + 3)) line-1 >/dev/null || die "no factory"
	while read -ra group; do
		FARM_OPTIONS=()
		for s in "${group[@]}"; do
			mkdir "$W/$s" && ln -s "$BUILD/handsel-agent" "$W/$s/agent"
			FARM_OPTIONS+=(--fault "$s=as-agent") options+=(--device "$s")
		done
		provision WO-1 line-1 "${group[*]}" </dev/null >"$W/station.log" 2>&1 || { tail -n 20 "$W/station.log"; die "no devices"; }
	done < <(xargs -n "$ON_USB" <<<"$serials")
	customer_init >/dev/null && customer_serve && node_init site-1 >/dev/null && node_serve &&
		ca --dir "$W/factory" ship --customer plant-seven "${options[@]}" --out "$W/manifest.p7" >/dev/null &&
		node --dir "$W/node" import "$W/manifest.p7" >/dev/null && node --dir "$W/node" apply >/dev/null || die "no customer"
	SERIALS=$serials
}

slot() { cat "$W/$1/store/current"; }
held() { sed 's/[ :].*//' "$W/$1/store/$(slot "$1")/request"; }

# live COMMAND SERIAL : the device until its work is done, at each power-on with the next of its faults.
live() {
	local serial=$2
	export HANDSEL_FAULT=${CASE[$serial]:-none}
	export HANDSEL_FAULT_LOG=$W/$serial/fired HANDSEL_FAULT_LIST=$W/$serial/passed
	until_true 60 "$1" "$serial" 30s >>"$W/$serial/agent.log" 2>&1 && : >"$W/$serial/done"
} 2>/dev/null

# The node tells the CA in its own time.
all_settled() {
	local s
	issued customer
	for s in $SERIALS; do
		[ "$(of_state active "$s")" = "$(held "$s")" ] && [ -z "$(of_state pending "$s")" ] || return 1
	done
}

# judge_devices JUDGE : device, node and CA agree on one active credential, and no other one is pending; JUDGE adds to that.
judge_devices() {
	local s certs=() name
	until_true 20 all_settled
	node --dir "$W/node" devices --json >"$W/devices"
	for s in $SERIALS; do
		name="${CASE[$s]:-} $s"
		[ -e "$W/$s/done" ] || { bad "$name" "not done: $(tail -n 1 "$W/$s/agent.log")"; continue; }
		[ "$(of_state active "$s")" = "$(held "$s")" ] && [ -z "$(of_state pending "$s")" ] ||
			bad "$name" "the device holds $(held "$s"), the CA has $(grep "^$s" "$W/issued" | xargs)"
		grep "\"serial\":\"$s\"" "$W/devices" | grep -q '"state":"onboarded"' ||
			bad "$name" "the node does not hold the device for onboarded"
		key_fits "$name" "$W/$s/store/$(slot "$s")"
		certs+=("$W/$s/store/$(slot "$s")/cert.pem")
		"$1" "$s" "$name"
	done
	chains_hold "$W/customer/root.pem" "${certs[@]}"
	audit_holds "$W/customer/ca.db" "$W/customer/signer.db" "$W/node/node.db"
	[ "$(sqlite3 "$W/node/node.db" "SELECT count(*) FROM audit WHERE action = 'recover'")" = 0 ] ||
		bad "batch" "the node took its database for an older one"
}

# Each device with its own faults; the daemons live.
device_batch() {
	local s
	restore_state
	supervised none customer customer_serve && supervised none node node_serve || die "no daemons"
	in_parallel live "$COMMAND"
	judge_devices "$JUDGE"
	for s in $SERIALS; do
		count_case "$s"
		[[ ${CASE[$s]} == *,* ]] || recoveries "${CASE[$s]}" "$W/$s/passed" "$TIMES" >>"$W.pairs"
	done
}

# The daemons are killed while all the devices are under way: most of them wait then, for the CA or for the node.
daemon_batch() {
	local s AT_ONCE=$DEVICES
	for s in $SERIALS; do CASE[$s]=""; done
	restore_state
	supervised "$(head -n $((DEVICES / 2)) "$W.customer" | paste -sd,)" customer customer_serve &&
		supervised "$(head -n $((DEVICES / 2)) "$W.node" | paste -sd,)" node node_serve || die "no daemons"
	in_parallel live "$COMMAND"
	judge_devices "$JUDGE"
}

walk_daemons() {
	local misses=0
	SERIALS=$(serials $FIRST $((FIRST + DEVICES - 1)))
	while [ -s "$W.customer" ] || [ -s "$W.node" ]; do
		daemon_batch
		if rest_of "$W.customer" customer && rest_of "$W.node" node; then misses=0; else misses=$((misses + 1)); fi
		[ $misses -lt 3 ] || { bad "$(head -n 1 "$W.customer") $(head -n 1 "$W.node")" "one of these never fired"; return; }
	done
}

# walk COMMAND JUDGE PAIRS : every fault point that one undisturbed COMMAND passes, here and in the daemons; then pairs.
walk() {
	local pairs=$3
	COMMAND=$1 JUDGE=$2
	SERIALS=$(printf %08d $FIRST)
	CASE=()
	restore_state
	supervised none customer customer_serve && supervised none node node_serve || die "no daemons"
	in_parallel live "$COMMAND"
	judge_devices "$JUDGE"
	stop_all
	points "$W/$SERIALS/passed" "$TIMES" >"$W.cases"
	points "$W/customer.passed" "$DAEMON_TIMES" >"$W.customer"
	points "$W/node.passed" "$DAEMON_TIMES" >"$W.node"
	echo "$COMMAND: $(wc -l <"$W.cases") points of the device, $(wc -l <"$W.customer") of the CA, $(wc -l <"$W.node") of the node"
	[ "$(wc -l <"$W.cases")" -ge 20 ] && [ "$(wc -l <"$W.customer")" -ge 10 ] && [ "$(wc -l <"$W.node")" -ge 10 ] ||
		die "too few fault points"
	: >"$W.pairs"
	walk_cases device_batch "$W.cases"
	walk_daemons
	spread "$pairs" <"$W.pairs" >"$W.chosen"
	echo "$COMMAND: $(wc -l <"$W.chosen") of $(wc -l <"$W.pairs") pairs"
	walk_cases device_batch "$W.chosen"
}
