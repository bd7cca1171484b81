# An edited ledger: the signer counts by itself, and believes an order for what its operator signed.
set -u
. "$TOP/tests/attack/lib.sh"
quietly factory_world "00020001 00020002"

run() { provision "$@" --timeout 8s --ca-wait 8s; }
edit() { sqlite3 -cmd ".timeout 5000" "$W/factory/ca.db" "$1"; }
refused 'E42' "one unit more than the quota" run WO-1 line-1 00020003

# The thief of the database gives the order a thousand units and forgets those that were used. The signer does not: with
# quota 2 and scrap 3 it signs five keys and not one more, whatever the ledger says.
stop_all
edit "UPDATE work_order SET quota = 1000, used = 0 WHERE id = 'WO-1'"
quietly factory_serve
got=0
for serial in $(serials 00020004 00020009); do
	run WO-1 line-1 "$serial" >"$W/run.log" 2>&1 && got=$((got + 1))
done
holds "the signer stops an edited ledger at quota and scrap (got $got more)" [ "$got" = 3 ]
refused 'E42' "and says so" run WO-1 line-1 00020010

# What the ledger forgets the signer remembers: the device that was made gets no second credential under this order.
stop_all
edit "DELETE FROM request; DELETE FROM device"
quietly factory_serve
again() {
	rm -rf "$W/00020001/store/factory" "$W/00020001/store/current"
	run WO-1 line-1 00020001
}
refused 'E42' "a device whose request was deleted" again

# A closed order that the ledger calls open; one with other words than the operator's; one that a station signed.
quietly order_create WO-2 00020020 00020029 5 line-1
quietly ca --dir "$W/factory" order close WO-2
refused 'E41' "a closed order" run WO-2 line-1 00020020
edit "UPDATE work_order SET state = 'open' WHERE id = 'WO-2'"
refused 'E41' "a closed order that is opened in the ledger" run WO-2 line-1 00020020

quietly order_create WO-3 00020030 00020039 5 line-1
openssl cms -verify -inform DER -purpose any -CAfile "$W/factory/root.pem" -in "$W/order-WO-3.p7" -out "$W/order.xml" 2>/dev/null
sed 's/quota="5"/quota="9"/' "$W/order.xml" >"$W/forged.xml"
sed 's/quota="5"/quota="9"/' "$W/order-WO-3.p7" >"$W/changed.p7"
openssl cms -sign -binary -nodetach -outform DER -in "$W/forged.xml" -signer "$W/station-line-1/station.pem" \
	-inkey "$W/station-line-1/station.key" -certfile "$W/factory/unit.pem" -out "$W/forged.p7"
put_order() {
	edit "UPDATE work_order SET cms = x'$(hex "$W/$1.p7")' WHERE id = 'WO-3'"
	run WO-3 line-1 "$2"
}
refused 'E41' "an order with other bytes" put_order changed 00020030
refused 'E41' "an order that a station signed" put_order forged 00020031
holds "the true order is taken" put_order order-WO-3 00020032

quietly station_init line-2
refused 'E41' "a station that the order does not name" run WO-3 line-2 00020033
refused 'E41' "a serial that the order does not name" run WO-3 line-1 00020050
summary
