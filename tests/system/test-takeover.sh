# A unit that one station could not finish: another one takes it over by an operator's word, and both are told. A unit that has
# passed is made anew by a rework alone.
set -eu
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel takeover XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT
SERIAL=00020001

# fails TEXT COMMAND... : it fails, and says TEXT.
fails() {
	local text=$1
	shift
	if "$@" >"$W/out" 2>&1; then cat "$W/out"; die "$* should have failed"; fi
	grep -qF -- "$text" "$W/out" || { cat "$W/out"; die "it does not say: $text"; }
}
says() {
	local text=$1
	shift
	"$@" >"$W/out" 2>&1 || { cat "$W/out"; die "$* failed"; }
	grep -qF -- "$text" "$W/out" || { cat "$W/out"; die "it does not say: $text"; }
}
at() { provision WO-1 "$1" "$SERIAL" --timeout 20s; }
states() { ca --dir "$W/factory" issued list --state "$1" --json | grep -c '"type":"issued"' || true; }
used() { ca --dir "$W/factory" order list --json | sed -n 's/.*"used":\([0-9]*\).*/\1/p'; }
last_record() { ls -t "$W/station-$1"/records/*.json | head -n 1; }
wipe() { rm -rf "${W:?}/$SERIAL"; }
operator() { ca --dir "$W/factory" "$@"; }

factory_init >/dev/null && factory_serve && station_init line-1 >/dev/null && station_init line-2 >/dev/null
order_create WO-1 00020001 00020009 2 line-1 line-2 >/dev/null

echo "-- the device leaves line-1 between the certificate and its confirm"
fails "nothing was ever issued" operator takeover --serial $SERIAL --to line-2 --reason "line 1 is down"
stop_all
HANDSEL_FAULT=commit.after HANDSEL_FAULT_LOG="$W/fired" factory_serve
fails "ERROR" provision WO-1 line-1 $SERIAL --ca-wait 2s
grep -q . "$W/fired" || die "nothing was cut"
stop_all
factory_serve
[ "$(states pending)" = 1 ] || die "nothing is pending"
cp -a "$W/$SERIAL" "$W/twin"

echo "-- line-2 may not, until an operator says so"
fails "station line-1 works on this serial" at line-2
grep -q "handsel-ca takeover --serial $SERIAL --to line-2" "$W/out" || die "the command is not named"
fails "no station of this name" operator takeover --serial $SERIAL --to line-3 --reason "line 1 is down"
fails "--reason is missing" operator takeover --serial $SERIAL --to line-2
fails "has serial $SERIAL already" operator takeover --serial $SERIAL --to line-1 --reason "line 1 is down"
says "takes it over from station line-1" operator takeover --serial $SERIAL --to line-2 --reason "line 1 is down"
says "taken over from station line-1" at line-2
grep -q '"taken_from": "line-1"' "$(last_record line-2)" || die "the record of line-2 does not tell"
[ "$(states active)" = 1 ] && [ "$(states superseded)" = 1 ] && [ "$(used)" = 1 ] || die "not one active, one superseded, one unit"

echo "-- line-1 is told"
mv "$W/$SERIAL" "$W/good" && mv "$W/twin" "$W/$SERIAL"
fails "taken over by station line-2" at line-1
grep -q '"taken_by": "line-2"' "$(last_record line-1)" || die "the record of line-1 does not tell"
wipe && mv "$W/good" "$W/$SERIAL"
fails "only a rework" operator takeover --serial $SERIAL --to line-1 --reason "again"

echo "-- a rework, and only that, issues again"
mv "$W/$SERIAL" "$W/old"
fails "handsel-ca rework --serial $SERIAL" at line-2
says "may be issued once more" operator rework --serial $SERIAL --reason "new board, ticket 4711"
fails "just goes on" operator rework --serial $SERIAL --reason "twice"
[ "$(states active)" = 0 ] || die "the old credential is still active"
wipe && mv "$W/old" "$W/$SERIAL"
fails "its store must be wiped" at line-2	# with the store that it had
fails "its store must be wiped" at line-1	# which never saw that credential
cp -a "$W/$SERIAL" "$W/old" && wipe
says "PASS" at line-2
[ "$(states active)" = 1 ] && [ "$(used)" = 1 ] || die "not one active in one unit"
mv "$W/$SERIAL" "$W/new"
fails "handsel-ca rework" at line-2		# a third one of that serial
wipe && mv "$W/new" "$W/$SERIAL"

echo "-- the books are searched by serial, name, key, time and state, and exported"
[ "$(states active)" = 1 ] || die "not one active"
operator issued list --status active --format csv >"$W/list.csv"
[ "$(wc -l <"$W/list.csv")" = 2 ] || die "not a line of names and one of values"
says '"pem":"-----BEGIN' operator issued show $SERIAL --json
field() { sed -n "/\"state\":\"active\"/s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$W/out"; }
key=$(field key_sha256) serial=$(field certificate_serial) id=$(field id) name=$(field manufacturer)/$(field model)/$SERIAL
[ -n "$key" ] && [ -n "$serial" ] && [ -n "$id" ] || die "the active one is not shown whole"
for by in "--key $key" "--serial $serial" "--serial $id" "--status active --since 2020-01-01"; do
	# shellcheck disable=SC2086 # two words
	[ "$(operator issued list $by --json | grep -c '"type":"issued"')" = 1 ] || die "not one by $by"
done
all=$(operator issued list --name "$name" --json | wc -l)
[ "$all" = "$(operator issued list --serial $SERIAL --json | wc -l)" ] && [ "$all" -gt 2 ] || die "not all by their name"
says '"exported":' operator issued export --out "$W/all.jsonl" --json
[ "$(grep -c '"pem":"-----BEGIN' "$W/all.jsonl")" -ge "$all" ] && [ ! -e "$W/all.jsonl.part" ] || die "the export is not whole"
fails "like 2026-11-22" operator issued list --since yesterday
fails "must be reserved" operator issued list --status gone
fails "MANUFACTURER/MODEL/SERIAL" operator issued list --name $SERIAL
fails "64 hex digits" operator issued list --key 12
fails "json or csv" operator issued list --format xml
fails "cannot write" operator issued export --out "$W/none/all.csv" --format csv

echo "-- the customer takes the reworked one alone"
customer_init >/dev/null && customer_serve && node_init site-1 >/dev/null && node_serve
operator ship --customer plant-seven --device $SERIAL --out "$W/manifest.p7" >/dev/null
node --dir "$W/node" import "$W/manifest.p7" >/dev/null && node --dir "$W/node" apply >/dev/null
kill -HUP "$NODE_PID"
mv "$W/$SERIAL" "$W/new" && mv "$W/old" "$W/$SERIAL"
fails "E2" activate $SERIAL --timeout 3s
wipe && mv "$W/new" "$W/$SERIAL"
activate $SERIAL --timeout 10s >/dev/null
