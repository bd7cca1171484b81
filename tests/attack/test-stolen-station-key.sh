# Who has the key of a station can spend the orders of that station, and nothing else: no other order, serial or model, not one
# unit more than ordered, nothing of another station, and no other door opens to it.
set -u
. "$TOP/tests/attack/lib.sh"
quietly factory_world "00020001 00020002"
quietly station_init line-2
quietly order_create WO-2 00020200 00020209 5 line-2
quietly order_create WO-3 00020300 00020309 5 line-1
quietly ca --dir "$W/factory" order close WO-3
quietly order_create WO-4 00020400 00020409 2 line-1
thief=$W/station-line-1

# steal ORDER SERIAL [MODEL] : with a ticket of the thief's making for a key of the thief's
steal() {
	local id
	id=$(new_id)
	new_key "$W/new.key"
	issue_request "$2" "$id" "$W/new.key" "$(ticket "$thief" "$1" "$2" "$id" "$W/new.key" "${3:-}")" "${3:-}" >"$W/made.xml"
	post factory "$W/made.xml"
}
refused 'E44' "an order of another station" steal WO-2 00020200
refused 'E41' "a closed order" steal WO-3 00020300
refused 'E41' "an order that does not exist" steal WO-9 00020400
refused 'E44' "a serial outside the order" steal WO-4 00020410
refused 'E44' "a serial of another length" steal WO-4 0020400
refused 'E62' "another model" steal WO-4 00020400 toaster
GENERATION=2 refused 'E43' "the serial of a device that was made" steal WO-1 00020001

# What it can do is what the order is good for. Each unit shows in the books under the name of the stolen key.
holds "a unit of its own order" steal WO-4 00020400
holds "and the last one" steal WO-4 00020401
refused 'E42' "one more than the quota" steal WO-4 00020402
holds "the books name the station" eval "ca --dir '$W/factory' issued list --order WO-4 --json | grep -c line-1 | grep -qx 2"

# In the name of the station toward the CA. What the other one is doing is not to be seen or touched.
as_station() { post factory "$W/made.xml" --cert "$thief/station.pem" --key "$thief/station.key"; }
ask() {
	printf '<request xmlns="urn:handsel:ca:1">%s</request>' "$1" >"$W/made.xml"
	as_station
}
other=$(new_id)
new_key "$W/honest.key"
issue_request 00020200 "$other" "$W/honest.key" "$(ticket "$W/station-line-2" WO-2 00020200 "$other" "$W/honest.key")" >"$W/honest.xml"
holds "another station works" post factory "$W/honest.xml"
# A device may show here what it has from another station, so who knows a request id is told its state (R37), and no more of it.
state() { ask "<status id=\"$1\" generation=\"1\"/>" | grep '<status' | grep -qx " *<status id=\"$1\" generation=\"1\" state=\"$2\"/>"; }
holds "of a request that it knows it is told the state alone" state "$other" pending
holds "of one that it guesses nothing" state "$(new_id)" unknown
ask "<revoke id=\"$other\" generation=\"1\" reason=\"lapsed\"/>" >"$W/revoke.log"
holds "a revocation does not touch it" post factory "$W/honest.xml"
refused 'E41' "its order is not shown" ask '<work-order order="WO-2"/>'
active=$(ca --dir "$W/factory" issued list --device 00020001 --json | sed -n 's/.*"id":"\([0-9a-f]*\)".*/\1/p')
refused 'E54' "an active credential is not revoked" ask "<revoke id=\"$active\" generation=\"1\" reason=\"superseded\"/>"
cp "$W/honest.xml" "$W/made.xml"
refused 'E54' "a station asks for a certificate" as_station

# False software: the honest station does not load it, and what a dishonest one gets with it was counted above.
printf 'not the agent' >"$W/false"
false_software() {
	station --dir "$thief" run --order WO-4 --agent "$W/false" --model "$TOP/profiles/models/$MODEL.yaml" --count 1 --timeout 5s
}
refused 'E71.*is not the file' "an agent that the order does not name" false_software
refused 'E42' "a device over the quota" provision WO-4 line-1 00020405 --timeout 8s
holds "no unit more than ordered" [ "$(issued_count factory --order WO-4)" = 2 ]
summary
