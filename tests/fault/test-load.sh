# kill -9 of the CA or of its signer while the devices of two stations are served side by side, keys of the devices and keys that the CA
# makes: once at every fault point that this load passes in either process, and before and behind flushes of their databases, at a
# random passing of it. Service goes on each time, and each device asks twice and then confirms, until it is done. In the end each
# answer that was given is in the ledger, the same whenever it was asked for, the counts are exact, and the audits are whole.
set -u
. "$TOP/tests/fault/lib.sh"
DEVICES=48 HITS=10 WALKS=2	# of a round; the last passing that is chosen
[ -z "$LONG" ] || DEVICES=400 HITS=200 WALKS=10
export HANDSEL_FAULT_FLUSHES=1
make -s -C "$BUILD" tests/bench/bench >/dev/null || die "no load"

# at_station NAME FIRST OPTION... : half of the devices.
at_station() {
	local name=$1 first=$2
	shift 2
	HANDSEL_DB_RECORD="$W/answers" "$BUILD/tests/bench/bench" factory --name "$name" --first "$first" --count $((DEVICES / 2)) --again \
		--threads 6 --manufacturer "$MANUFACTURER" --model "$MODEL" --ca "127.0.0.1:$FACTORY_PORT" --root "$W/factory/root.pem" \
		--order WO-1 --key "$W/station-$name/station.key" --cert "$W/station-$name/station.pem" "$@" >>"$W/$name.log" 2>&1 ||
		bad "$name" "devices were not served: $(tail -n 2 "$W/$name.log")"
}

# round FAULTS : so many devices more, and both daemons are stopped.
served=0
round() {
	local first=$((served + 1)) other
	rm -f "$W/factory.fired" "$W/factory.passed"
	supervised "$1" factory factory_serve || die "no daemon"
	at_station line-1 $first &
	other=$!
	at_station line-2 $((first + DEVICES / 2)) --made
	wait $other
	served=$((served + DEVICES))
	stop_all
	cut -d' ' -f1 "$W/factory.passed" | sort -u >>"$W.passed"
}

# at_random FILE : "NAME:N" for each point, in any order.
at_random() {
	sort "$1" | uniq -c | awk -v hits="$HITS" -v seed="$RANDOM" '
		BEGIN { srand(seed) }
		$1 > most[$2] { most[$2] = $1 }
		END { for (name in most) print name ":" 1 + int(rand() * (most[name] < hits ? most[name] : hits)) }' | shuf
}

# recoveries_of FILE : what was passed since, and not in it: each behind a cut that leaves something to make up for.
recoveries_of() { comm -13 <(cut -d' ' -f1 "$1" | sort -u) <(sort -u "$W.passed") | sed 's/^\(.*\)$/signer.signed:2\n\1:1/'; }

judge_all() {
	local used keys counted
	"$BUILD/tests/fault/cuts" --record "$W/answers" --there "$W/factory" >"$W/judged" || bad "the load" "$(cat "$W/judged")"
	[ "$(sed 's/ .*//' "$W/judged")" = $((2 * served)) ] || bad "the load" "not $((2 * served)) answers: $(cat "$W/judged")"
	issued factory
	[ "$(grep -c ' active ' "$W/issued")" = "$served" ] && [ "$(wc -l <"$W/issued")" = "$served" ] ||
		bad "the load" "not $served certificates, all active: $(cut -d' ' -f2 "$W/issued" | sort | uniq -c | xargs)"
	used=$(ca --dir "$W/factory" order list --json | sed -n 's/.*"used":\([0-9]*\).*/\1/p')
	read -r keys counted < <(sqlite3 "$W/factory/signer.db" "SELECT count(*), count(DISTINCT serial) FROM counted" | tr '|' ' ')
	[ "$used $keys $counted" = "$served $served $served" ] || bad "the load" "$used units used, $keys keys counted of $counted devices: $served were served"
	audit_holds "$W/factory/ca.db" "$W/factory/signer.db"
}

walk_load() {
	local walk misses points
	factory_init >/dev/null && factory_serve && station_init line-1 >/dev/null && station_init line-2 >/dev/null &&
		ca --dir "$W/factory" order create --id WO-1 --model "$MODEL" --serials GB-000001-GB-999999 --quota 90000 \
			--station line-1 --station line-2 --agent "$BUILD/handsel-agent" >/dev/null || die "no factory"
	stop_all
	round none
	cp "$W/factory.passed" "$W.undisturbed"
	judge_all
	for ((walk = 0; walk < WALKS; walk++)); do
		{ at_random "$W.undisturbed" && recoveries_of "$W.undisturbed"; } >"$W.left"
		points=$(wc -l <"$W.left") misses=0
		[ "$points" -ge 25 ] && grep -q '^flush.ca.db' "$W.left" && grep -q '^flushed.signer.db' "$W.left" || die "too few fault points: $points"
		echo "$points points: $(paste -sd' ' "$W.left")"
		while [ -s "$W.left" ]; do
			round "$(paste -sd, "$W.left")"
			if rest_of "$W.left" factory; then misses=0; else misses=$((misses + 1)); fi
			[ $misses -lt 3 ] || { bad "$(head -n 1 "$W.left")" "it never fired"; break; }
		done
		judge_all
	done
	[ -n "$(recoveries_of "$W.undisturbed")" ] || die "nothing was made up for"
	echo "$served devices of two stations were served"
}
lane load walk_load
end_lanes
