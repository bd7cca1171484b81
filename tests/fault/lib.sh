# lib.sh - walks the fault points of a transaction. Sourced by the fault tests, which need a build with --enable-fault-injection.
. "$TOP/tests/system/lib.sh"

W=$(mktemp -d "${TMPDIR:-/tmp}/handsel fault XXXXXX") || exit 1
KEPT=$W.template		# the state before each case
CASES=0 BAD=0
trap 'stop_all; [ $BAD != 0 ] || rm -rf "$W" "$KEPT"' EXIT
trap 'exit 130' INT TERM

# The ports are chosen by the first start and then kept, since the configurations name them.
save_state() { stop_all; rm -rf "$KEPT"; cp -a "$W" "$KEPT"; }
restore_state() { stop_all; rm -rf "$W"; cp -a "$KEPT" "$W"; }

# with_fault NAME COMMAND... : the fault happens once, in whichever process passes the point first.
with_fault() {
	local name=$1
	shift
	FARM_OPTIONS=(--fault "$SERIAL=env:HANDSEL_FAULT=$name")
	HANDSEL_FAULT=$name HANDSEL_FAULT_LOG="$W/fired" "$@"
}
has_fired() { grep -qxF "${1%%:*}" "$W/fired" 2>/dev/null; }

# Daemons are started again when they die; the ports are known by then.
supervised() {
	SUPERVISOR="bash $TOP/tests/fault/supervise.sh"
	"$@"
	local status=$?
	SUPERVISOR=""
	return $status
}

# points FILE : "NAME:N" for each point that one process passed N times, up to three.
points() {
	sort "$1" | uniq -c | awk '{ if ($1 > most[$2]) most[$2] = $1 }
		END { for (name in most) for (i = 1; i <= 3 && i <= most[name]; i++) print name ":" i }' | sort
}

# bad CASE TEXT
bad() {
	BAD=$((BAD + 1))
	echo "FAILED: $1: $2"
	[ "$BAD" -gt 5 ] && exit 1
	cp -a "$W" "$W.failed-$BAD"
}

summary() {
	echo "$CASES cases, $BAD exceptions"
	[ "$CASES" -gt 0 ] && [ "$BAD" = 0 ]
}
