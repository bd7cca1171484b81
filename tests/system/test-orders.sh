# The life of a work order: extended while a station works on it, closed, and reconciled with the stations' records.
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

echo "-- reconciled while a line works on it"
# line_works : loads six devices, and reworks one of them, while the order is reconciled again and again.
line_works() {
	local line times=0
	order_create WO-2 00030001 00030009 9 line-2 >/dev/null || return
	{ provision WO-2 line-2 "00030001 00030002 00030003 00030004 00030005 00030006" --timeout 60s &&
		operator rework --serial 00030001 --reason "new board"; } >"$W/line.log" 2>&1 &
	line=$!
	while kill -0 $line 2>/dev/null; do
		operator order reconcile WO-2 || return
		times=$((times + 1))
	done
	wait $line && [ $times -ge 1 ] && operator order reconcile WO-2
}
holds "ledger and signer never differ" line_works

echo "-- closed"
holds "is closed" operator order close WO-1
says "and not extended" 'E41.*not extended' operator order extend WO-1 --quota 9
says "nor worked on" 'E41' at 00020005
holds "the chains of the audits hold" "$BUILD/tests/fault/audit" "$W/factory/ca.db" "$W/factory/signer.db"

echo "-- reconciled"
account() { operator order reconcile WO-1 --records "$W/station-line-1" --records "$W/station-line-2" "$@"; }
holds "all agree" account --out "$W/report"
grep -q '"ordered":4,"good":4,"scrap":0,"open":0,"pending":0,"keys":4,.*"records":[4-9].*"passed":4,"differences":0' "$W/report"
holds "4 = 4 + 0 + 0, four keys" [ $? = 0 ]
holds "the report is signed" openssl cms -verify -binary -inform DER -in "$W/report.p7" -CAfile "$W/factory/root.pem" -purpose any -out "$W/signed"
holds "as it stands" cmp "$W/report" "$W/signed"
says "without line-2's records its PASS is missing" '^00020004 .*no station has a record' operator order reconcile WO-1 --records "$W/station-line-1"
operator rework --serial 00020001 --reason "new board" >/dev/null
holds "a reworked unit is no difference" account
grep -q '= 3 good + 1 scrap + 0 open' "$W/holds.log"
holds "it is scrap until it is made again" [ $? = 0 ]
cp -a "$W/station-line-2" "$W/forged"
sed -i 's/00020004/00020005/g' "$W"/forged/records/*.json
says "a changed record" '^00020004 .*is bad' operator order reconcile WO-1 --records "$W/station-line-1" --records "$W/forged"
sed -i 1d "$W/station-line-1/records/index"
says "a record that was removed" 'record was removed' account
cp "$W/factory/ca.db" "$W/ca.db"
sqlite3 "$W/factory/ca.db" "UPDATE work_order SET used = 2; UPDATE request SET state = 'pending' WHERE device = 3"
says "an edited ledger: units" '^- .*2 units are booked, but 4' account
says "an edited ledger: state" '^00020003 .*is pending to the ledger and active to the signer' account
says "and the device did not confirm" '^00020003 .*has not confirmed' account

echo "$CHECKED checks, $FAILED failed"
[ "$FAILED" = 0 ]
