# Labels: each unit has one before it is shown as passed, where the order wants that; whatever the printer is up to, and wherever the
# station is cut. What the QR code says is read by a foreign program (zbarimg) and compared with the certificate.
set -u
. "$(dirname "$0")/common.sh"
factory_up
D=$W/station-line-1
P=$W/printer
mkdir "$P"
echo ok >"$P/state"
/usr/bin/python3 "$TOP/tests/usb/printer.py" "$P" >"$W/printer.log" 2>&1 &
STARTED+=("$!")
until_true 20 test -s "$P/port" || failed "the printer does not start"
order_create USB-2 00000101 00000199 99 line-1 --label >"$W/out" 2>"$W/err" || failed "no order with labels"
cp "$D/station.yaml" "$W/station.yaml"
settings() { { cat "$W/station.yaml"; printf '%s\n' "$@"; } >"$D/station.yaml"; }
station_says() { "$BUILD/handsel-station" --dir "$D" "$@" >"$W/out" 2>"$W/err"; }
labels() { find "$P" -name 'label-*.pbm' | wc -l; }
formats() { wc -l <"$P/formats"; }
next=101
new_serial() { printf -v S '%08d' $((next++)); }
# record OF-SERIAL : the file of its last record
record() { echo "$D/records/$(grep " $1 " "$D/records/index" | tail -n 1 | cut -d ' ' -f 2).json"; }
detail() { jq -r '.phases[] | select(.name == "label") | .detail // ""' "$(record "$1")"; }
# is_label_of SERIAL PICTURE : what the QR code says is what the certificate of the record has
is_label_of() {
	local key said
	key=$(jq -r .proof.certificate "$(record "$1")" | base64 -d | openssl x509 -inform DER -pubkey -noout | openssl pkey -pubin -outform DER |
		sha256sum | cut -d ' ' -f 1)
	said=$(zbarimg -q --nodbus --raw -Sdisable -Sqrcode.enable "$2")
	[ "$said" = "handsel:1:$1:$key:$MODEL" ]
}
station_command USB-2 "$BUILD/handsel-agent" "$MODEL_FILE"

# ---- a station without a printer leaves such an order alone ----
new_serial
devices "$S" -- "${STATION[@]}" --count 1
[ $status = 2 ] && grep -q 'E71.*USB-2 wants a printed label' "$W/out" && [ ! -e "$D/records/index" ] || failed "an order with labels and no printer"
settings 'label:' '  printer: "127.0.0.1"' "  port: $(cat "$P/port")" '  width-mm: 15' '  height-mm: 12'
devices "$S" -- "${STATION[@]}" --count 1
[ $status = 2 ] && grep -q 'E71.*15 x 12 mm is too small for' "$W/out" && [ ! -e "$D/records/index" ] || failed "a label that is too small"
settings 'label:' '  printer: "127.0.0.1"' "  port: $(cat "$P/port")" '  text: ["Prüfung", "Москва"]'
devices "$S" -- "${STATION[@]}" --count 1
[ $status = 2 ] && grep -q 'E71.*station.yaml:[0-9]*:21: text: character 1, U+041C .*М.*is none that a label can have' "$W/out" && [ ! -e "$D/records/index" ] ||
	failed "a character that no label can have"
LABEL=('label:' '  printer: "127.0.0.1"' "  port: $(cat "$P/port")" '  text: ["Łódź Prüfung"]')
settings "${LABEL[@]}"

# ---- a label ----
devices "$S" -- "${STATION[@]}" --count 1
unit PASS "" "$S" && [ "$(labels)" = 1 ] && is_label_of "$S" "$P/label-1.pbm" && [[ $(detail "$S") = "on paper, printer 127.0.0.1:"* ]] &&
	grep -q '"what":"printer","text":"ok"' "$W/out" && echo "ok: a label, and its QR code" || failed "a label"
station_says label print "$S" --png && cp "$W/out" "$W/label.png" && is_label_of "$S" "$W/label.png" || failed "label print --png"
/usr/bin/python3 - "$W/label.png" "$P/label-1.pbm" <<'PY' && echo "ok: the picture is what the printer got, dot by dot" || failed "the PNG is another picture"
import struct, sys, zlib
png, pbm = (open(name, "rb").read() for name in sys.argv[1:])
assert png[:8] == b"\x89PNG\r\n\x1a\n"
at, data, head = 8, b"", {}
while at < len(png):
    n, kind = struct.unpack(">I4s", png[at:at + 8])
    head[kind] = png[at + 8:at + 8 + n]
    data += head[kind] if kind == b"IDAT" else b""
    at += 12 + n
width, height, depth, colour = struct.unpack(">IIBB", head[b"IHDR"][:10])
assert (width, height, depth, colour) == (400, 200, 1, 0) and head[b"pHYs"] == struct.pack(">IIB", 8000, 8000, 1)
raw, stride = zlib.decompress(data), (width + 7) // 8
rows = [raw[y * (stride + 1):(y + 1) * (stride + 1)] for y in range(height)]
assert all(row[0] == 0 for row in rows)
assert pbm == b"P4\n400 200\n" + bytes(255 - b for row in rows for b in row[1:])
PY
station_says label print "$(basename "$(record "$S")" .json)" --text && grep -qx "serial $S" "$W/out" && grep -qx "text Łódź Prüfung" "$W/out" && grep -qx "qr handsel:1:$S:[0-9a-f]*:$MODEL" "$W/out" ||
	failed "label print --text"
station_says label print "$S" --zpl && head -c 3 "$W/out" | grep -q '^^XA' || failed "label print --zpl"
station_says label print "$S"
[ $? = 2 ] || failed "label print without a kind"
station_says label print 00000150 --text
[ $? = 2 ] && grep -q 'no record of a unit that has passed' "$W/err" || failed "a label of nobody"

# ---- what the printer is up to: the unit is held, told why, and goes on ----
cat >"$W/through" <<'SCRIPT'
. "$TOP/tests/system/lib.sh"
set_state() { echo "$1" >"$P/new.sh" && mv "$P/new.sh" "$P/state"; }
says() { grep -qE -- "$1" "$OUT"; }
"$@" &
for step in $STEPS; do
	until_true 30 says "\"type\":\"note\".*${step%%=*}" || echo "never said: ${step%%=*}"
	! says '"outcome":"PASS"' || echo "it passed before ${step%%=*}"
	case ${step#*=} in
	agent) kill -KILL "$(pgrep -P "$PPID" -f "/$SERIAL/agent")" ;;
	*) set_state "${step#*=}" ;;
	esac
done
wait $!
SCRIPT
export P STEPS SERIAL
# through STATE PATTERN=STATE... : from the first state to the others, each when the pattern has been said
through() {
	echo "$1" >"$P/state"
	shift
	STEPS=$* SERIAL=$S
	before=$(labels) given=$(formats)
	devices "$S" "${FARM[@]}" -- bash "$W/through" "${STATION[@]}" --count 1
	! grep 'never said\|it passed before' "$W/out" && unit PASS "" "$S" && is_label_of "$S" "$P/label-$(labels).pbm"
}
FARM=()
new_serial
through paper "out.of.paper:.load=ribbon" "out.of.ribbon:.load=head" "head.is.open:.close=paused" "is.paused:.press=full" "buffer.is.full:.wait=hot" "too.hot:.let=garbage" \
	"has.83.bytes=ram" "lost.its.configuration=short" "closed.the.connection=cold" "too.cold=ok" &&
	[ "$(labels)" = $((before + 1)) ] && [ "$(formats)" = $((given + 1)) ] && echo "ok: held through all that a printer says" || failed "a unit that is held for the printer"
new_serial
through ends "out.of.paper=ok" && [ "$(labels)" = $((before + 1)) ] && [ "$(formats)" = $((given + 1)) ] &&
	echo "ok: paper that ends under a label" || failed "paper that ends under a label: $(($(formats) - given)) given"
new_serial
through off && [ "$(labels)" = $((before + 1)) ] && [[ $(detail "$S") = *"may have come out twice"* ]] && grep -q '"type":"note".*twice' "$W/out" &&
	echo "ok: a printer that is switched off under a label" || failed "a printer that is switched off"
new_serial
through half && [ "$(labels)" = $((before + 1)) ] && echo "ok: a connection that breaks in the middle" || failed "a connection that breaks"
new_serial
through mute "does.not.answer=ok" && [ "$(labels)" = $((before + 1)) ] && [ "$(formats)" = $((given + 1)) ] &&
	echo "ok: a printer that says nothing without paper" || failed "a printer that does not answer: $(($(formats) - given)) given"
new_serial
through paper "out.of.paper=agent" "left.the.bus=ok" && [ "$(labels)" = $((before + 1)) ] && echo "ok: no label for a device that has left" ||
	failed "a device that leaves while it is held"
# A card gives the label up: no PASS where the order wants it. It is printed later, and not once more when the unit is back.
cat >"$W/skip" <<'SCRIPT'
. "$TOP/tests/system/lib.sh"
mkfifo "$FIFO"
exec 9<>"$FIFO"
echo "$SERIAL" >&9
"$@" --labels - <"$FIFO" &
says() { grep -q "$1" "$OUT"; }
until_true 30 says "$WAITS" && echo CMD:RETRY:1-1 >&9 && until_true 10 says 'waits for the label printer' && echo CMD:SKIP:1-1 >&9
wait $!
SCRIPT
new_serial
export FIFO=$W/scanner SERIAL=$S WAITS='"type":"note".*out of paper'
echo paper >"$P/state"
before=$(labels)
devices "$S" -- bash "$W/skip" "${STATION[@]}" --count 1
unit ABORTED "" "$S" && [ "$(labels)" = "$before" ] && [[ $(detail "$S") = "E82 given up by a command card: "* ]] &&
	grep -q 'slot 1-1: without its label the unit does not pass' "$W/out" && [ -z "$(find "$D/journal" -name '*.yaml')" ] || failed "CMD:SKIP at the printer"
station_says run --failed --dry-run --order USB-2
[ $? = 1 ] && grep -q "$S" "$W/out" || failed "run --failed does not want it"
echo ok >"$P/state"
station_says record verify || failed "the record of a label that was given up"
station_says label reprint "$S" --reason "paper is back" && [ "$(labels)" = $((before + 1)) ] && is_label_of "$S" "$P/label-$(labels).pbm" || failed "its label, later"
devices "$S" -- "${STATION[@]}" --count 1
unit PASS "" "$S" && [ "$(labels)" = $((before + 1)) ] && [[ $(detail "$S") = "was on paper before"* ]] && echo "ok: a card gives a label up" ||
	failed "back with its label: $(detail "$S")"
# One printer for all slots.
echo slow >"$P/state"
before=$(labels)
devices "$(serials $next $((next + 3)))" -- "${STATION[@]}" --count 4
[ $status = 0 ] && [ "$(labels)" = $((before + 4)) ] && is_label_of "$(printf %08d "$next")" "$(for f in $(seq $((before + 1)) $((before + 4))); do
	zbarimg -q --nodbus --raw -Sdisable -Sqrcode.enable "$P/label-$f.pbm" | grep -q "$(printf %08d "$next")" && echo "$P/label-$f.pbm"; done)" &&
	echo "ok: four slots, one printer" || failed "four slots: $(($(labels) - before)) labels"
next=$((next + 4))
echo ok >"$P/state"

# ---- cuts ----
if has_fault_injection; then
	cat >"$W/twice" <<'SCRIPT'
HANDSEL_FAULT=$POINT HANDSEL_FAULT_LOG=$FIRED "$@" --count 1 >"$FIRED.out"
[ $? = 137 ] || exit 90
exec "$@" --count 1
SCRIPT
	# POINT LABELS DETAIL
	while read -r point most says; do
		new_serial
		export POINT=$point FIRED=$W/fired
		rm -f "$FIRED"
		before=$(labels)
		devices "$S" -- bash "$W/twice" "${STATION[@]}"
		[ $status = 0 ] && grep -q "^${point%:*}:" "$FIRED" && unit PASS "" "$S" && [ "$(labels)" -le $((before + most)) ] && [ "$(labels)" -gt "$before" ] &&
			is_label_of "$S" "$P/label-$(labels).pbm" && [[ $(detail "$S") = *"$says"* ]] && [ "$(grep -c " $S " "$D/records/index")" = 1 ] &&
			[ -z "$(find "$D/journal" -name '*.yaml')" ] && echo "ok: cut at $point" || failed "cut at $point: $(($(labels) - before)) labels, $(detail "$S")"
	done <<'POINTS'
station.label.send 1 on paper, printer
station.label.sent 2 it may have come out twice
station.label.printed 2 it may have come out twice
station.record.write 1 was on paper before
station.record.indexed 1 on paper, printer
POINTS
fi

# ---- printed again ----
station_says label reprint "$S"
[ $? = 2 ] || failed "a reprint without a reason"
before=$(labels)
station_says label reprint "$S" --reason "torn, by the packer" --operator m.r && [ "$(labels)" = $((before + 1)) ] && is_label_of "$S" "$P/label-$(labels).pbm" || failed "label reprint"
echo paper >"$P/state"
station_says label reprint "$S" --reason "no paper"
[ $? = 3 ] && grep -q 'E82.*out of paper' "$W/err" && [ "$(wc -l <"$D/reprints")" = 4 ] || failed "a reprint without paper"
station_says doctor
grep -q '^ x printer .*E82 .*out of paper' "$W/out" || failed "doctor and a printer without paper"
echo ok >"$P/state"
station_says doctor
grep -q '^ v printer .*127.0.0.1:[0-9]* is ready' "$W/out" || failed "doctor and a good printer"
printf 'half a li' >>"$D/reprints"
station_says label reprint "$S" --reason "lost" && [ "$(wc -l <"$D/reprints")" = 6 ] || failed "a reprint behind a cut"
station_says --json label reprints && [ "$(jq -s '[.[] | select(.type == "reprint" and .serial == "'"$S"'")] | length' "$W/out")" = 4 ] &&
	jq -es '.[3].event == "printed" and .[3].operator == "m.r" and .[3].reason == "torn, by the packer"' "$W/out" >/dev/null || failed "label reprints"
sed -i '4s/torn/worn/' "$D/reprints"
station_says label reprints
[ $? = 1 ] && grep -q '^line 5 does not follow' "$W/err" || failed "a changed line of the reprints"
# A record that was changed prints nothing.
sed -i "s/$MODEL/gateway-c/" "$(record "$S")"
station_says label print "$S" --text
[ $? != 0 ] && [ ! -s "$W/out" ] || failed "a label of a changed record"

# ---- an order that does not want labels: the unit is good without ----
station_command USB-1 "$BUILD/handsel-agent" "$MODEL_FILE"
echo paper >"$P/state"
before=$(labels)
devices 00000001 -- "${STATION[@]}" --count 1
unit PASS "" 00000001 && grep -q '"type":"note".*no label: .*out of paper.*label reprint' "$W/out" && [ "$(labels)" = "$before" ] &&
	[ "$(jq -r '.phases[] | select(.name == "label") | .outcome' "$(record 00000001)")" = skipped ] || failed "an order without labels holds a unit"
echo ok >"$P/state"
station_says label reprint 00000001 --reason "there was no paper" && is_label_of 00000001 "$P/label-$(labels).pbm" && echo "ok: printed later" || failed "a label later"

[ ! -e "$P/bad" ] || failed "the printer did not understand: $(cat "$P/bad")"
[ $failures = 0 ] || exit 1
echo "label: all right"
