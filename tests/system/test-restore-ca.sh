# The ledger, and then the signer's database, are put back from a backup: the CA issues nothing until an operator has reconciled
# them, what was issued stays issued, and no order ever gets more than its quota. A cut between the two is no restore.
set -eu
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel restore XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT

# says STATUS TEXT COMMAND... : it ends with that status and says TEXT.
says() {
	local status=$1 text=$2 got=0
	shift 2
	"$@" >"$W/out" 2>&1 || got=$?
	[ $got = "$status" ] || { cat "$W/out"; die "$*: status $got instead of $status"; }
	grep -qF -- "$text" "$W/out" || { cat "$W/out"; die "it does not say: $text"; }
}
issued() { ca --dir "$W/$1" issued list --state "$2" --json | sed -n 's/.*"serial":"\([0-9]*\)".*/\1/p' | sort | tr '\n' ' '; }
used() { ca --dir "$W/factory" order list --json | sed -n 's/.*"used":\([0-9]*\).*/\1/p'; }
counted() { sqlite3 "$W/factory/signer.db" "SELECT used FROM work_order"; }
build() { provision WO-1 line-1 "$@" --timeout 30s; }
attempt() { provision WO-1 line-1 "$@" --ca-wait 4s; }	# that cannot succeed: the station holds the device until this is over
backup() { rm -rf "$W/backup" && mkdir "$W/backup" && cp -a "$W/$1"/"$2".db* "$W/backup"; }	# while nothing runs
put_back() { rm -f "$W/$1"/"$2".db* && cp -a "$W/backup"/* "$W/$1"; }
operator() { local name=$1; shift; ca --dir "$W/$name" "$@"; }
audited() { sqlite3 "$W/$1/ca.db" "SELECT count(*) FROM audit WHERE action = '$2'"; }

echo "-- one device, a backup; two more, and one that is cut before its confirm: a quota of four"
factory_init >/dev/null && factory_serve && station_init line-1 >/dev/null
order_create WO-1 00020001 00020009 4 line-1 >/dev/null
build 00020001 >/dev/null
stop_all
backup factory ca
factory_serve
build "00020002 00020003" >/dev/null
stop_all
HANDSEL_FAULT=commit.after HANDSEL_FAULT_LOG="$W/fired-1" factory_serve
says 1 "total: 0 pass, 1 fail" attempt 00020004
grep -q . "$W/fired-1" || die "the CA was not cut"
stop_all
before=$(counted)
says 0 "nothing to do" operator factory reconcile
put_back factory ca

echo "-- the ledger is behind: nothing is issued, nothing is answered of what may be lost"
factory_serve
grep -q 'is recovering\|E51' "$W/factory.log" || die "serve does not tell"
cp -a "$W/00020002" "$W/genuine" && rm -rf "$W/00020002"
says 1 "E51" attempt 00020002		# a twin of one that has passed
says 1 "E51" attempt 00020005
rm -rf "$W/00020005"
status=$(curl -sk -o "$W/body" -D "$W/head" -w '%{http_code}' -H 'Content-Type: application/xml' --data \
	"<request xmlns='urn:handsel:ca:1'><confirm id='00112233445566778899aabbccddeeff' generation='1' certificate='$(printf %064d 0)'/></request>" \
	"https://127.0.0.1:$FACTORY_PORT/ca")
[ "$status" = 503 ] && grep -qi '^Retry-After:' "$W/head" && grep -qi '^Handsel-Reason: E51' "$W/head" || die "a confirm is answered $status"
[ "$(counted)" = "$before" ] || die "the signer has signed for a ledger that is behind"

echo "-- the plan changes nothing"
says 1 "nothing was changed" operator factory reconcile
for serial in 00020002 00020003 00020004; do grep -q "ledger lacks  $serial" "$W/out" || die "the plan lacks $serial"; done
[ "$(grep -c 'active ' "$W/out")" = 2 ] && [ "$(grep -c 'pending ' "$W/out")" = 1 ] || die "the plan has other states"
says 1 '"applied":false' operator factory --json reconcile
[ "$(issued factory active)" = "00020001 " ] || die "the plan was carried out"

echo "-- taken over, cut, and taken over again: what was issued is issued, in units of the order"
HANDSEL_FAULT=reconcile.agreed HANDSEL_FAULT_LOG="$W/fired-2" ca --dir "$W/factory" reconcile --apply >/dev/null 2>&1 && die "it was not cut"
[ "$(issued factory active)" = "00020001 " ] || die "half of it was carried out"
says 0 "the CA issues again" operator factory reconcile --apply
[ "$(issued factory active)" = "00020001 00020002 00020003 " ] && [ "$(issued factory pending)" = "00020004 " ] || die "not all is known"
[ "$(used)" = 4 ] || die "$(used) units are used instead of four"
[ "$(audited factory reconcile)" = 1 ] && [ "$(audited factory learn)" = 3 ] || die "the audit does not tell"

echo "-- without a restart: the cut one finishes with the same key, the twin is refused, and so is a fifth"
build 00020004 >"$W/out" || { cat "$W/out"; die "the cut one does not finish"; }
says 1 "E43" build 00020002
rm -rf "$W/00020002" && mv "$W/genuine" "$W/00020002"
says 1 "E42" build 00020005
[ "$(used)" = 4 ] && [ "$(counted)" = "$before" ] || die "the restore has cost or given a unit"
says 0 "nothing to do" operator factory reconcile

echo "-- now signer.db is put back: it would count too little"
stop_all
backup factory signer
factory_serve
operator factory rework --serial 00020003 --reason "a new board" >/dev/null
rm -rf "$W/00020003"
build 00020003 >/dev/null
before=$(counted)
stop_all
put_back factory signer
factory_serve
says 1 "E51" attempt 00020005
says 1 "signer lacks  00020003" operator factory reconcile
grep -q "signer.db is older" "$W/out" || die "it does not say which is older"
[ "$(counted)" -lt "$before" ] || die "the plan was carried out"
HANDSEL_FAULT=reconcile.agreed HANDSEL_FAULT_LOG="$W/fired-3" ca --dir "$W/factory" reconcile --apply >/dev/null 2>&1 && die "it was not cut"
says 0 "the CA issues again" operator factory reconcile --apply
[ "$(counted)" = "$before" ] || die "the signer counts $(counted) instead of $before"
says 1 "E42" build 00020005
rm -rf "$W/00020005"
says 0 "nothing to do" operator factory reconcile

echo "-- a cut between signer and ledger is no restore"
operator factory rework --serial 00020004 --reason "a new board" >/dev/null
rm -rf "$W/00020004"
stop_all
HANDSEL_FAULT=front.signed:1 HANDSEL_FAULT_LOG="$W/fired-4" factory_serve
says 1 "total: 0 pass, 1 fail" attempt 00020004
stop_all
before=$(counted)
: >"$W/factory.log"
factory_serve
grep -q "last message before the stop is in the ledger" "$W/factory.log" || { cat "$W/factory.log"; die "the last message is not in the ledger"; }
build 00020004 >/dev/null
[ "$(counted)" = "$before" ] || die "the cut has cost a key"

echo "-- the customer's CA: a device that was onboarded after the backup stays so"
customer_init >/dev/null && customer_serve && node_init site-1 >/dev/null && node_serve
operator factory ship --customer plant-seven --order WO-1 --out "$W/manifest.p7" >/dev/null
node --dir "$W/node" import "$W/manifest.p7" >/dev/null && node --dir "$W/node" apply >/dev/null
kill -HUP "$NODE_PID"
activate 00020001 --timeout 10s >/dev/null
until_true 10 eval '[ "$(issued customer active)" = "00020001 " ]'
stop_daemon "$CUSTOMER_PID" || true
backup customer ca
customer_serve
activate 00020002 --timeout 10s >/dev/null
until_true 10 eval '[ "$(issued customer active)" = "00020001 00020002 " ]'
stop_daemon "$CUSTOMER_PID" || true
put_back customer ca
customer_serve
says 3 "E51" activate 00020003 --timeout 3s
says 0 "the CA issues again" operator customer reconcile --apply
[ "$(issued customer active)" = "00020001 00020002 " ] || die "the customer's ledger does not know both"
activate 00020003 --timeout 20s >/dev/null
"$W/00020002/agent" --dir "$W/00020002/store" renew --node "https://127.0.0.1:$NODE_PORT" --timeout 20s >/dev/null
until_true 10 eval '[ "$(issued customer active)" = "00020001 00020002 00020003 " ]'
