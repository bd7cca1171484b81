# Every fault point of a takeover, from the operator's word on, and some of them (with --long all) with keys that the CA makes: killed
# there, started again, tried again. Afterwards each device has one active credential and one unit of the order, from the station that took
# it over, and what it had from the other one is dead.
set -u
. "$TOP/tests/fault/lib.sh"
. "$TOP/tests/fault/factory.sh"

UNITS=$DEVICES		# one each, and no second one
QUOTA=$((2 * DEVICES))	# the signer counts every key that it has signed
[ -n "$LONG" ] || TIMES=1 DAEMON_TIMES=1	# the same points as of any unit, which fault-factory cuts oftener

# The devices have not stored their certificate when they are taken from the station.
leave_pending() {
	local s
	SERIALS=$(serials $FIRST $((FIRST + DEVICES - 1)))
	for s in $SERIALS; do CASE[$s]=$(for _ in {1..60}; do echo agent.verified; done | paste -sd,); done
	for _ in {1..6}; do
		TIMEOUT=3s run_station line-5 none $SERIALS >>"$W/line-5.log" 2>&1
		all_pending && break
	done
	all_pending || die "not one pending for each: $(xargs <"$W/issued")"
	CASE=()
	for s in $SERIALS; do of_state pending "$s" >"$W/$s/old"; done
	rm -f "$W"/*/fired "$W"/*/passed "$W"/*.passed
}

all_pending() { issued factory && [ "$(grep -c ' pending ' "$W/issued")" = "$DEVICES" ]; }

take_over() {
	ca --dir "$W/factory" takeover --serial "$1" --to "${AT[$1]:-line-1}" --reason "line 5 is down" >>"$W/$1/operator.log" 2>&1
}
judge_taken() { # SERIAL CASE
	[[ " $(of_state superseded "$1" | xargs) $(of_state revoked "$1" | xargs) " == *" $(cat "$W/$1/old") "* ]] ||
		bad "$2" "what it had at the other station is not dead: $(grep "^$1" "$W/issued" | xargs)"
	grep -l "\"serial\": \"$1\"" "$W"/station-*/records/*.json | xargs -d '\n' grep -l '"outcome": "PASS"' |
		xargs -d '\n' grep -q '"taken_from": "line-5"' || bad "$2" "its record does not tell of the takeover"
}

walk_mode() {
	KEY_OPTIONS=(--key "$1")
	STATIONS="$STATIONS line-5" factory_world
	leave_pending
	save_state
	BEFORE=take_over JUDGE=judge_taken walk $((PAIRS / 10))
}
lane device walk_mode device
[ -n "$LONG" ] || SAMPLE=8
lane ca walk_mode ca
end_lanes
