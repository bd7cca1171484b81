# Two nodes under one customer's CA, and devices that are carried between them: the node that reserved first has the device until
# it releases it, and no node takes from a device what it has from the other.
set -u
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel nodes XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT
. "$TOP/tests/system/checks.sh"
declare -A PORTS PIDS

# at 1|2 : the node that activate goes to.
at() { NODE=node-$1 NODE_PORT=${PORTS[$1]:-0}; }
node_at() { node --dir "$W/node-$1" "${@:2}"; }

issued() { ca --dir "$W/customer" issued list --device "$1" --state "$2" --json | grep -c '"type":"issued"'; }
count_is() { [ "$(issued "$1" "$2")" = "$3" ]; }
shows() { node_at "$1" devices --json | grep "\"serial\":\"$2\"" | grep -q "$3"; }
carry() { at "$1" && activate "$2" --timeout "${3:-10s}"; }

A=00020001 B=00020002 C=00020003 D=00020004 E=00020005
{
	factory_init && factory_serve && station_init line-1 && order_create WO-1 $A 00020009 9 line-1 &&
		provision WO-1 line-1 "$A $B $C $D $E" && customer_init && customer_serve &&
		ca --dir "$W/factory" ship --customer plant-seven --order WO-1 --serials $A-$B --serials $C-$E --out "$W/manifest.p7" &&
		for n in 1 2; do
			at $n && node_init "site-$n" && node_at $n import "$W/manifest.p7" && node_at $n apply && node_serve &&
				PORTS[$n]=$NODE_PORT PIDS[$n]=$NODE_PID || break
		done
} >"$W/setup.log" 2>&1
[ -n "${PORTS[2]:-}" ] || { tail -n 20 "$W/setup.log"; die "no story"; }

# ---- a part of an order is shipped ----
part() { ca --dir "$W/factory" ship --customer plant-seven --out "$W/part.p7" "$@"; }
part_is() { part --order WO-1 --serials "$1" | grep -q ": $2 device"; }
holds "two of an order" part_is $B-$C 2
holds "one of it" part_is $E-00020009 1
says "a part that has no device yet" 'E41.*among these --serials' part --order WO-1 --serials 00020008-00020009
says "a part without its order" 'E71.*goes with --order' part --device $A --serials $A-$B
says "serials that are no range" 'E71.*digits at their ends' part --order WO-1 --serials GA-1-GB-2
resold() { ca --dir "$W/factory" ship --customer plant-eight --out "$W/resold.p7" "$@"; }
says "all of it to another customer" "E71.* 5 of 5 devices went to another customer before, 0002000. to plant-seven" resold --order WO-1
holds "nothing was written" [ ! -e "$W/resold.p7" ]
holds "one changes hands" resold --device $E --resale
holds "the audit tells" grep -q "resold=1" <(ca --dir "$W/factory" audit export | grep plant-eight)
says "and is the new owner's" "E71.* 1 of 5 devices .* $E to plant-eight" part --order WO-1

# ---- onboarded at one ----
holds "the device is onboarded at node 1" carry 1 $A
says "with its customer credential at node 2" 'E24.*not handed out by this node' "$W/$A/agent" --dir "$W/$A/store" renew \
	--node "https://127.0.0.1:${PORTS[2]}" --timeout 5s
rm -rf "$W/$A/store/customer-"? && mkdir "$W/$A/store/customer-a" "$W/$A/store/customer-b" && printf factory >"$W/$A/store/current"
says "wiped, at node 2" 'E24.*another node has this device' carry 2 $A
holds "node 2 shows its admin why" shows 2 $A '"reason":"E24"'
holds "node 1 releases it" node_at 1 devices release $A
holds "the CA is told" until_true 10 count_is $A active 0
holds "then node 2 has it" carry 2 $A
says "and node 1 has it no more" 'E24' "$W/$A/agent" --dir "$W/$A/store" renew --node "https://127.0.0.1:${PORTS[1]}" --timeout 5s
holds "one active certificate" until_true 10 count_is $A active 1

# ---- stored at one, the confirm carried to the other ----
stored() {	# SERIAL: up to the certificate in the slot
	at 1 && HANDSEL_FAULT=agent.confirm-sent activate "$1" --timeout 10s
	[ -s "$W/$1/store/customer-a/cert.pem" ] && [ "$(cat "$W/$1/store/current")" = factory ]
}
cert() { openssl x509 -in "$W/$1/store/customer-a/cert.pem" -noout -serial; }
holds "a device stores the certificate of node 1" stored $B
before=$(cert $B)
says "its confirm at node 2" 'E24.*another node has this device' carry 2 $B 5s
holds "the slot is kept" [ "$(cert $B)" = "$before" ]
holds "node 2 shows its admin why" shows 2 $B '"reason":"E24"'
holds "back at node 1 it is confirmed" carry 1 $B
holds "it is the same certificate" [ "$(cert $B)" = "$before" ]
holds "and the only one" count_is $B revoked 0

# The same with the CA away: nobody can say whose it is, so nothing is lost, and it is asked again.
holds "another device stores the certificate of node 1" stored $C
before=$(cert $C)
kill -TERM "$CUSTOMER_PID" && wait "$CUSTOMER_PID"
says "its confirm at node 2 while the CA is away" 'E51.*cannot say now whose it is' carry 2 $C 4s
holds "the slot is kept" [ "$(cert $C)" = "$before" ]
customer_serve || die "no CA"
says "the CA is there again" 'E24' carry 2 $C 10s

# Released at node 1, the slot is nobody's: node 2 calls it dead and takes the device.
holds "node 1 releases it" node_at 1 devices release $C
holds "the CA is told" until_true 10 count_is $C revoked 1
holds "node 2 has it" carry 2 $C
holds "with another certificate" [ "$(openssl x509 -in "$W/$C/store/$(cat "$W/$C/store/current")/cert.pem" -noout -serial)" != "$before" ]
holds "the only one" count_is $C active 1

# Node 2 dies while it asks: nothing is said, so nothing is lost.
holds "another device stores the certificate of node 1" stored $E
before=$(cert $E)
stop_daemon "${PIDS[2]}"
at 2 && HANDSEL_FAULT=node.confirm.unknown HANDSEL_FAULT_LOG="$W/fired" node_serve || die "no node 2"
says "node 2 dies when it is asked" 'E03' carry 2 $E 3s
holds "it did" grep -q node.confirm.unknown "$W/fired"
at 2 && node_serve || die "no node 2"
says "asked again" 'E24' carry 2 $E 5s
holds "the slot is kept" [ "$(cert $E)" = "$before" ]

# Bound at node 2 without the CA, then onboarded at node 1: node 2's late word does not take it away.
kill -TERM "$CUSTOMER_PID" && wait "$CUSTOMER_PID"
says "node 2 binds a device while the CA is away" 'E51' carry 2 $D 3s
customer_serve || die "no CA"
holds "it stores the certificate of node 1 for the same request" stored $D
before=$(cert $D)
says "its confirm at node 2, which knows the request" 'E24' carry 2 $D 5s
holds "node 2 gives up what it has bound" node_at 2 devices release $D
says "its confirm at node 2, where the request is dead" 'E24' carry 2 $D 5s
holds "back at node 1 it is confirmed" carry 1 $D
holds "it is the same certificate" [ "$(cert $D)" = "$before" ]

echo "$CHECKED checks, $FAILED failed"
[ "$CHECKED" -gt 0 ] && [ $FAILED = 0 ]
