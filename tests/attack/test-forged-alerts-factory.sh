# The same in the factory, between station and CA: in the device's tunnel, and in what the station asks by itself. Whatever is forged,
# the unit passes by itself or at the next try, with one credential and one unit of the order, and nobody ever passes without.
set -u
. "$TOP/tests/attack/lib.sh"
DEVICES=${HANDSEL_LONG:+99}
DEVICES=${DEVICES:-40}		# one a case at most, and one to look at
STEP=${HANDSEL_LONG:+1}
STEP=${STEP:-3}
first=20001
quietly factory_init
quietly factory_serve
quietly station_init line-1
quietly order_create WO-1 00020001 00020099 "$DEVICES" line-1
. "$TOP/tests/attack/wire.sh"
WIRED=$FACTORY_PORT
next_device() {
	SERIAL=$(printf %08d $first) first=$((first + 1))
	mkdir "$W/$SERIAL" && ln -s "$BUILD/handsel-agent" "$W/$SERIAL/agent"
	FARM_OPTIONS=(--fault "$SERIAL=as-agent")
}
# make PORT TIMEOUT : the station asks the CA there.
make() {
	sed -i "s#https://127.0.0.1:[0-9]*#https://127.0.0.1:$1#" "$W/station-line-1/station.yaml"
	provision WO-1 line-1 "$SERIAL" --timeout "$2" --ca-wait 3s >"$W/made" 2>&1
}
passed() { grep -q '=  PASS' "$W/made"; }
active() { ca --dir "$W/factory" issued list --device "$SERIAL" --state active --json | sed -n 's/.*"id":"\([0-9a-f]*\)".*/\1/p'; }
held() { sed 's/[ :].*//' "$W/$SERIAL/store/factory/request"; }
in_force() { [ "$(cat "$W/$SERIAL/store/current")" = factory ] && [ -n "$(active)" ] && [ "$(active)" = "$(held)" ]; }

new_unit() {
	next_device
	quietly start_wire "$@"
	make "$PORT" 4s
	stop_wire
	CASES=$((CASES + 1))
	! grep -q DEED "$W/wire.log" || DONE=$((DONE + 1))
	! passed || holds "$*: what has passed has its credential" in_force
	passed || make "$FACTORY_PORT" 20s
	holds "$*: it passes, at the next try at the latest" passed
	holds "$*: with one credential, the one that it has" in_force
}

CASES=0 DONE=0
next_device
quietly start_wire none up 1
make "$PORT" 20s
stop_wire
holds "a unit passes through a wire that looks on" passed
UP=$(grep -c '^up record' "$W/wire.log") DOWN=$(grep -c '^down record' "$W/wire.log")
echo "$UP records go up and $DOWN come down for one unit"
i=0
for way in down up; do
	[ $way = up ] && count=$UP || count=$DOWN
	for ((n = 1; n <= count; n += STEP, i++)); do
		[ $((CASES + 1)) -lt "$DEVICES" ] || die "too few devices"
		new_unit "${DEEDS[i % ${#DEEDS[@]}]}" $way $n
	done
done
# the number of records differs by some from time to time, so the last of them may not come
holds "what was to be done was done: $DONE of $CASES" [ $((DONE * 10)) -ge $((CASES * 8)) ]
used=$(ca --dir "$W/factory" order list --json | sed -n 's/.*"used":\([0-9]*\).*/\1/p')
holds "one unit of the order each: $used of $((CASES + 1))" [ "$used" = $((CASES + 1)) ]
summary
