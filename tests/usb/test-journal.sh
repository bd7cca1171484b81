# The station is killed in each phase and started again: it says what was cut, finishes it with the device, and each unit has one
# record, one certificate and one unit of the order. What cannot be finished is abandoned by rule, or by an operator; a damaged
# journal is set aside; units wait in their slots while the CA is away.
set -u
. "$(dirname "$0")/common.sh"
needs_fault_injection
factory_up
JOURNAL=$LINE/journal
next=1

new_serial() { printf -v S '%08d' $((next++)); }
journal() { "$BUILD/handsel-station" --dir "$LINE" journal "$@" >"$W/out" 2>"$W/err"; }

# Two runs under one farm: the first dies at $POINT; what the second says is what is looked at.
cat >"$W/twice" <<'SCRIPT'
HANDSEL_FAULT=$POINT HANDSEL_FAULT_LOG=$FIRED "$@" --count 1 >"$FIRED.out"
[ $? = 137 ] || exit 90
exec "$@" --count 1
SCRIPT
# Killed at $POINT, and no second run.
cat >"$W/once" <<'SCRIPT'
HANDSEL_FAULT=$POINT HANDSEL_FAULT_LOG=$FIRED "$@" --count 1
[ $? = 137 ]
SCRIPT
# cut POINT SCRIPT [FARM-OPTION...] : one new device; sets $S.
cut() {
	local script=$2
	export POINT=$1 FIRED=$W/fired
	shift 2
	rm -f "$FIRED"
	devices "$S" "$@" -- bash "$W/$script" "${STATION[@]}"
	[ $status = 0 ] && grep -q "^${POINT%:*}:" "$FIRED"
}
# one SERIAL : one record and it says PASS, one certificate, and nothing left in the journal.
one() { [ "$(records "$1")" = 1 ] && unit PASS "" "$1" && [ "$(of_state active "$1")" = 1 ] && [ "$(entries)" = 0 ]; }

# ---- each phase ------------------------------------------------------------------------
# Before the device has said who it is, a cut costs nothing: it is on record as ABORTED, without a serial.
for point in station.journal.written:1 station.dfu.block:20 station.dfu.detached station.hello; do
	new_serial
	before=$(find "$LINE" -path '*records/*.json' | wc -l)
	cut $point twice && says '"type":"cut".*"phase":"dfu".*"next":"abandoned".*start the unit again' && one "$S" &&
		[ "$(find "$LINE" -path '*records/*.json' | wc -l)" = $((before + 2)) ] && echo "ok: cut at $point" || failed "cut at $point"
done
# With a serial it goes on: POINT and the phase that is told.
while read -r point phase said; do
	new_serial
	cut "$point" twice && says "\"type\":\"cut\".*\"serial\":\"$S\".*\"phase\":\"$phase\".*\"next\":\"finish\".*$said" &&
		says "\"type\":\"note\".*was cut in phase $phase, 20.*goes on, record" && one "$S" && echo "ok: cut at $point" ||
		failed "cut at $point"
done <<'POINTS'
station.check check nothing was requested for it yet
station.prepare check nothing was requested
station.journal.written:3 ticket which never reached the CA
station.ticket ticket which never reached the CA
station.go issue request id
station.tunnel.to-ca:2 issue request id
station.result issue active: will be finished
station.proof proof active
station.record.write record active
station.record.written record it has passed, record
POINTS
# Told that it has passed, the device leaves; it need not come back for an entry that is behind the times.
for point in station.done station.journal.remove:1; do
	new_serial
	cut $point once && journal list && says "$S .*was cut in phase record" && journal abandon "$S" && [ "$(entries)" = 0 ] &&
		[ "$(records "$S")" = 1 ] && [ "$(of_state active "$S")" = 1 ] && echo "ok: cut at $point" || failed "cut at $point"
done
new_serial	# after the last step nothing is left to say
cut station.journal.removed:1 once && [ "$(entries)" = 0 ] && [ "$(records "$S")" = 1 ] && echo "ok: cut behind the last step" ||
	failed "cut behind the last step"

# Cut twice, the second time while it is taken up again: one record nevertheless.
new_serial
cut station.result once && export HANDSEL_FAULT=station.resume HANDSEL_FAULT_LOG=$W/second &&
	{ devices "$S" --fault "$S=as-agent" -- "${STATION[@]}" --count 1; unset HANDSEL_FAULT HANDSEL_FAULT_LOG; } &&
	grep -q station.resume "$W/second" && devices "$S" --fault "$S=as-agent" -- "${STATION[@]}" --count 1
ok "cut while it is resumed" one "$S"
grep -q '"times": 1' "$(grep -ls "\"serial\": \"$S\"" "$LINE"/records/*.json)" || failed "the record does not tell of the cut"

ok "one unit of the order for each" [ "$(used)" = $((next - 1)) ]

# ---- what cannot be finished -----------------------------------------------------------------
# The CA dies behind its commit, so that the request is pending, and the station while it holds the unit.
new_serial
kept=$S
stop_daemon "$FACTORY_PID"
HANDSEL_FAULT=commit.after factory_serve
: >"$W/out"
devices "$S" -- bash -c '"$@" & until grep -q "held in its slot" "$OUT"; do sleep 0.05; done; kill -9 $!; wait $!; true' - "${STATION[@]}" --count 1
factory_serve
ok "the journal is listed" eval 'journal list && says "$kept .*was cut in phase issue.*request id" && says "^1 unit$"'
ok "no second station in this folder" eval 'exec 9>"$JOURNAL/lock"; flock 9; ! journal list && says "another handsel-station"; r=$?; exec 9>&-; [ $r = 0 ]'
ok "of an order that it is not" eval 'ca --dir "$W/factory" order list >"$W/out" 2>&1; order_create USB-2 00000001 00000099 9 line-1 >"$W/out" 2>&1
	station_command USB-2 "$BUILD/handsel-agent" "$MODEL_FILE"; new_serial; devices "$S" -- "${STATION[@]}" --count 1
	[ $status = 0 ] && says "\"next\":\"kept\".*of order USB-1 and is kept" && [ "$(entries)" = 1 ]'
station_command USB-1 "$BUILD/handsel-agent" "$MODEL_FILE"
before=$(used)
ok "an operator abandons it, and is cut when the CA knows" eval '! HANDSEL_FAULT=station.standing.revoked journal abandon $kept && [ "$(entries)" = 1 ]'
ok "an operator abandons it, to the end" eval 'journal abandon $kept && [ "$(entries)" = 0 ] && [ "$(of_state active $kept)" = 0 ] && [ "$(of_state pending $kept)" = 0 ]'
ok "its unit goes back to the order" [ "$(used)" = $((before - 1)) ]
ok "its record says so" eval 'f=$(grep -ls "\"serial\": \"$kept\"" "$LINE"/records/*.json); grep -q "\"outcome\": \"ABORTED\"" "$f" && grep -q "an operator has abandoned" "$f"'
ok "a unit that the journal does not know" eval '! journal abandon $kept && says "E71"'
S=$kept
devices "$S" -- "${STATION[@]}" --count 1
ok "abandoned, and made anew" unit PASS "" "$S"

new_serial
cut station.result once
ok "one that is active is not given up" eval '! journal abandon $S && says "E43: unit $S has its credential already.*handsel-ca rework --serial $S" && ! says "credential of the right role" && [ "$(entries)" = 1 ]'
ca --dir "$W/factory" rework --serial "$S" --reason "board exchanged" >"$W/out" 2>&1
devices "$S" --fault "$S=as-agent" -- "${STATION[@]}" --count 1
ok "what the CA has revoked is abandoned by rule" says '"next":"abandoned".*which the CA calls revoked'

# ---- one serial twice -----------------------------------------------------------------------
# At once: both wait for their labels when the second one says it, so neither gets a credential.
new_serial
first=$S
new_serial
: >"$W/out"
devices "$first $S" --fault "$S=wrong-serial:$first" -- "${STATION[@]}" --count 2 --timeout 20s --labels - < <(
	until [ "$(grep -c '"phase":"check"' "$W/out")" = 2 ]; do sleep 0.05; done
	sleep 1
	echo "$first"
)
ok "two at once: neither passes" eval '! unit PASS "" && [ "$(grep -c "\"code\":\"E45\".*put both aside" "$W/out")" = 2 ] && [ "$(of_state active "$first")" = 0 ]'
# One after the other: the copy is refused, and told of the first time.
new_serial
first=$S
# Somebody logs in, then plugs it in.
cat >"$W/logged-in" <<'SCRIPT'
"$@" < <(
	echo OP:4711
	until grep -qs '"type":"operator"' "$OUT"; do sleep 0.05; done
	kill -USR1 $PPID
	echo "$LABEL"
)
SCRIPT
export LABEL=$S
devices "$S" --fault "$S=held" -- bash "$W/logged-in" "${STATION[@]}" --count 1 --labels -
ok "the first of two passes" unit PASS "" "$first"
id=$(sed -n 's/.*"outcome":"PASS".*"record":"\([0-9a-f]*\)".*/\1/p' "$W/out")
new_serial
devices "$S" --fault "$S=wrong-serial:$first" -- "${STATION[@]}" --count 1
ok "the second is told of it" eval 'unit FAIL E43 && says "serial $first passed on 20..-..-..T..:..:..Z at station line-1, slot 1-1, by 4711, record $id"'

# ---- a damaged journal -----------------------------------------------------------------------
new_serial
cut station.prepare once
file=$(find "$JOURNAL" -name '*.yaml')
sed -i 's/^slot: .*/slot: x/' "$file"
devices "$S" --fault "$S=as-agent" -- "${STATION[@]}" --count 1
ok "a damaged journal is set aside" eval 'unit PASS "" "$S" && says "cannot be read; it is kept as" && [ -e "$file.damaged" ] && [ "$(entries)" = 0 ]'

# ---- a transfer that fails --------------------------------------------------------------------
new_serial
devices "$S" --fault "$S=stall:3" -- "${STATION[@]}" --count 1 --max-attempts 2
ok "as many attempts as wanted" eval 'unit FAIL E61 && says "attempt 2 of 2" && ! says "attempt 3"'
devices "$S" --fault "$S=stall:3" -- "${STATION[@]}" --count 1 --max-attempts 1
ok "or one" eval 'unit FAIL E61 && ! says "attempt 2"'

# ---- the CA is away -----------------------------------------------------------------------------
# It goes while the label is scanned. It stays away longer than the unit's own time: that does not count.
mkfifo "$W/scanner"
exec 8<>"$W/scanner"
# away STATION-OPTION... : the run in the background, as $run.
away() {
	new_serial
	mkdir "$W/$S" && ln -s "$BUILD/handsel-agent" "$W/$S/agent"
	: >"$W/out"
	(devices "$S" --fault "$S=as-agent" -- "${STATION[@]}" --count 1 --labels - "$@" <"$W/scanner"; exit $status) &
	run=$!
	until_true 20 grep -qs '"phase":"check"' "$W/out"
	stop_daemon "$FACTORY_PID"
	echo "$S" >&8
	until_true 20 grep -qs 'held in its slot until the CA is back' "$W/out" || failed "nobody says that the unit is held"
}
away --timeout 10s
sleep 12
factory_serve
wait $run
ok "held while the CA is away, longer than --timeout" eval 'unit PASS "" "$S" && says "the CA answers: the unit goes on" && [ "$(records "$S")" = 1 ]'
away --ca-wait 2s
wait $run
ok "held as long as --ca-wait says" eval 'grep -qE "\"code\":\"(E51|E03)\"" "$W/out"'

ok "all records verify, those of cut and of abandoned units too" eval '"$BUILD/handsel-station" --dir "$LINE" record verify >"$W/out" 2>"$W/err"'
for f in "$LINE"/records/*.json; do
	grep -q '"cut"' "$f" || continue
	/usr/bin/python3 -W ignore -m jsonschema -i "$f" "$TOP/profiles/schema/handsel-record-1.json" >"$W/out" 2>&1 ||
		failed "the schema does not allow $f"
done

[ $failures = 0 ] || exit 1
echo "journal: all right"
