# The life of a work order: extended while a station works on it, closed, closed as compromised.
set -u
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel orders XXXXXX")
. "$TOP/tests/system/checks.sh"
trap 'stop_all; rm -rf "$W"' EXIT
operator() { ca --dir "$W/factory" "$@"; }
at() { provision WO-1 line-1 "$@" --timeout 20s; }
order_is() { operator order list --json | grep -q "\"id\":\"WO-1\".*$1"; }
# cut FAULT COMMAND... : the command is killed there.
cut_at() {
	local fault=$1
	shift
	HANDSEL_FAULT=$fault HANDSEL_FAULT_LOG="$W/fired" "$@"
	[ "$(cat "$W/fired")" = "$fault:1" ] && rm "$W/fired"
}

factory_init >/dev/null && factory_serve && station_init line-1 >/dev/null && station_init line-2 >/dev/null &&
	order_create WO-1 00020001 00020009 1 line-1 >/dev/null || die "no factory"

echo "-- an order is extended while the CA serves"
holds "the unit that was ordered" at 00020001
says "and no other" 'E42' at 00020002
says "of no unknown order" 'no order WO-9' operator order extend WO-9 --quota 2
holds "two units" operator order extend WO-1 --quota 2
holds "is version 2" order_is '"version":2'
holds "the second one" at 00020002
says "and no third one" 'E42' at 00020003
says "one unit is too little" 'E42.*2 units are used' operator order extend WO-1 --quota 1
holds "cut between signer and ledger" cut_at extend.signed operator order extend WO-1 --quota 3
holds "the ledger is behind" order_is '"quota":2'
says "and gives no unit" 'E42' at 00020003
holds "the same again" operator order extend WO-1 --quota 3
holds "heals it" order_is '"quota":3'
holds "the third one" at 00020003
says "line-2 may not" 'E4[0-9]' provision WO-1 line-2 00020004 --timeout 20s
holds "now it may" operator order extend WO-1 --quota 4 --station line-2 --valid 60d
holds "indeed" provision WO-1 line-2 00020004 --timeout 20s

echo "-- closed"
holds "is closed" operator order close WO-1
says "and not extended" 'E41.*not extended' operator order extend WO-1 --quota 9
says "nor worked on" 'E41' at 00020005
holds "the chains of the audits hold" "$BUILD/tests/fault/audit" "$W/factory/ca.db" "$W/factory/signer.db"

echo "$CHECKED checks, $FAILED failed"
[ "$FAILED" = 0 ]
