# An edited ledger, a stolen station key, false software: the signer counts by itself, and an order is good for what it says.
set -u
. "$TOP/tests/attack/lib.sh"
world "00020001 00020002"

run() { provision "$@" --timeout 8s; }
refused 'E42' "one unit more than the quota" run WO-1 line-1 00020003

# The thief of the database gives the order a thousand units and forgets those that were used. The signer does not: with
# quota 2 and scrap 3 it signs five keys and not one more, whatever the ledger says.
stop_all
sqlite3 "$W/factory/ca.db" "UPDATE work_order SET quota = 1000, used = 0 WHERE id = 'WO-1'"
factory_serve
got=0
for serial in $(serials 00020004 00020009); do
	run WO-1 line-1 "$serial" >"$W/run.log" 2>&1 && got=$((got + 1))
done
holds "the signer stops an edited ledger at quota and scrap (got $got more)" [ "$got" = 3 ]
refused 'E42' "and says so" run WO-1 line-1 00020010

# A station key that is not on the order.
station_init line-2 >"$W/line-2.log" 2>&1
refused 'E41\|E44\|E54' "a station that the order does not name" run WO-1 line-2 00020011

# False software: the image is not the one whose hash the order names.
printf 'not the agent' >"$W/false"
false_software() {
	"$BUILD/handsel-station" --dir "$W/station-line-1" run --order WO-1 --agent "$W/false" \
		--model "$TOP/profiles/models/$MODEL.yaml" --count 1 --timeout 5s
}
refused 'E63\|E41\|E71' "an agent that the order does not name" false_software

# A closed order.
order_create WO-2 00020020 00020029 5 line-1 >/dev/null
ca --dir "$W/factory" order close WO-2 >/dev/null
refused 'E41' "a closed order" run WO-2 line-1 00020020
# A serial outside the order.
order_create WO-3 00020030 00020039 5 line-1 >/dev/null
refused 'E4[1-5]' "a serial that the order does not name" run WO-3 line-1 00020050
summary
