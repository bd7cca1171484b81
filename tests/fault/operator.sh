# operator.sh - the fault walks of what an operator does, and of what a daemon does by itself: a command on a copy of a world. Sourced.
#
# A case has a copy of $W/start for itself. COMMAND FOLDER is killed there at its faults and done again until it succeeds, as an
# operator would, or a service manager; then JUDGE FOLDER CASE looks at what came of it.
FIRST=1			# number of the first case
AT_ONCE=2		# of each lane

# again FOLDER : the command until it succeeds, three times at most: it has two faults at most.
again() {
	local try
	for try in 1 2 3; do "$COMMAND" "$1" && return 0; done
	return 1
}

# one_case NUMBER
one_case() {
	local dir=$W/$1
	cp -a "$W/start" "$dir"
	(
		export HANDSEL_FAULT=${CASE[$1]:-none} HANDSEL_FAULT_LOG=$dir/fired HANDSEL_FAULT_LIST=$dir/passed
		again "$dir" >>"$dir/log" 2>&1
	) || bad "$WHAT ${CASE[$1]:-}" "not done: $(tail -n 1 "$dir/log")"
	"$JUDGE" "$dir" "$WHAT ${CASE[$1]:-}"
} 2>/dev/null

operator_batch() {
	local s
	in_parallel one_case
	for s in $SERIALS; do
		count_case "$s"
		[[ ${CASE[$s]} == *,* ]] || recoveries "${CASE[$s]}" "$W/$s/passed" "$TIMES" >>"$W.pairs"
		rm -rf "${W:?}/$s"
	done
}

# walk WHAT COMMAND JUDGE LEAST PAIRS [FIRST] : every fault point that one undisturbed COMMAND passes, at least so many; then pairs, among
# them all whose first is one of FIRST: behind it another process does the rest, which the counting of passings does not reach.
# DAEMON: it is one, whose threads and signer may have done by the first cut what they did after it when the passings were counted; so
# one pair, and of many one in fifty, may never meet its second.
walk() {
	WHAT=$1 COMMAND=$2 JUDGE=$3
	SERIALS=$(printf %08d $FIRST)
	CASE=()
	one_case "$SERIALS"
	points "$W/$SERIALS/passed" "$MOST" >"$W.cases"
	rm -rf "${W:?}/$SERIALS"
	[ "$(wc -l <"$W.cases")" -ge "$4" ] || die "$1: too few fault points: $(paste -sd' ' "$W.cases")"
	: >"$W.pairs"
	walk_cases operator_batch "$W.cases"
	{ spread "$5" <"$W.pairs" && grep "^${6:-none}" "$W.pairs"; } | sort -u >"$W.chosen"
	echo "$1: $(wc -l <"$W.cases") points, $(wc -l <"$W.chosen") of $(wc -l <"$W.pairs") pairs"
	MISSES=${DAEMON:+$((1 + $(wc -l <"$W.chosen") / 50))} walk_cases operator_batch "$W.chosen"
}
