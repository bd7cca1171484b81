# Records reach the plant's MES, by a program and by HTTPS: those of a time without it, too, each of them, and what it refuses is kept with
# the reason. Reports of the same records.
set -u
. "$(dirname "$0")/common.sh"
factory_up
D=$W/station-line-1
M=$W/mes
mkdir "$M"
cp "$D/station.yaml" "$W/station.yaml"
station_says() { "$BUILD/handsel-station" --dir "$D" "$@" >"$W/out" 2>"$W/err"; }
settings() { { cat "$W/station.yaml"; printf '%s\n' "$@"; } >"$D/station.yaml"; }
waiting() { find "$D/spool" -maxdepth 1 -name '*.json' | wc -l; }
# all_there : is every record of the index at the MES, byte for byte?
all_there() {
	local id
	while read -r _ id _; do cmp -s "$D/records/$id.json" "$M/$id.json" || return 1; done <"$D/records/index"
}

# ---- a program ----
cat >"$W/program" <<'SCRIPT'
#!/bin/sh
status=$(cat "$1/status")
[ "$status" = 0 ] && cat >"$1/$HANDSEL_RECORD_ID.json" && echo x >>"$1/$HANDSEL_RECORD_ID.count"
echo "the database sleeps"
exit "$status"
SCRIPT
chmod +x "$W/program"
settings 'mes:' "  program: [\"$W/program\", \"$M\"]"
echo 0 >"$M/status"
station_says queue drop 4f0c5a1e9b7d42c8a6f3e1d05b9c7a24 --reason "a typo"
[ $? = 2 ] && grep -q 'E71: no record of this station has waited' "$W/err" || failed "queue drop before there is a queue"
devices 00000001 -- "${STATION[@]}" --count 1
unit PASS "" 00000001 && [ "$(waiting)" = 0 ] && all_there && echo "ok: a program takes the record" || failed "a record by a program"

echo 75 >"$M/status"
devices "$(serials 2 9)" -- "${STATION[@]}" --count 8
[ $status = 0 ] && [ "$(waiting)" = 8 ] && grep -q 'ended with 75: the database sleeps; records wait' "$W/err" &&
	grep -q '8 records wait for the MES' "$W/err" && echo "ok: units pass while the MES is away" || failed "without the MES: $(waiting) wait"
station_says queue list && grep -q '^8 waiting, 0 refused$' "$W/out" || failed "queue list"
station_says queue retry
[ $? = 3 ] || failed "queue retry without the MES: another exit status than 3"
station_says doctor
grep -q '^ ! mes .*E03 8 records wait, the oldest since 20' "$W/out" || failed "doctor does not say what waits for the MES"
# The run goes on while the MES comes back, and says how many wait.
cat >"$W/comes-back" <<'SCRIPT'
. "$TOP/tests/system/lib.sh"
"$@" &
queue_says() { grep -q "\"what\":\"MES queue\",\"text\":\"$1\"" "$OUT"; }
until_true 30 queue_says 9 && echo 0 >"$MES/status" && until_true 30 queue_says 0
kill -INT $!
wait $!
SCRIPT
export MES=$M
devices 00000010 -- bash "$W/comes-back" "${STATION[@]}"
[ "$(waiting)" = 0 ] && all_there && echo "ok: what waits is sent when the MES is back" || failed "not all arrived"

echo 65 >"$M/status"
devices 00000011 -- "${STATION[@]}" --count 1
id=$(tail -n 1 "$D/records/index" | cut -d ' ' -f 2)
[ "$(waiting)" = 0 ] && station_says queue list && grep -q "^$id  refused .*  unit 00000011  .*the database sleeps$" "$W/out" && echo "ok: what is refused is kept" ||
	failed "refused for good"
echo 0 >"$M/status"
if has_fault_injection; then
	for point in station.mes.explained station.mes.moved; do
		! HANDSEL_FAULT=$point HANDSEL_FAULT_LOG="$W/fired-$point" station_says queue retry "$id" && [ -s "$W/fired-$point" ] || failed "no cut at $point"
	done
fi
station_says queue retry "$id" && all_there && [ ! -e "$D/spool/refused/$id.json" ] || failed "queue retry of a refused record"

# A cut between the answer of the MES and our note of it: it comes twice, under the same id.
if has_fault_injection; then
	export FIRED=$W/fired
	cat >"$W/twice" <<'SCRIPT'
HANDSEL_FAULT=station.mes.taken HANDSEL_FAULT_LOG=$FIRED "$@" --count 1
exec "${@:1:3}" queue retry
SCRIPT
	devices 00000012 -- bash "$W/twice" "${STATION[@]}"
	id=$(tail -n 1 "$D/records/index" | cut -d ' ' -f 2)
	grep -q station.mes.taken "$FIRED" && [ "$(wc -l <"$M/$id.count")" = 2 ] && all_there && [ "$(waiting)" = 0 ] ||
		failed "a cut after the MES took the record"
fi

# ---- HTTPS ----
make_cert() {	# NAME SAN
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -days 2 -keyout "$W/$1.key" -out "$W/$1.pem" \
		-CA "$W/mesroot.pem" -CAkey "$W/mesroot.key" -addext basicConstraints=critical,CA:FALSE -addext keyUsage=digitalSignature \
		-addext extendedKeyUsage=serverAuth -addext "subjectAltName=$2"
}
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=mes root" -days 2 -keyout "$W/mesroot.key" \
		-out "$W/mesroot.pem" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign &&
		make_cert good IP:127.0.0.1,DNS:localhost && make_cert other DNS:other.example
} >"$W/out" 2>"$W/err" || failed "no certificates for the MES"
mes_serve() {	# NAME of the certificate
	rm -f "$M/port"
	/usr/bin/python3 "$TOP/tests/usb/mes_server.py" "$W/$1.pem" "$W/$1.key" "$M" >"$W/mes.log" 2>&1 &
	MES_PID=$!
	STARTED+=("$MES_PID")
	until_true 20 test -s "$M/port" || failed "the MES does not start"
	mes_settings
}
mes_settings() { settings 'mes:' "  url: \"https://127.0.0.1:$(cat "$M/port")/records\"" "  ca: \"$W/mesroot.pem\""; }
echo 200 >"$M/status"
mes_serve good
devices 00000013 -- "${STATION[@]}" --count 1
unit PASS "" 00000013 && [ "$(waiting)" = 0 ] && all_there && echo "ok: HTTPS" || failed "a record by HTTPS"
for answer in 14:503 19:404 20:401; do
	n=${answer%:*} answer=${answer#*:}
	echo "$answer" >"$M/status"
	devices "000000$n" -- "${STATION[@]}" --count 1 --timeout 20s
	[ "$(waiting)" -gt 0 ] && grep -q "HTTP status $answer" "$W/err" || failed "a MES that answers $answer: not kept"
done
echo 422 >"$M/status"
station_says queue retry
[ $? = 1 ] && [ "$(waiting)" = 0 ] && station_says queue list && grep -q 'refused .*HTTP status 422: order 7 is not known here' "$W/out" || failed "422"
echo 200 >"$M/status"
station_says --json queue retry && [ "$(jq .taken "$W/out")" -gt 0 ] && all_there || failed "queue retry after 422"
# One record at which it fails for ever holds up those of its own unit, in their order, and no others.
echo 500 >"$M/status-00000016"
devices 00000016 -- "${STATION[@]}" --count 1
bad=$(tail -n 1 "$D/records/index" | cut -d ' ' -f 2)
devices "00000017 00000018" -- "${STATION[@]}" --count 2
[ $status = 0 ] && [ "$(waiting)" = 1 ] && [ -s "$M/$(tail -n 1 "$D/records/index" | cut -d ' ' -f 2).json" ] && station_says queue list &&
	grep -qE "^$bad  held .*since 20.*, [0-9]+ s  unit 00000016, [1-9][0-9]* tr(y|ies)  MES: HTTP status 500: order 7" "$W/out" || failed "a record that fails for ever"
station_says --json queue list && jq -se '.[0].state == "held" and .[0].serial == "00000016" and .[0].tries > 0 and .[0].age >= 0' "$W/out" >/dev/null ||
	failed "queue list --json"
devices 00000016 -- "${STATION[@]}" --count 1 --timeout 20s
behind=$(tail -n 1 "$D/records/index" | cut -d ' ' -f 2)
[ "$(waiting)" = 2 ] && [ "$bad" != "$behind" ] || failed "a record went before an older one of its unit"
station_says queue retry "$behind"
[ $? = 3 ] && [ "$(waiting)" = 2 ] && [ ! -e "$M/$behind.json" ] || failed "queue retry of one behind another"
station_says queue drop "$bad"
[ $? = 2 ] && grep -q -- '--reason TEXT is needed' "$W/err" || failed "queue drop without a reason"
echo 200 >"$M/status-00000016"
station_says queue drop "$bad" --reason "entered by hand" --operator m.r && station_says queue retry && [ "$(waiting)" = 0 ] && [ -s "$M/$behind.json" ] &&
	[ ! -e "$M/$bad.json" ] && station_says queue list --dropped && grep -q "^$bad  dropped .*  by m.r: entered by hand$" "$W/out" || failed "queue drop"
station_says queue retry "$bad" && all_there && echo "ok: one record that fails for ever" || failed "what was dropped does not come back"
rm "$M/status-00000016"
stop_daemon "$MES_PID"
devices 00000015 -- "${STATION[@]}" --count 1
unit PASS "" 00000015 && [ "$(waiting)" = 1 ] || failed "nobody listens: the unit does not pass, or its record is lost"
mes_serve other
station_says queue retry
[ $? = 3 ] && grep -q 'E12.*not for 127.0.0.1' "$W/err" && [ ! -e "$M/$(tail -n 1 "$D/records/index" | cut -d ' ' -f 2).json" ] ||
	failed "a server with a certificate for another name gets a record"
stop_daemon "$MES_PID"
mes_serve good
station_says queue retry && all_there && echo "ok: whatever was kept has arrived" || failed "the end of the queue"
station_says record verify || failed "the records of all this are bad"

# ---- reports ----
n=$(wc -l <"$D/records/index")
station_says report && [ "$(awk '$1 ~ /^[A-Z]+$/ { n += $2 } END { print n }' "$W/out")" = "$n" ] || failed "report"
grep -q '^first-pass yield [0-9.]* %: [0-9]* of 2[0-9] units passed at their first try$' "$W/out" || failed "no first-pass yield in the report"
station_says report --order USB-1 --csv && /usr/bin/python3 - "$W/out" "$n" <<'PY' || failed "report --csv"
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1], newline="")))
assert len(rows) == int(sys.argv[2]), len(rows)
assert all(len(r["record_id"]) == 32 and r["order"] == "USB-1" and None not in r for r in rows)
assert open(sys.argv[1], "rb").read().count(b"\r\n") == len(rows) + 1
PY
station_says report --order USB-2 --csv && [ "$(wc -l <"$W/out")" = 1 ] || failed "report of another order"
station_says report --junit && [ "$(xmllint --xpath 'count(//testcase)' "$W/out")" = "$n" ] &&
	[ "$(xmllint --xpath 'string(//testsuite/@tests)' "$W/out")" = "$n" ] || failed "report --junit"
station_says --json report --shift "$(date -u -d '1 hour ago' +%FT%TZ)..$(date -u -d '1 hour' +%FT%TZ)" &&
	[ "$(jq -s '[.[] | select(.type == "result") | .PASS + .FAIL + .ERROR + .TIMEOUT + .ABORTED + .SKIPPED][0]' "$W/out")" = "$n" ] || failed "report --shift"
station_says --json report --shift 2026-01-01T00:00:00Z..2026-01-02T00:00:00Z && [ "$(jq -s '.[-1].PASS' "$W/out")" = 0 ] || failed "an old shift"
station_says report --shift yesterday
[ $? = 2 ] || failed "a shift that is none"

[ $failures = 0 ] || exit 1
echo "mes: all right"
