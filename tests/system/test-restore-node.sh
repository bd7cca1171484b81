# The node's database put back from a backup, at each stage of its devices: the node notices by itself, answers E51 until it has
# taken over what the CA knows, and no device loses what it has. A crash is no restore.
set -u
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel restore XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT
. "$TOP/tests/system/checks.sh"

A=00020001 B=00020002 C=00020003 D=00020004 E=00020005 F=00020006 G=00020007
ALL="$A $B $C $D $E $F $G"
{
	factory_init && factory_serve && station_init line-1 && order_create WO-1 $A 00020009 9 line-1 &&
		provision WO-1 line-1 "$ALL" && customer_init && customer_serve && node_init site-1 &&
		ca --dir "$W/factory" ship --customer plant-seven $(printf -- '--device %s ' $ALL) --out "$W/manifest.p7" &&
		node --dir "$W/node" import "$W/manifest.p7" && node --dir "$W/node" apply && node_serve
} >"$W/setup.log" 2>&1 || { tail -n 20 "$W/setup.log"; die "no story"; }

count() { [ "$(ca --dir "$W/customer" issued list --device "$1" --state "$2" --json | grep -c '"type":"issued"')" = "$3" ]; }
shows() { node --dir "$W/node" devices --json | grep "\"serial\":\"$1\"" | grep -q "$2"; }
agent() { "$W/$1/agent" --dir "$W/$1/store" "$2" --node "https://127.0.0.1:$NODE_PORT" --timeout "${3:-10s}"; }
current() { cat "$W/$1/store/current"; }
held() { sed 's/[ :].*//' "$W/$1/store/$(current "$1")/request"; }
at_ca() { ca --dir "$W/customer" issued list --device "$1" --state active --json | sed -n 's/.*"id":"\([0-9a-f]*\)".*/\1/p'; }
agree() { count "$1" active 1 && count "$1" pending 0 && [ "$(at_ca "$1")" = "$(held "$1")" ] && shows "$1" '"state":"onboarded"'; }
stored() { HANDSEL_FAULT=agent.confirm-sent agent "$1" activate; [ -s "$W/$1/store/customer-a/cert.pem" ] && [ "$(current "$1")" = factory ]; }
backup() { sqlite3 "$W/node/node.db" ".backup '$W/backup.db'"; }
noticed_is() { [ "$(noticed)" = "$1" ]; }
noticed() { grep -c 'older than what the CA has worked with' "$W/node.log"; }
put_back() { rm -f "$W/node/node.db"*; cp "$W/backup.db" "$W/node/node.db"; }
restart() { stop_daemon "$NODE_PID"; node_serve; }
end_customer() { kill -TERM "$CUSTOMER_PID"; wait "$CUSTOMER_PID"; }

# ---- a crash is no restore ----
holds "a device is onboarded" agent $A activate
holds "its activation is told" until_true 10 agree $A
kill -KILL "$NODE_PID"; wait "$NODE_PID" 2>/dev/null
node_serve || die "no node"
holds "a device is onboarded after a crash" agent $B activate
restart || die "no node"
holds "nobody took that for a restore" [ "$(noticed)" = 0 ]

# ---- the backup: A onboarded, C with its certificate, unconfirmed; D unknown ----
holds "a device has stored, and not confirmed" stored $C
holds "another one has" stored $F
backup
holds "the stored one confirms" agent $C activate
holds "A renews" agent $A renew
holds "D is onboarded" agent $D activate
holds "E has stored" stored $E
holds "B is blocked" node --dir "$W/node" devices block $B
holds "all of it is told" until_true 10 agree $A
holds "all of it is told" until_true 10 count $B revoked 1
holds "all of it is told" until_true 10 agree $D
stop_daemon "$NODE_PID"

# ---- put back, with the CA away: nothing is said that could be wrong ----
put_back
end_customer
node_serve || die "no node"
says "the node is not sure yet" 'E51.*compares its database' agent $D renew 3s
says "a confirm is not called dead" 'E51.*compares its database' agent $E activate 3s
holds "its slot is kept" [ -s "$W/$E/store/customer-a/cert.pem" ]

# ---- the CA is there again ----
customer_serve || die "no CA"
holds "the node notices by itself" until_true 20 grep -q 'taken over from the CA' "$W/node.log"
holds "once" [ "$(noticed)" = 1 ]
holds "A goes on with its renewed credential" agent $A renew
holds "C, confirmed since the backup, goes on" agent $C renew
holds "D, unknown in the backup, goes on" agent $D renew
holds "E, stored since the backup, is confirmed" agent $E activate
holds "F, stored before the backup, is confirmed" agent $F activate
says "B stays blocked" 'E22' agent $B renew
holds "G is onboarded" agent $G activate
for d in $A $C $D $E $F $G; do
	holds "device $d, node and CA agree" until_true 10 agree $d
done
! grep -q 'ALARM' "$W/node.log" || { grep ALARM "$W/node.log"; FAILED=$((FAILED + 1)); }
restart || die "no node"
holds "that was all" [ "$(noticed)" = 1 ]
holds "a device renews" agent $G renew
holds "there is nothing to reconcile" until_true 10 node --dir "$W/node" reconcile

# ---- a confirm that the node took and could not tell before its disk was lost: the use of the credential counts for it ----
anew() {	# its credential is released, and it stores another one
	node --dir "$W/node" devices release "$1" --force && until_true 10 count "$1" active 0 || return 1
	HANDSEL_FAULT=agent.confirm-sent agent "$1" activate
	[ "$(current "$1")" = factory ]
}
lost_confirm() {	# the node takes it, has no CA to tell it, and loses its disk
	end_customer
	agent "$1" activate && [ "$(current "$1")" != factory ] && stop_daemon "$NODE_PID" && put_back && customer_serve && node_serve
}
holds "a device stores a new certificate" anew $G
backup
holds "another one renews, which is told" agent $A renew
holds "it was told" until_true 10 agree $A
holds "the confirm is lost" lost_confirm $G
holds "the restore is noticed" until_true 20 noticed_is 2
holds "the CA has it as pending yet" count $G pending 1
holds "it uses what it has" until_true 20 agent $G renew
holds "device, node and CA agree" until_true 10 agree $G

# The same when nothing was told since the backup: then there is nothing to notice, and the use counts all the same.
holds "a device stores a new certificate" anew $G
backup
holds "the confirm is lost" lost_confirm $G
holds "it uses what it has" until_true 20 agent $G renew
holds "device, node and CA agree" until_true 10 agree $G

# ---- by hand: looked at first, then taken over ----
holds "a device stores a new certificate" anew $G
backup
holds "it confirms" agent $G activate
holds "D renews" agent $D renew
holds "that is told" until_true 10 agree $G
holds "that is told" until_true 10 agree $D
holds "a head of the audit is kept elsewhere" eval 'node --dir "$W/node" audit head >"$W/head.jsonl"'
stop_daemon "$NODE_PID"
put_back
says "the plan" "$G .*active at the CA" node --dir "$W/node" reconcile
says "the plan names what a renewal replaced" "$D .*replaced by a newer one" node --dir "$W/node" reconcile
says "it changed nothing" "$G .*active at the CA" node --dir "$W/node" reconcile
holds "it is applied" node --dir "$W/node" reconcile --apply
holds "there is nothing left" node --dir "$W/node" reconcile
noticed=$(noticed)
node_serve || die "no node"
holds "the audit is whole" node --dir "$W/node" audit verify
holds "it goes on as another history" eval 'node --dir "$W/node" audit head | grep -q "\"history\":[2-9]"'
says "which the head of before does not fit" 'E74.*begin anew since' node --dir "$W/node" audit verify --against "$W/head.jsonl"
holds "the node needs no more" [ "$(noticed)" = "$noticed" ]
holds "the device goes on" agent $G renew
holds "the other one goes on" agent $D renew
for d in $G $D; do holds "device $d, node and CA agree" until_true 10 agree $d; done

# ---- killed while it takes over ----
backup
holds "two devices renew" agent $G renew
holds "two devices renew" agent $D renew
holds "that is told" until_true 10 agree $G
holds "that is told" until_true 10 agree $D
stop_daemon "$NODE_PID"
for point in node.recover.asked node.recover.learned node.recovered; do
	put_back
	rm -f "$W/fired"
	HANDSEL_FAULT=$point HANDSEL_FAULT_LOG="$W/fired" node_serve >"$W/killed.log" 2>&1
	holds "killed at $point" until_true 10 grep -q "$point" "$W/fired"
	node_serve || die "no node"
	holds "the device goes on" agent $G renew
	holds "the other one goes on" agent $D renew
	for d in $G $D; do holds "device $d, node and CA agree" until_true 10 agree $d; done
	stop_daemon "$NODE_PID"
done
! grep 'ALARM' "$W/node.log" || FAILED=$((FAILED + 1))
echo "$CHECKED checks, $FAILED failed"
[ "$CHECKED" -gt 0 ] && [ $FAILED = 0 ]
