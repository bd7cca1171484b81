# Records: what is written is of the schema; jq and openssl verify what we sign; whatever is changed is found and named.
set -u
. "$(dirname "$0")/common.sh"
factory_up
R=$W/station-line-1/records
SCHEMA=$TOP/profiles/schema/handsel-record-1.json

station_says() { "$BUILD/handsel-station" --dir "$W/station-line-1" "$@" >"$W/out" 2>"$W/err"; }
json() { jq -r "$@"; }
record_of() { grep " $1 " "$R/index" | tail -n 1 | cut -d ' ' -f 2; }	# SERIAL or OUTCOME
jsonschema() { /usr/bin/python3 -W ignore -m jsonschema -i "$1" "$SCHEMA"; }

# ---- every outcome ----
S=00000001
devices "$S" -- "${STATION[@]}" --count 1
unit PASS "" "$S" || failed "a good unit does not pass"
devices 00000002 --fault 00000002=vanish:5 -- "${STATION[@]}" --count 1
unit FAIL E64 || failed "pulled out: no FAIL"
devices 00000003 --fault 00000003=hang:4 -- "${STATION[@]}" --count 1 --timeout 3s
unit TIMEOUT E61 || failed "a device that hangs until its time is over: no TIMEOUT"
stop_daemon "$FACTORY_PID"
devices 00000004 -- "${STATION[@]}" --count 1 --timeout 4s
[ $status = 3 ] || failed "without a CA there is no order: exit status $status"
factory_serve >"$W/out" 2>&1 || failed "the factory does not start again"
cat >"$W/away" <<'SCRIPT'
"$@" & station=$!
until grep -q '"phase":"dfu"' "$OUT"; do sleep 0.05; done
kill -TERM "$FACTORY_PID"
wait $station
SCRIPT
export FACTORY_PID
devices 00000004 -- bash "$W/away" "${STATION[@]}" --count 1 --ca-wait 2s
unit ERROR "" || failed "a CA that goes away is no ERROR of the station's side"
factory_serve >"$W/out" 2>&1 || failed "the factory does not start again"
cat >"$W/interrupt" <<'SCRIPT'
"$@" & station=$!
until grep -q '"phase":"dfu"' "$OUT"; do sleep 0.05; done
kill -INT $station
wait $station
SCRIPT
devices 00000005 --fault 00000005=poll:400 -- bash "$W/interrupt" "${STATION[@]}"
unit ABORTED "" || failed "interrupted: no ABORTED"
for outcome in PASS FAIL TIMEOUT ERROR ABORTED; do
	[ -n "$(record_of "$outcome")" ] || failed "the index has no $outcome"
done

for f in "$R"/*.json; do
	jsonschema "$f" >"$W/out" 2>&1 || failed "the schema does not allow $(basename "$f")"
done
jq '.outcome = "MAYBE"' "$R/$(record_of "$S").json" >"$W/wrong.json"
jsonschema "$W/wrong.json" >"$W/out" 2>&1 && failed "the schema allows any outcome"
[ "$(json '[.phases[].name] | unique | length' "$R/$(record_of FAIL).json")" = 11 ] || failed "phases that did not run are missing"

# ---- by foreign programs alone ----
ID=$(record_of "$S")
openssl cms -verify -binary -inform DER -in "$R/$ID.p7" -CAfile "$W/factory/root.pem" -purpose any -out "$W/content" 2>"$W/err" &&
	cmp "$W/content" "$R/$ID.json" || failed "openssl does not verify the station's signature"
nonce=$(jq -cjS 'del(.end, .outcome, .code, .reason, .text, .phases, .proof, .previous)' "$R/$ID.json" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
[ "$nonce" = "$(json .proof.station_nonce "$R/$ID.json")" ] || failed "jq and openssl see another nonce"
for part in certificate issuer signature; do json ".proof.$part" "$R/$ID.json" | openssl base64 -d -A >"$W/$part"; done
{
	printf 'handsel-challenge-v1\0line-1\0'
	printf "$(printf '%s%s' "$nonce" "$(json .proof.device_nonce "$R/$ID.json")" | sed 's/../\\x&/g')"
} >"$W/signed"
openssl x509 -inform DER -in "$W/certificate" -noout -pubkey >"$W/pub" &&
	openssl dgst -sha256 -verify "$W/pub" -signature "$W/signature" "$W/signed" >"$W/out" 2>"$W/err" ||
	failed "openssl does not verify the device's signature over the record"

# ---- ours ----
station_says record verify || failed "good records are said to be bad"
grep -q "^$(wc -l <"$R/index") records are good, 0 are bad$" "$W/out" || failed "other numbers than the index has"
station_says record show "$S" && grep -q "^outcome  PASS$" "$W/out" || failed "record show by serial"
station_says --json record show "$ID" && [ "$(json .record.device.serial "$W/out")" = "$S" ] || failed "record show --json"
station_says record show 4711 && failed "record show of nothing"

# bad WHAT TEXT ID COMMAND... : after COMMAND the record ID is bad with TEXT, and without it all is good again.
bad() {
	local what=$1 text=$2 id=$3
	shift 3
	rm -rf "$W/kept"
	cp -a "$R" "$W/kept"
	"$@"
	cmp -s "$R/index" "$W/kept/index" && diff -rq "$R" "$W/kept" >/dev/null && failed "$what: nothing was changed"
	station_says record verify && failed "$what: not found"
	grep -q "$id is bad: .*$text" "$W/out" && echo "ok: $what" || failed "$what: not named"
	rm -rf "$R"
	cp -a "$W/kept" "$R"
}
other=$(record_of FAIL)
# As somebody with the station's key, but without the device, would do it.
forge() {
	jq "$1" "$R/$ID.json" >"$W/forged.json"
	sed '1,/END CERTIFICATE/d' "$W/station-line-1/station.pem" >"$W/issuer.pem"
	openssl cms -sign -binary -nodetach -in "$W/forged.json" -signer "$W/station-line-1/station.pem" \
		-inkey "$W/station-line-1/station.key" -certfile "$W/issuer.pem" -outform DER -out "$R/$ID.p7"
	sed -i "s/$(openssl dgst -sha256 -r "$R/$ID.json" | cut -d ' ' -f 1)/$(openssl dgst -sha256 -r "$W/forged.json" | cut -d ' ' -f 1)/" "$R/index"
	cp "$W/forged.json" "$R/$ID.json"
}
bad "a changed record" "it was changed" "$ID" sed -i 's/"slot": "[^"]*"/"slot": "9"/' "$R/$ID.json"
bad "the signature of another record" "signature of another record" "$ID" cp "$R/$other.p7" "$R/$ID.p7"
bad "a changed signature" "$ID.p7" "$ID" sed -i 's/"order": "USB-1"/"order": "USB-2"/' "$R/$ID.p7"
bad "another slot, signed by the station anew" "another unit, order or slot" "$ID" forge '.slot = "9"'
bad "another time of the end, signed by the station anew" "the index tells another" "$ID" forge ".end = \"$(date -u -d '5 minutes' +%FT%TZ)\""
bad "a FAIL made a PASS" "tells another" "$other" sed -i "/$other/s/ FAIL / PASS /" "$R/index"
bad "a line of the index removed" "does not follow" "" sed -i "/ $other /d" "$R/index"
bad "the last line of the index removed" "has no line for it" "" sed -i '$d' "$R/index"
bad "a record removed" "cannot open" "$other" rm "$R/$other.json"

# ---- power cuts: the last line is cut; a record that was under way goes, or is completed ----
printf '%s' 0123456789abcdef >>"$R/index"
station_says record verify && failed "an index that ends in mid-line is said to be good"
devices 00000006 -- "${STATION[@]}" --count 1
unit PASS "" 00000006 && grep -q 'ended in mid-line' "$W/err" || failed "a cut index is not repaired with a message"
station_says record verify || failed "a repaired index is bad"

[ $failures = 0 ] || exit 1
echo "records: all right"
