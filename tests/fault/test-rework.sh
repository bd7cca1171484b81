# Every fault point of a rework, with the operator's word, with keys of the device and keys that the CA makes: killed there, started
# again, tried again. Afterwards each device has one active credential and one unit of the order, what it had before is revoked, and
# nothing of it is pending.
set -u
. "$TOP/tests/fault/lib.sh"
. "$TOP/tests/fault/factory.sh"

UNITS=$DEVICES		# one each, and no second one
QUOTA=$((2 * DEVICES))	# the signer counts every key that it has signed
[ -n "$LONG" ] || TIMES=1 DAEMON_TIMES=1	# the same points as of any unit, which fault-factory cuts oftener

old() { cat "$W/$1/old"; }
remember() {
	local s
	issued factory
	for s in $SERIALS; do of_state active "$s" >"$W/$s/old"; done
	[ "$(cat "$W"/*/old | sort -u | wc -l)" = "$DEVICES" ] || die "not all have passed"
	rm -f "$W"/*/fired "$W"/*/passed "$W"/*.passed "$W"/station-*/records/*.json
}

# A device that has passed comes back with another board: its store is empty.
rework() {
	rm -rf "$W/$1/store"
	ca --dir "$W/factory" rework --serial "$1" --reason "new board" >>"$W/$1/operator.log" 2>&1
}
judge_rework() { # SERIAL CASE
	[ "$(of_state revoked "$1")" = "$(old "$1")" ] || bad "$2" "what it had before is not revoked: $(grep "^$1" "$W/issued" | xargs)"
}

walk_mode() {
	KEY_OPTIONS=(--key "$1")
	SERIALS=$(serials $FIRST $((FIRST + DEVICES - 1)))
	factory_world
	work line-1 none "$ON_USB" 4 $SERIALS
	remember
	save_state
	BEFORE=rework JUDGE=judge_rework walk $((PAIRS / 4))
}
lane device walk_mode device
lane ca walk_mode ca
end_lanes
