# Units come by a code that an operator gives, once and in time, and renew by themselves. Whoever answers in the CA's place, or has
# the code a second time, gets nothing.
set -u
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel units XXXXXX")
. "$TOP/tests/system/checks.sh"
# The folder has a space in its name, which LD_PRELOAD takes for a separator: the clock goes by another name.
ln -s "$W" "${W// /-}" && LINK=${W// /-} && trap 'stop_all; rm -rf "$W" "$LINK"' EXIT
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0"	# the clock comes before it
cc -shared -fPIC -O1 -o "$W/clock.so" "$TOP/tests/system/clock.c" || die "no compiler"
# clock SECONDS : how far the clock of all programs stands beside the machine's, from now on
clock() { printf '%-31s\n' "$1" | dd of="$W/clock" conv=notrunc 2>/dev/null; }
SUPERVISOR="env LD_PRELOAD=$LINK/clock.so CLOCK_OFFSET=$LINK/clock"
ca() { $SUPERVISOR "$BUILD/handsel-ca" "$@"; }
station() { $SUPERVISOR "$BUILD/handsel-station" "$@"; }
node() { $SUPERVISOR "$BUILD/handsel-node" "$@"; }
factory() { ca --dir "$W/factory" "$@"; }
customer() { ca --dir "$W/customer" "$@"; }
enrol() { station --dir "$W/$1" enrol --ca "https://127.0.0.1:$FACTORY_PORT" --code "$2"; }
serial() { openssl x509 -in "$1" -noout -serial | sed 's/.*=//' | tr A-Z a-z; }

# Two thirds of a unit certificate's life, 730 days, are 42048000 s.
clock -42080000
factory_init >/dev/null && factory_serve && customer_init >/dev/null && customer_serve || die "no CA"

echo "-- a node by its code"
CODE=$(customer unit invite --role node --name site-1 --host 127.0.0.1 --host localhost 2>/dev/null)
says "another name" 'E54.*for node:site-1' node --dir "$W/node" enrol --name site-2 --ca "https://127.0.0.1:$CUSTOMER_PORT" --code "$CODE"
holds "it is made" node --dir "$W/node" enrol --name site-1 --ca "https://127.0.0.1:$CUSTOMER_PORT" --code "$CODE" --listen 127.0.0.1:0
holds "with its hosts" eval 'openssl x509 -in "$W/node/node.pem" -noout -ext subjectAltName | grep -q "DNS:localhost.*IP Address:127.0.0.1"'
node --dir "$W/node" handoff request --out "$W/handoff.csr" >/dev/null &&
	factory handoff grant "$W/handoff.csr" --customer plant-seven --name site-1 --out "$W/handoff.p7" >/dev/null &&
	customer handoff accept "$W/handoff.p7" --root-fingerprint "$(fingerprint "$W/factory/root.pem")" >/dev/null
accept() { node --dir "$W/node" handoff accept "$W/handoff.p7" --root-fingerprint "$(fingerprint "$W/factory/root.pem")"; }
HANDSEL_FAULT=node.handoff HANDSEL_FAULT_LOG="$W/fired" accept >/dev/null 2>&1
holds "it dies as it notes the handoff" eval 'grep -q node.handoff "$W/fired" && [ ! -e "$W/node/factory.pem" ] && [ "$(sqlite3 "$W/node/node.db" "SELECT count(*) FROM audit")" = 0 ]'
rm -f "$W/fired"
holds "and takes it" accept
holds "which its audit says" [ "$(sqlite3 "$W/node/node.db" "SELECT group_concat(actor || ' ' || action || ' ' || subject || ' ' || detail) FROM audit")" = "operator:$(id -un) handoff Acme Devices root $(fingerprint "$W/factory/root.pem"), as customer plant-seven" ]
echo "-- two thirds of a certificate's life"
holds "a station enrols" eval 'enrol line-9 "$(factory unit invite --role station --name line-9 2>/dev/null)"'
as_ada() { ca --server "https://127.0.0.1:$FACTORY_PORT" --as "$W/ada" "$@"; }
holds "a person" eval 'as_ada operator enrol --code "$(factory operator invite ada --function clerk 2>/dev/null)"'
# No program is an RA's own yet. Another one has him certified by his code, and does not become him; what the signer has kept makes the
# folder with which the operators' client speaks for him.
as_ra() { ca --server "https://127.0.0.1:$FACTORY_PORT" --as "$W/ra" "$@"; }
says "an RA's code makes no station" 'E54.*the code is for a unit of role ra' enrol ra "$(factory unit invite --role ra --name ra-1 2>/dev/null)"
is_ra() { openssl x509 -in "$W/ra/person.pem" -noout -ext subjectAltName | grep -q "handsel:ra:ra-1"; }
sqlite3 "$W/factory/signer.db" "SELECT writefile('$W/ra.der', certificate) FROM invitation WHERE instr(certificate, CAST('handsel:ra:ra-1' AS BLOB))" >/dev/null
openssl x509 -inform DER -in "$W/ra.der" -out "$W/ra/person.pem"
cat "$W/factory/unit.pem" >>"$W/ra/person.pem"
mv "$W/ra/station.key" "$W/ra/person.key" && echo "version: 1" >"$W/ra/person.yaml"
holds "but the RA is certified" is_ra
unasked() {	# what they do any day; the station finds no order
	says "the station works" 'NONE' station --dir "$W/line-9" run --order NONE --agent "$BUILD/handsel-agent" --model "$TOP/profiles/models/$MODEL.yaml"
	holds "the person works" as_ada order list
	says "the RA asks what he may not" 'E54' as_ra order list
}
all_serials() { echo "$(serial "$W/line-9/station.pem") $(serial "$W/ada/person.pem") $(serial "$W/node/node.pem") $(serial "$W/ra/person.pem")"; }
enrolled=($(all_serials))
clock -86400
unasked
holds "the node serves" node_serve
kill -HUP "$NODE_PID"
holds "and looks for what is new" until_true 10 grep -q "allowlist in force" "$W/node.log"
shown() { openssl s_client -connect "127.0.0.1:$NODE_PORT" </dev/null 2>/dev/null >"$W/shown.pem" && serial "$W/shown.pem"; }
shows() { [ "$(shown)" = "$1" ]; }
holds "with its certificate" shows "${enrolled[2]}"
holds "a day before, nobody has renewed" [ "$(all_serials)" = "${enrolled[*]}" ]
clock 0
unasked
kill -HUP "$NODE_PID"
in_use() { [ "$(serial "$W/node/node.pem")" != "$1" ] && shows "$(serial "$W/node/node.pem")"; }
holds "the node shows another one while it serves" until_true 20 in_use "${enrolled[2]}"
renewed=($(all_serials))
for i in 0 1 2 3; do holds "after it each has, unasked" [ "${renewed[i]}" != "${enrolled[i]}" ]; done
unasked
holds "the RA as what he is" is_ra
holds "once" [ "$(all_serials)" = "${renewed[*]}" ]

echo "-- a station by its code"
CODE=$(factory unit invite --role station --name line-1 2>"$W/told") || die "no code: $(cat "$W/told")"
holds "forty characters in eight groups" grep -qxE '([0-9A-HJKMNP-TV-Z]{5}-){7}[0-9A-HJKMNP-TV-Z]{5}' <<<"$CODE"
holds "it is kept nowhere" eval '! grep -qraF -e "$CODE" "$W/factory"'
says "a typing error" 'E71.*typing error' enrol line-1 "${CODE%?}$([ "${CODE: -1}" = 7 ] && echo 8 || echo 7)"
says "another CA answers" 'E12.*not the CA that the code is of' station --dir "$W/line-1" enrol --ca "https://127.0.0.1:$CUSTOMER_PORT" --code "$CODE"
holds "nothing was left" [ ! -e "$W/line-1/station.yaml" ]
HANDSEL_FAULT=front.answer HANDSEL_FAULT_LOG="$W/fired" factory_serve 2>/dev/null
stop_daemon "$FACTORY_PID"; rm -f "$W/fired"
for point in enrol.certified enrol.entered; do
	HANDSEL_FAULT=$point HANDSEL_FAULT_LOG="$W/fired" factory_serve
	says "the CA dies at $point, after the signer has signed" 'E51' enrol line-1 "$CODE"
	holds "it did" grep -q . "$W/fired"
	stop_daemon "$FACTORY_PID"; rm -f "$W/fired"
done
factory_serve
typed=$(tr A-Z a-z <<<"${CODE//-/ }" | tr 0 o)
holds "typed as people type, once more with the same key" enrol line-1 "$typed"
holds "it is line-1" eval 'openssl x509 -in "$W/line-1/station.pem" -noout -ext subjectAltName | grep -q handsel:station:line-1'
says "the code is used" 'E54.*used already' enrol thief "$CODE"
holds "and works" eval 'mv "$W/line-1" "$W/station-line-1" && order_create WO-1 00020001 00020009 2 line-1 >/dev/null && provision WO-1 line-1 00020001 --timeout 20s'
holds "who did what" [ "$(sqlite3 "$W/factory/ca.db" "SELECT group_concat(action || ' ' || subject, ', ') FROM audit WHERE subject = 'station:line-1' AND action IN ('invite', 'enrol')")" = "invite station:line-1, enrol station:line-1" ]

echo "-- the node that has renewed while it served"
agent() { $RUNNER "$W/00020001/agent" --dir "$W/00020001/store" "$@" --node "https://127.0.0.1:$NODE_PORT" --timeout 20s; }
holds "the certificate before is revoked" customer revoke --certificate "${enrolled[2]}" --reason superseded
holds "a device is shipped to it" eval 'factory ship --customer plant-seven --order WO-1 --out "$W/manifest.p7" && node --dir "$W/node" import "$W/manifest.p7" &&
	node --dir "$W/node" apply && kill -HUP "$NODE_PID"'
holds "and onboards" agent activate
holds "and renews, with its word on the new one" agent renew
holds "all that without a restart" stop_daemon "$NODE_PID"

echo "-- codes that are over, or of nobody"
SHORT=$(factory unit invite --role station --name line-2 --valid 1s 2>/dev/null)
over=$(($(date +%s) + 2))
says "of another factory, its root copied" 'E54.*invites nobody' enrol line-2 "$(cp -r "$W/factory" "$W/copy" && ca --dir "$W/copy" unit invite --role station --name line-2 2>/dev/null)"
until_true 5 eval '[ "$(date +%s)" -gt $over ]'
says "over" 'E11.*is over' enrol line-2 "$SHORT"
says "no code is good for a month" 'E71.*7 days' factory unit invite --role station --name line-2 --valid 30d
says "no such role" 'E71.*no unit has it' factory unit invite --role king --name line-2

echo "-- renewal"
before=$(serial "$W/station-line-1/station.pem")
holds "the station renews" station --dir "$W/station-line-1" renew
after=$(serial "$W/station-line-1/station.pem")
holds "another certificate" [ "$before" != "$after" ]
holds "of the same name" eval 'openssl x509 -in "$W/station-line-1/station.pem" -noout -ext subjectAltName | grep -q handsel:station:line-1'
holds "with which it works" provision WO-1 line-1 00020002 --timeout 20s
audit() { node --dir "$W/node" audit "$@"; }
holds "the node signs a head of its audit" eval 'node --dir "$W/node" apply && audit head >"$W/first.jsonl"'
holds "the node renews" node --dir "$W/node" renew
holds "with its hosts" eval 'openssl x509 -in "$W/node/node.pem" -noout -ext subjectAltName | grep -q "DNS:localhost.*IP Address:127.0.0.1"'

echo "-- the node's audit, under the keys of all its certificates"
edit() { sqlite3 "$W/node/node.db" "$@"; }
off_line() { node --dir "$W/nothing" audit verify --export "$1" --certificates "$W/customer/root.pem" "${@:2}"; }
holds "a head by the new key, after those by the old" eval 'audit head >"$W/head.jsonl" && [ "$(edit "SELECT count(*) FROM audit_signer")" = 3 ]'
for n in 1 2; do echo "# $n" >>"$W/node/allowlist.yaml"; node --dir "$W/node" apply >/dev/null; done
HANDSEL_FAULT=node.head HANDSEL_FAULT_LOG="$W/fired" audit head >/dev/null 2>&1
holds "it dies in the middle of a head" grep -q node.head "$W/fired"
holds "it is exported" audit export --out "$W/node.jsonl"
last=$(edit "SELECT max(n) FROM audit")
holds "all of it is good" eval 'audit verify --against "$W/head.jsonl" | grep -q "^$last rows follow from each other and fit [1-9] heads of node:site-1, the last of row $last "'
holds "and off line, by the root alone" eval 'off_line "$W/node.jsonl" --against "$W/first.jsonl" --json | grep -q "\"good\":true,\"rows\":$last,.*\"of\":\"site-1\""'
holds "the last rows" eval '[ "$(audit tail --rows 2 --json | grep -c "\"type\":\"audit\"")" = 2 ]'
sed '/"row":2,/s/"actor":"[^"]*"/"actor":"operator:nobody"/' "$W/node.jsonl" >"$W/x.jsonl"
says "a changed row" 'E74.*audit row 2 does not follow' off_line "$W/x.jsonl"
sed '/"type":"audit","row":2,/d' "$W/node.jsonl" >"$W/x.jsonl"
says "a removed row" 'E74.*audit row 2 is missing' off_line "$W/x.jsonl"
sed '$d' "$W/node.jsonl" >"$W/x.jsonl"
says "a row that was cut off" "E74.*ends with row $((last - 1)).*a head of row $last" off_line "$W/x.jsonl"
sed '/audit-signer/d' "$W/node.jsonl" >"$W/x.jsonl"
says "heads of nobody" 'E74.*signed by no node whose certificate came with it' off_line "$W/x.jsonl"
says "of a node of another root" 'E74.*does not count' node audit verify --export "$W/node.jsonl" --certificates "$W/factory/root.pem"
says "in the database, a changed row" 'E74.*audit row 2 does not follow' eval 'cp -r "$W/node" "$W/edited" && sqlite3 "$W/edited/node.db" "UPDATE audit SET actor = '"'x'"' WHERE n = 2" && node --dir "$W/edited" audit verify'
sqlite3 "$W/edited/node.db" "DELETE FROM audit WHERE n > 1; DELETE FROM audit_head"
says "by an export that somebody kept, what the database has no more" "E74.*node.jsonl has a head of row $last" node --dir "$W/edited" audit verify --against "$W/node.jsonl"
says "without a row" 'E74.*no row yet' eval 'sqlite3 "$W/edited/node.db" "DELETE FROM audit"; node --dir "$W/edited" audit head'

factory revoke --certificate "$after" --reason keyCompromise >/dev/null
stop_daemon "$FACTORY_PID" # the signer knows of it by the operator alone
sqlite3 "$W/factory/ca.db" "UPDATE unit SET revoked = NULL, revocation = NULL"
factory_serve
says "not once it is revoked, whatever its ledger says" 'E54.*was revoked, and is not renewed' station --dir "$W/station-line-1" renew
holds "the chains of the audits hold" "$BUILD/tests/fault/audit" "$W/factory/ca.db" "$W/factory/signer.db"

echo "$CHECKED checks, $FAILED failed"
[ "$FAILED" = 0 ]
