# factory.sh - the factory's side of the fault walks: a CA, stations, and devices on their USB ports. Sourced.
FIRST=20001		# serial of the first device
QUOTA=$DEVICES
STATIONS="line-1 line-2 line-3 line-4"
TIMEOUT=60s		# of a unit
UNITS=""		# of the order that are used in the end, if not one for each device of the batch
BEFORE=""		# a command for each device, before a station works on it
SAMPLE=""		# so many faults of device, CA and station each, instead of all
JUDGE=nothing_more	# a command for each device, beside what all are judged by
nothing_more() { :; }

factory_world() {
	local s
	factory_init >/dev/null && factory_serve || die "no factory"
	for s in $STATIONS; do station_init "$s" >/dev/null || die "no station"; done
	order_create WO-1 00020001 00020099 "$QUOTA" $STATIONS >/dev/null || die "no order"
	for s in $(serials $FIRST $((FIRST + DEVICES - 1))); do mkdir "$W/$s" && ln -s "$BUILD/handsel-agent" "$W/$s/agent"; done
}

# passed STATION : the serials of which it has a record that says so.
passed() {
	local records
	mapfile -t records < <(grep -ls '"outcome": "PASS"' "$W/station-$1"/records/*.json)
	[ ${#records[@]} = 0 ] || sed -n 's/^    "serial": "\(.*\)",$/\1/p' "${records[@]}"
}

# run_station STATION FAULTS SERIAL... : one run over these devices, each with its own faults.
run_station() {
	local name=$1 faults=$2 s
	shift 2
	FARM_OPTIONS=()
	for s in "$@"; do
		FARM_OPTIONS+=(--fault "$s=fault-points:${CASE[$s]:-none}")
		[ -n "${DOWNLOAD:-}" ] || FARM_OPTIONS+=(--fault "$s=as-agent")
	done
	printf '%s\n' "$@" >"$W/labels-$name"
	farm "$*" -- env HANDSEL_FAULT="$faults" HANDSEL_FAULT_LOG="$W/$name.fired" HANDSEL_FAULT_LIST="$W/$name.passed" \
		"$BUILD/handsel-station" --dir "$W/station-$name" run --order WO-1 --agent "$BUILD/handsel-agent" --timeout "$TIMEOUT" --ca-wait 60s \
		--model "$TOP/profiles/models/$MODEL.yaml" --labels "$W/labels-$name" --count $# "${KEY_OPTIONS[@]}"
}

# work STATION FAULTS GROUP RUNS SERIAL... : until all have passed, so many at a time, in so many runs at most.
work() {
	local name=$1 faults=$2 group=$3 runs=$4 left
	shift 4
	while [ $((runs--)) -gt 0 ]; do
		mapfile -t left < <(printf '%s\n' "$@" | grep -vxF -f <(passed "$name"; echo none))
		[ ${#left[@]} != 0 ] || return 0
		run_station "$name" "$faults" "${left[@]:0:group}"
	done >>"$W/$name.log" 2>&1
	return 0	# who has not passed is judged
} 2>/dev/null

# before SERIAL : what an operator does, again if it was cut, twice at most.
before() {
	export HANDSEL_FAULT=${CASE[$1]:-none}
	export HANDSEL_FAULT_LOG=$W/$1/fired HANDSEL_FAULT_LIST=$W/$1/passed
	"$BEFORE" "$1" || "$BEFORE" "$1" || "$BEFORE" "$1"
	return 0	# what came of it is judged
} 2>/dev/null
prepare() { [ -z "$BEFORE" ] || in_parallel before; }

signer_count() { sqlite3 "$W/factory/signer.db" "SELECT count(*), count(DISTINCT serial) FROM counted WHERE order_id = 'WO-1'" | tr '|' ' '; }

# Every device has one active credential of its own, and the order has used one unit for each.
judge_factory() {
	local s name order used quota scrap keys counted certs=() n=0 done
	issued factory
	done=$(for s in $STATIONS; do passed "$s"; done)
	for s in $SERIALS; do
		name="${CASE[$s]:-} $s" n=$((n + 1))
		grep -qx "$s" <<<"$done" || { bad "$name" "no PASS: $(tail -n 1 "$W/${STATIONS%% *}.log")"; continue; }
		[ "$(grep -cx "$s" <<<"$done")" = 1 ] || bad "$name" "more than one record says PASS"
		[ "$(of_state active "$s" | wc -l)" = 1 ] && [ -z "$(of_state pending "$s")" ] ||
			bad "$name" "not one active certificate: $(grep "^$s" "$W/issued" | xargs)"
		[ "$(cat "$W/$s/store/current")" = factory ] || bad "$name" "the device's credential is not current"
		key_fits "$name" "$W/$s/store/factory"
		certs+=("$W/$s/store/factory/cert.pem")
		"$JUDGE" "$s" "$name"
	done
	order=$(ca --dir "$W/factory" order list --json)
	used=$(sed -n 's/.*"used":\([0-9]*\).*/\1/p' <<<"$order") quota=$(sed -n 's/.*"quota":\([0-9]*\).*/\1/p' <<<"$order")
	scrap=$(sed -n 's/.*"scrap":\([0-9]*\).*/\1/p' <<<"$order")
	n=${UNITS:-$n}
	[ "$used" = "$n" ] || bad batch "$used units of the order used instead of $n"
	read -r keys counted < <(signer_count)
	[ "$counted" = "$n" ] && [ "$keys" -le $((quota + scrap)) ] || bad batch "the signer counted $keys keys of $counted devices"
	chains_hold "$W/factory/root.pem" "${certs[@]}"
	audit_holds "$W/factory/ca.db" "$W/factory/signer.db"
}

# Each device with its own faults; station and CA live.
device_batch() {
	local s
	AT=()
	restore_state
	supervised none factory factory_serve || die "no daemon"
	prepare
	work "${STATIONS%% *}" none "$ON_USB" 12 $SERIALS
	judge_factory
	for s in $SERIALS; do
		count_case "$s"
		[[ ${CASE[$s]} == *,* ]] || recoveries "${CASE[$s]}" "$W/$s/passed" "$TIMES" >>"$W.pairs"
	done
}

# share_out : a station for each device of the batch, in turn; devices_of STATION : which it has.
declare -A AT
share_out() {
	local s i=0 all
	read -ra all <<<"$STATIONS"
	AT=()
	for s in $SERIALS; do AT[$s]=${all[i++ % ${#all[@]}]}; done
}
devices_of() { local s; for s in $SERIALS; do [ "${AT[$s]}" != "$1" ] || echo "$s"; done; }

# all_work GROUP RUNS : the stations beside each other, each with its devices and with the faults of its list, if there is one.
all_work() {
	local s faults pids=()
	for s in $STATIONS; do
		faults=$(paste -sd, "$W.list-$s" 2>/dev/null)
		work "$s" "${faults:-none}" "$1" "$2" $(devices_of "$s") &
		pids+=($!)
	done
	wait "${pids[@]}"
	judge_factory
}

# The stations are killed again and again, a few devices on the ports of each.
station_batch() {
	CASE=()
	share_out
	restore_state
	supervised none factory factory_serve || die "no daemon"
	prepare
	all_work 3 $(($(cat "$W".list-* | wc -l) + DEVICES))
}

# The CA is killed again and again, with all stations at work.
ca_batch() {
	CASE=()
	share_out
	restore_state
	supervised "$(head -n $((DEVICES / 2)) "$W.ca" | paste -sd,)" factory factory_serve || die "no daemon"
	prepare
	all_work $((12 / $(wc -w <<<"$STATIONS"))) 30
}

# walk_lists BATCH LOG=FILE... : until each fault of the files has fired, as the logs tell.
walk_lists() {
	local batch=$1 misses=0 left before list
	shift
	SERIALS=$(serials $FIRST $((FIRST + DEVICES - 1)))
	before=$(cat "${@#*=}" | wc -l)
	while [ "$before" != 0 ]; do
		"$batch"
		for list; do rest_of "${list#*=}" "${list%%=*}"; done
		left=$(cat "${@#*=}" | wc -l)
		if [ "$left" -lt "$before" ]; then misses=0; else misses=$((misses + 1)); fi
		before=$left
		[ $misses -lt 3 ] || { bad "$(cat "${@#*=}" | head -n 1)" "it never fired"; return; }
	done
}

# walk_stations FILE : its faults are shared out to the stations.
walk_stations() {
	local s i=0 lists=()
	for s in $STATIONS; do
		awk -v i=$((i++)) -v n="$(wc -w <<<"$STATIONS")" '(NR - 1) % n == i' "$1" >"$W.list-$s"
		lists+=("$s=$W.list-$s")
	done
	walk_lists station_batch "${lists[@]}"
	rm "${lists[@]#*=}"
}

# undisturbed : what one device passes, with a download and without one.
undisturbed() {
	CASE=() AT=()
	SERIALS=$(printf %08d $FIRST)
	restore_state
	supervised none factory factory_serve || die "no daemon"
	prepare
	work "${STATIONS%% *}" none 1 1 "$SERIALS"
	judge_factory
	stop_all
}

# walk PAIRS : every fault point of agent, CA and station; then pairs of the agent's.
walk() {
	local list
	undisturbed
	points "$W/$SERIALS/passed" "$TIMES" >"$W.cases"
	points "$W/factory.passed" "$DAEMON_TIMES" >"$W.ca"
	points "$W/${STATIONS%% *}.passed" "$DAEMON_TIMES" >"$W.station"
	DOWNLOAD=1 undisturbed
	points "$W/${STATIONS%% *}.passed" "$DAEMON_TIMES" | grep -vxF -f "$W.station" >"$W.loader"
	echo "$(wc -l <"$W.cases") points of the device, $(wc -l <"$W.ca") of the CA, $(wc -l <"$W.station") + $(wc -l <"$W.loader") of the station"
	[ "$(wc -l <"$W.cases")" -ge 20 ] && [ "$(wc -l <"$W.ca")" -ge 10 ] && [ "$(wc -l <"$W.station")" -ge 20 ] &&
		[ "$(wc -l <"$W.loader")" -ge 3 ] || die "too few fault points"
	[ -z "$SAMPLE" ] || for list in cases ca station loader; do
		spread "$SAMPLE" <"$W.$list" >"$W.sample" && mv "$W.sample" "$W.$list"
	done
	: >"$W.pairs"
	walk_cases device_batch "$W.cases"
	walk_lists ca_batch "factory=$W.ca"
	walk_stations "$W.station"
	DEVICES=8 DOWNLOAD=1 walk_stations "$W.loader"
	spread "$1" <"$W.pairs" >"$W.chosen"
	echo "$(wc -l <"$W.chosen") of $(wc -l <"$W.pairs") pairs"
	walk_cases device_batch "$W.chosen"
}
