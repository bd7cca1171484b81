# A front that was taken over asks the signer for whatever it likes: it gets certificates of devices, as many as an operator
# ordered, and neither those of units nor of CAs, under no order but an open one, by no message but those of a front.
set -u
. "$TOP/tests/attack/lib.sh"
QUOTA=3 SCRAP=2

quietly factory_init
quietly ca --dir "$W/factory" order create --id WO-1 --model "$MODEL" --serials 00020001-00020009 --quota $QUOTA --scrap $SCRAP \
	--station line-1 --agent "$BUILD/handsel-agent" --valid 30d --out "$W/order-WO-1.p7"
quietly order_create WO-2 00020001 00020009 5 line-1
quietly ca --dir "$W/factory" order close WO-2
quietly customer_init
# what a front has seen: an invitation, and the renewal of a station
quietly ca --dir "$W/factory" unit invite --role station --name line-9
sqlite3 "$W/factory/ca.db" "SELECT writefile('$W/invitation.p7', cms) FROM invitation" >/dev/null
quietly factory_serve --record "$W/record" && quietly station_init line-1 && quietly station --dir "$W/station-line-1" renew
stop_all
sed -n 's/.*<document>\(.*\)<\/document>.*/\1/p' "$W"/record/*-request.xml | base64 -d >"$W/renewal.p7"

front() { PATH=$BUILD:$PATH "$BUILD/tests/attack/front" "$@" 2>>"$W/signer.log"; }
front "$W/factory" WO-1 WO-2 "$MANUFACTURER" "$MODEL" 00020001 "$W/order-WO-1.p7" $((QUOTA + SCRAP)) "$W/invitation.p7" "$W/renewal.p7" | sed 's/^/factory: /'
[ "${PIPESTATUS[0]}" = 0 ] || THROUGH=$((THROUGH + 1))
front "$W/customer" "" "" "$MANUFACTURER" "$MODEL" 00020001 "$W/order-WO-1.p7" 0 "" "" | sed 's/^/customer: /'
[ "${PIPESTATUS[0]}" = 0 ] || THROUGH=$((THROUGH + 1))
holds "the signer says why it ended" grep -q 'E54.*taken over' "$W/signer.log"
holds "no memory was touched that is not its own" eval '! grep -q "AddressSanitizer\|runtime error" "$W/signer.log"'
summary
