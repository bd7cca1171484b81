# lib.sh - walks the fault points of a transaction. Sourced by the fault tests, which need a build with --enable-fault-injection.
#
# A walk has many devices under way in one world of daemons, and two kinds of batches: in one each device meets its own faults, a
# second one while it recovers from the first; in the other the daemons (or the stations) are killed again and again, and started
# again, while devices come and go. After each batch every device is judged, and every fault must have fired.
. "$TOP/tests/system/lib.sh"

ROOT=$(mktemp -d "${TMPDIR:-/tmp}/handsel fault XXXXXX") || exit 1
W="$ROOT/world"
DEVICES=24		# of a world
AT_ONCE=4		# devices under way
LANES=()		# "NAME PID" of the worlds that are walked at the same time
LONG=${HANDSEL_LONG:-}
TIMES=3			# up to which passing of a point a device is cut there,
DAEMON_TIMES=3		# and a daemon or a station,
PAIRS=50		# and how many of some 600 pairs of cuts are made, with each transaction and key mode
[ -z "$LONG" ] || TIMES=4 DAEMON_TIMES=12 PAIRS=100000
WORKERS=()		# of in_parallel
trap 'kill_lanes; [ -s "$ROOT/exceptions" ] || rm -rf "$ROOT"' EXIT
trap 'exit 130' INT TERM

# The ports are chosen by the first start and then kept, since the configurations name them.
save_state() { stop_all; rm -rf "$W.template"; cp -a "$W" "$W.template"; }
restore_state() { stop_all; rm -rf "$W"; cp -a "$W.template" "$W"; }

# lane NAME COMMAND... : a world of its own, at the same time as the other lanes. In the end end_lanes tells what they said.
lane() {
	local name=$1
	shift
	(
		LANE=$name W="$ROOT/$name" LANES=()
		trap '[ ${#WORKERS[@]} = 0 ] || kill "${WORKERS[@]}"; stop_all' EXIT
		trap 'exit 130' INT TERM
		mkdir "$W" && "$@"
	) >"$ROOT/$name.out" 2>&1 &
	LANES+=("$name $!")
}
kill_lanes() {
	local lane
	for lane in "${LANES[@]}"; do kill "${lane#* }" && wait "${lane#* }"; done 2>/dev/null
}
end_lanes() {
	local lane cuts exceptions
	for lane in "${LANES[@]}"; do
		wait "${lane#* }" || echo "the lane ${lane% *} broke off" >>"$ROOT/exceptions"
		sed "s/^/${lane% *}: /" "$ROOT/${lane% *}.out"
	done
	LANES=()
	cuts=$(cat "$ROOT"/*.cuts 2>/dev/null | wc -l)
	exceptions=$(cat "$ROOT/exceptions" 2>/dev/null | wc -l)
	echo "$cuts cuts, $exceptions exceptions"
	[ "$cuts" -gt 0 ] && [ "$exceptions" = 0 ]
}

# bad CASE TEXT : an exception. The first of a lane keeps its world.
bad() {
	echo "FAILED: $1: $2"
	echo "$LANE: $1: $2" >>"$ROOT/exceptions"
	[ -e "$W.failed" ] || cp -a "$W" "$W.failed"
	[ "$(wc -l <"$ROOT/exceptions")" -lt 20 ] || die "too many exceptions"
}

# supervised FAULTS LOG COMMAND... : daemons that are started again when they die, each time to meet the next fault of the list.
supervised() {
	local faults=$1 log=$2 status
	shift 2
	SUPERVISOR="bash $TOP/tests/fault/supervise.sh"
	HANDSEL_FAULT=$faults HANDSEL_FAULT_LOG="$W/$log.fired" HANDSEL_FAULT_LIST="$W/$log.passed" "$@"
	status=$?
	SUPERVISOR=""
	return $status
}

# points FILE MOST : "NAME:N" for each point that one process passed N times, up to so many; all first passings first.
points() {
	sort "$1" | uniq -c | awk -v max="$2" '{ if ($1 > most[$2]) most[$2] = $1 }
		END { for (name in most) for (i = 1; i <= max && i <= most[name]; i++) print name ":" i }' | sort -t: -k2n -k1
}
# recoveries FAULT FILE MOST : "FAULT,NAME:N" for each point that was passed after the fault.
recoveries() {
	awk -v fault="$1" -v max="$3" '
		BEGIN { split(fault, f, ":") }
		!cut { if ($1 == f[1] && ++seen[$2] == f[2]) cut = 1; next }
		{ if (++passed[$0] > most[$1]) most[$1] = passed[$0] }
		END { for (name in most) for (i = 1; i <= max && i <= most[name]; i++) print fault "," name ":" i }' "$2" | sort
}
# spread N : of the lines of stdin about N, evenly.
spread() { awk -v n="$1" '{ line[NR] = $0 } END { for (i = 0; i < NR && i < n; i++) print line[1 + int(i * NR / (n < NR ? n : NR))] }'; }

# fired_all SERIAL FAULTS : exactly these have fired, in this order.
fired_all() { [ "$(paste -sd, "$W/$1/fired" 2>/dev/null)" = "$2" ]; }

# key_fits CASE FOLDER : key and certificate in a folder of a device's store are one pair, and nothing is left of the transport key.
key_fits() {
	[ ! -e "$2/transport.pem" ] || bad "$1" "the transport key is still there"
	[ "$(openssl pkey -in "$2/key.pem" -pubout)" = "$(openssl x509 -in "$2/cert.pem" -pubkey -noout)" ] ||
		bad "$1" "key and certificate differ"
}
# chains_hold ROOT CERTIFICATE... : as openssl sees it; each file has its issuing CA in it.
chains_hold() {
	openssl verify -CAfile "$1" -untrusted "$2" "${@:2}" >"$W/verify.log" 2>&1 ||
		bad "batch" "openssl does not accept: $(grep -v ': OK$' "$W/verify.log" | head -3)"
}
# audit_holds DATABASE... : each row of the audit follows from the one before.
audit_holds() { "$BUILD/tests/fault/audit" "$@" >"$W/audit.log" 2>&1 || bad "batch" "$(cat "$W/audit.log")"; }

# issued CA : "SERIAL STATE ID" of each certificate, in $W/issued.
issued() {
	ca --dir "$W/$1" issued list --json |
		sed -n 's/.*"type":"issued","id":"\([0-9a-f]*\)".*"serial":"\([^"]*\)","state":"\([a-z]*\)".*/\2 \3 \1/p' >"$W/issued"
}
# of_state STATE SERIAL : the ids in this state.
of_state() { awk -v state="$1" -v serial="$2" '$1 == serial && $2 == state { print $3 }' "$W/issued"; }

# in_parallel COMMAND... : once for each of $SERIALS, which is added behind, $AT_ONCE at a time.
in_parallel() {
	local worker
	WORKERS=()
	for ((worker = 0; worker < AT_ONCE; worker++)); do
		(
			trap - EXIT
			i=0
			for s in $SERIALS; do
				[ $((i++ % AT_ONCE)) != "$worker" ] || "$@" "$s"
			done
		) &
		WORKERS+=($!)
	done
	wait "${WORKERS[@]}"
	WORKERS=()
}

# walk_cases BATCH FILE : the cases of the file, $DEVICES at a time; sets CASE[SERIAL] and SERIALS for BATCH, which runs and judges
# them. A device that met another number of passings than before (its fault did not fire) has its case once more, in the next batch.
# MISSES: pairs that may never meet their second.
declare -A CASE
walk_cases() {
	local batch=$1 file=$2 round line lines n serial misses=${MISSES:-0}
	for round in 1 2 3; do
		: >"$W.again"
		while mapfile -t -n "$DEVICES" lines && [ ${#lines[@]} -gt 0 ]; do
			SERIALS="" n=0
			for line in "${lines[@]}"; do
				printf -v serial %08d $((FIRST + n++))
				CASE[$serial]=$line SERIALS="$SERIALS $serial"
			done
			"$batch"
		done <"$file"
		[ -s "$W.again" ] || return 0
		mv "$W.again" "$W.round"
		file=$W.round
	done
	while read -r line; do
		if [[ $line == *,* ]] && [ $((misses--)) -gt 0 ]; then
			echo "$line: never met its second, three times"
		else
			bad "$line" "the fault never fired, three times"
		fi
	done <"$file"
}

# count_case SERIAL : its cuts count, if all of them fired; else its case comes again.
count_case() {
	local serial=$1
	if fired_all "$serial" "${CASE[$serial]}"; then
		sed "s/^/$serial /" "$W/$serial/fired" >>"$ROOT/$LANE.cuts"
	else
		echo "${CASE[$serial]}: fired only: $(paste -sd, "$W/$serial/fired" 2>/dev/null); once more"
		echo "${CASE[$serial]}" >>"$W.again"
	fi
}

# rest_of FILE LOG : takes the faults that fired from the front of the list in FILE and counts them; false if none did.
rest_of() {
	local fired
	fired=$(wc -l 2>/dev/null <"$W/$2.fired" || echo 0)
	[ "$fired" != 0 ] || [ ! -s "$1" ] || return 1
	[ "$(head -n "$fired" "$1")" = "$(cat "$W/$2.fired" 2>/dev/null)" ] || bad "$2" "other faults fired than were to"
	[ "$fired" = 0 ] || sed "s/^/$2 /" "$W/$2.fired" >>"$ROOT/$LANE.cuts"
	sed -i "1,${fired}d" "$1"
}
