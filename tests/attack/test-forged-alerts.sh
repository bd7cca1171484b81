# The network forges alerts, cuts, resets, changes, repeats and drops TLS records at every one that passes, of either way. Before
# the switch nothing is lost: the device comes through by itself or at its next start, with one credential. After the switch it
# never goes back to its factory credential.
set -u
. "$TOP/tests/attack/lib.sh"
DEVICES=${HANDSEL_LONG:+60}
DEVICES=${DEVICES:-32}	# one a case, and one to look at
first=20001
world "$(serials $first $((first + DEVICES - 1)))"
quietly ca --dir "$W/factory" ship --customer plant-seven --order WO-1 --out "$W/all.p7"
quietly node --dir "$W/node" import "$W/all.p7"
quietly node --dir "$W/node" apply

. "$TOP/tests/attack/wire.sh"
WIRED=$NODE_PORT
next_device() { SERIAL=$(printf %08d $first) store=$W/$SERIAL/store first=$((first + 1)); }
agent() { "$W/$SERIAL/agent" --dir "$store" "$1" --node "https://127.0.0.1:$2" --timeout "$3" >>"$W/agent.log" 2>&1; }
current() { cat "$store/current"; }
held() { sed 's/[ :].*//' "$store/$(current)/request"; }
active() {
	ca --dir "$W/customer" issued list --device "$SERIAL" --state active --json |
		sed -n 's/.*"type":"issued".*"id":"\([0-9a-f]*\)".*/\1/p'
}
settled() { [ "$(active)" = "$(held)" ]; }
CASES=0 DONE=0
# the number of records differs by one or two from time to time, so the last of them may not come
note_deed() {
	CASES=$((CASES + 1))
	! grep -q DEED "$W/wire.log" || DONE=$((DONE + 1))
}
most_were_done() { [ $((DONE * 10)) -ge $((CASES * 9)) ]; }

# watch VERB : how many records pass in each way when nobody interferes
watch() {
	quietly start_wire none up 1
	agent "$1" "$PORT" 10s || die "$1 fails through a wire that looks on"
	stop_wire
	UP=$(grep -c '^up record' "$W/wire.log") DOWN=$(grep -c '^down record' "$W/wire.log")
}
# each_record FUNCTION STEP : DEED WAY N for every STEP-th record, the deeds by turns; with --long twice, with two deeds
each_record() {
	local i=0 n way count round
	for round in 1 ${HANDSEL_LONG:+2}; do
		for way in down up; do
			[ $way = up ] && count=$UP || count=$DOWN
			for ((n = 1; n <= count; n += $2, i++)); do "$1" "${DEEDS[i % ${#DEEDS[@]}]}" $way $n; done
		done
		i=$((i + 1))
	done
}

new_device() {
	local rc
	next_device
	cp -a "$store/factory" "$W/before"
	quietly start_wire "$@"
	agent activate "$PORT" 3s
	rc=$?
	stop_wire
	note_deed
	[ $rc = 0 ] || holds "a new device, $*: its credential is in force" [ "$(current)" = factory ]
	agent activate "$NODE_PORT" 10s
	holds "a new device, $*: one credential, the one that it has" until_true 10 settled
	holds "a new device, $*: it has switched, and has its factory credential still" eval \
		'[ "$(current)" = customer-a ] && diff -r "$W/before" "$store/factory"'
	rm -rf "$W/before"
}

onboarded() {
	quietly start_wire "$@"
	agent renew "$PORT" 3s
	stop_wire
	note_deed
	holds "an onboarded device, $*: it did not fall back" [ "$(current)" != factory ]
	agent activate "$NODE_PORT" 10s
	holds "an onboarded device, $*: its credential is the active one" until_true 10 settled
}

next_device
watch activate
echo "$UP records go up and $DOWN come down when a device is onboarded"
[ $((UP + DOWN)) -lt $DEVICES ] || die "too few devices"
each_record new_device 1
holds "the device renews" agent renew "$NODE_PORT" 10s
watch renew
echo "$UP records go up and $DOWN come down in a renewal"
each_record onboarded "$([ -n "${HANDSEL_LONG:-}" ] && echo 1 || echo 3)"
holds "what was to be done was done: $DONE of $CASES" most_were_done
summary
