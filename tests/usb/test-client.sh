# The CA-client in the station (H6): the device makes its key, signs and stores, the station speaks to the CA. The same transaction, records and
# journal; a kill at each step of this path; no tunnel, no private key at the station; the CA judges by the ticket as before.
set -u
. "$(dirname "$0")/common.sh"
needs_fault_injection
factory_up
STATION+=(--client station)
next=1

# new_serial : sets $S, a new device; no_download is the option for its farm by which its agent runs already.
new_serial() {
	printf -v S '%08d' $((next++))
	mkdir "$W/$S" && ln -s "$BUILD/handsel-agent" "$W/$S/agent"
	no_download="--fault $S=as-agent"
}
# one SERIAL : one record and it says PASS, one certificate, and nothing left in the journal.
one() { [ "$(records "$1")" = 1 ] && unit PASS "" "$1" && [ "$(of_state active "$1")" = 1 ] && [ "$(entries)" = 0 ]; }
whole() { openssl verify -CAfile "$W/factory/root.pem" -untrusted "$W/$S/store/factory/cert.pem" "$W/$S/store/factory/cert.pem" >"$W/verify" 2>&1; }

# ---- who makes the key ------------------------------------------------------------------
for options in "--key device" "--key ca" "--key ca --key-type rsa2048"; do
	new_serial
	export HANDSEL_FAULT_LIST=$W/list
	: >"$W/list"
	devices "$S" $no_download -- "${STATION[@]}" --count 1 $options
	unset HANDSEL_FAULT_LIST
	ok "$options" eval 'one "$S" && whole'
	ok "the station has asked, and nothing has passed a tunnel" eval 'grep -q "^station.client.issued " "$W/list" && ! grep -q "^station.tunnel" "$W/list"'
done
ok "no private key has come to the station but its own" [ "$(grep -rl 'PRIVATE KEY' "$LINE")" = "$LINE/station.key" ]
ok "the records verify" eval '"$BUILD/handsel-station" --dir "$LINE" record verify >"$W/out" 2>"$W/err"'

# ---- a kill at each step: the next run says what was cut, and finishes it with the same request ------------------
cat >"$W/twice" <<'SCRIPT'
HANDSEL_FAULT=$POINT HANDSEL_FAULT_LOG=$FIRED "$@" --count 1 >"$FIRED.out"
[ $? = 137 ] || exit 90
exec "$@" --count 1
SCRIPT
export POINT FIRED=$W/fired
while read -r POINT said; do
	new_serial
	rm -f "$FIRED"
	devices "$S" $no_download -- bash "$W/twice" "${STATION[@]}"
	ok "the station is cut at $POINT" eval '[ $status = 0 ] && grep -q "^$POINT:" "$FIRED" && says "\"type\":\"cut\".*$said" && one "$S"'
done <<'POINTS'
station.client.csr never reached the CA: will be finished
station.client.issued pending: will be finished
station.client.signed pending: will
station.client.confirmed active: will be finished
POINTS
for point in link.certificate agent.stored link.signed agent.switched; do	# each of them: tests/fault/test-factory.sh
	new_serial
	devices "$S" $no_download --fault "$S=fault-points:$point" -- "${STATION[@]}" --count 1
	ok "the device is cut at $point" eval 'one "$S" && whole && grep -q "^$point:" "$W/$S/fired"'
done
for point in caclient.request:2 caclient.answer:2 caclient.answer:3; do	# the first is the order
	new_serial
	export HANDSEL_FAULT=$point HANDSEL_FAULT_LOG=$FIRED
	rm -f "$FIRED"
	devices "$S" $no_download -- "${STATION[@]}" --count 1
	unset HANDSEL_FAULT HANDSEL_FAULT_LOG
	ok "a message is lost: $point" eval 'one "$S" && grep -q "^$point$" "$FIRED"'
done
ok "one unit of the order for each" [ "$(used)" = $((next - 1)) ]

# ---- what the CA says of a request ------------------------------------------------------------------
# pending : the CA commits, and dies before it answers: the request of $S is pending, and its device has no certificate.
pending() {
	stop_daemon "$FACTORY_PID"
	HANDSEL_FAULT=commit.after factory_serve
	devices "$S" $no_download -- "${STATION[@]}" --count 1 --ca-wait 1s
	factory_serve
	unit ERROR E51
}
new_serial
ok "the answer is lost with the CA" pending
cp -a "$W/$S/store" "$W/old"
rm "$W/$S"/store/factory/*
ok "and so is the one to its next request" pending
rm -r "${W:?}/$S/store" && mv "$W/old" "$W/$S/store"
devices "$S" $no_download -- "${STATION[@]}" --count 1
ok "an older request is dead: the device makes one above both" eval 'unit PASS "" "$S" && [ "$(of_state active "$S")" = 1 ] &&
	grep -q " 3$\|:3$" "$W/$S/store/factory/request"'
ok "its unit was used once" [ "$(used)" = $((next - 1)) ]

order_create USB-2 00000001 00000099 1 line-1 >"$W/out" 2>&1
station_command USB-2 "$BUILD/handsel-agent" "$MODEL_FILE"
STATION+=(--client station)
new_serial
devices "$S" $no_download -- "${STATION[@]}" --count 1
ok "the order's only unit" unit PASS "" "$S"
new_serial
devices "$S" $no_download -- "${STATION[@]}" --count 1
ok "the CA judges the ticket: no more than the quota" eval 'unit ERROR E42 "$S" && [ ! -e "$W/$S/store/factory/cert.pem" ]'
devices "$S" $no_download -- "${STATION[@]::${#STATION[@]}-1}" nobody --count 1
ok "who else might be the client" eval '[ $status = 2 ] && says "device or station is possible"'

# ---- a device that lies, or whose link does ------------------------------------------------------------
station_command USB-1 "$BUILD/handsel-agent" "$MODEL_FILE"
STATION+=(--client station)
export REAL_AGENT="$BUILD/handsel-agent"
while read -r LIE code said; do
	new_serial
	rm "$W/$S/agent"
	{ echo '#!/usr/bin/python3' && cat "$TOP/tests/usb/link_liar.py"; } >"$W/$S/agent"
	chmod +x "$W/$S/agent"
	export LIE
	devices "$S" $no_download -- "${STATION[@]}" --count 1 --max-attempts 1
	ok "its frame $LIE: $code" eval '[ $status = 1 ] && ! unit PASS "" "$S" && says "\"code\":\"$code\".*$said" && [ "$(of_state active "$S")" = 0 ]'
done <<'LIES'
15:garbage E53 malformed certificate request
15:short E53 L3.11
15:17 E53 stored no certificate that could be confirmed
15:9 E53 L3.5
17:garbage E63 stored another certificate
17:short E53 L3.13
19:garbage E53 no signature of its key for this session
19:short E53 L3.15
19:17 E63 answers stored where signed is expected
LIES

[ $failures = 0 ] || exit 1
echo "client: all right"
