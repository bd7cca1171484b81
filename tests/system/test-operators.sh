# Operators are persons with functions, on machines of their own: what a clerk, an RA operator, an auditor and administrators may do, what
# needs two of them, and that the signer believes neither the front nor one person for two.
set -u
. "$TOP/tests/system/lib.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel operators XXXXXX")
. "$TOP/tests/system/checks.sh"
trap 'stop_all; rm -rf "$W"' EXIT
factory() { ca --dir "$W/factory" "$@"; }
# as NAME COMMAND... : from that person's machine, which has nothing of the CA's folder.
as() {
	local who=$1
	shift
	ca --server "https://127.0.0.1:$FACTORY_PORT" --as "$W/$who" "$@"
}
# invite BY NAME FUNCTION... : BY is a person, or "" for the folder.
invite() {
	local by=$1 name=$2 f=() x
	shift 2
	for x in "$@"; do f+=(--function "$x"); done
	if [ "$by" ]; then as "$by" operator invite "$name" "${f[@]}"; else factory operator invite "$name" "${f[@]}"; fi 2>"$W/told"
}
join() { as "$1" operator enrol --code "$2" >/dev/null; }
action_of() { sed -n 's/.*action \([0-9a-f]\{32\}\).*/\1/p' "$1" | tail -n 1; }
order() { as "$1" order create --id "$2" --model "$MODEL" --serials "$3-$4" --quota 2 --station line-1 --agent "$BUILD/handsel-agent"; }

factory_init >/dev/null && factory_serve || die "no CA"

echo "-- persons come by a code"
CODE=$(invite "" ada administrator) || die "no code: $(cat "$W/told")"
holds "ada enrols" join ada "$CODE"
holds "her key is hers alone" [ "$(stat -c %a "$W/ada/person.key")" = 600 ]
holds "her certificate says what she may" eval 'openssl x509 -in "$W/ada/person.pem" -noout -ext subjectAltName | grep -q "handsel:person:ada.*handsel:functions:administrator"'
says "the code is used" 'E54.*used already' join thief "$CODE"
for p in "carl clerk" "rita ra" "olga auditor" "bert administrator"; do
	set -- $p
	holds "$1, by ada" join "$1" "$(invite ada "$@")"
done
says "a person has functions" 'E71.*--function is missing' factory operator invite nobody
says "and comes by operator invite" 'E71.*operator invite' factory unit invite --role person --name nobody
says "not by unit issue" 'E53.*has functions' eval 'openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$W/k" -subj /CN=x -out "$W/x.csr" 2>/dev/null; factory unit issue "$W/x.csr" --role person --name x --out "$W/x.pem"'

echo "-- each does what his function allows"
holds "rita invites a station" eval 'CODE=$(as rita unit invite --role station --name line-1 2>/dev/null)'
holds "which enrols" station --dir "$W/station-line-1" enrol --ca "https://127.0.0.1:$FACTORY_PORT" --code "$CODE"
holds "carl orders" order carl WO-1 00030001 00030009
holds "extends" as carl order extend WO-1 --quota 3
holds "the station works on it" provision WO-1 line-1 00030001 --timeout 20s
holds "carl sees it" eval 'as carl order list | grep -q "WO-1 .*open .* 1 of 3"'
holds "with its stations" eval 'as carl order show WO-1 | grep -q "station line-1"'
holds "and what was issued" eval 'as carl issued list | grep -q "^00030001 .*active"'
holds "into a file, as the folder has it" eval 'as carl issued export --format csv --out "$W/a.csv" >/dev/null && factory issued export --format csv --out "$W/b.csv" >/dev/null && cmp "$W/a.csv" "$W/b.csv"'
holds "rita has it made anew" eval 'as rita rework --serial 00030001 --reason "a new board" | grep -q "issued once more"'
holds "once" eval '! as rita rework --serial 00030001 --reason again'
says "nothing to rework" 'E53.*had no active credential' as rita rework --serial 00030001 --reason again
says "a revocation of nothing" 'E53.*nothing was ever issued' as rita revoke --device 99999999 --reason superseded
holds "and revokes another" eval 'provision WO-1 line-1 00030002 --timeout 20s && as rita revoke --device 00030002 --reason keyCompromise | grep -q "revoked (keyCompromise)"'
holds "she revokes a station" eval 'CODE=$(as rita unit invite --role station --name line-9 2>/dev/null) && station --dir "$W/line-9" enrol --ca "https://127.0.0.1:$FACTORY_PORT" --code "$CODE" &&
	as rita revoke --certificate "$(openssl x509 -in "$W/line-9/station.pem" -noout -serial | sed "s/.*=//")" --reason keyCompromise'
stop_daemon "$FACTORY_PID" # what the lists have told is taken away: her own word is left
sqlite3 "$W/factory/ca.db" "UPDATE unit SET revoked = NULL, revocation = NULL"
sqlite3 "$W/factory/signer.db" "DELETE FROM revoked"
factory_serve
says "which the signer has from her, whatever front and ledger say" 'E54.*was revoked, and is not renewed' station --dir "$W/line-9" renew
holds "olga has the last head of the audit" until_true 10 eval 'as olga audit head >"$W/head.json" && [ "$(wc -l <"$W/head.json")" = 1 ]'
holds "olga exports the audit" as olga audit export --out "$W/audit.jsonl"
holds "which is whole, by her own certificates" ca audit verify --export "$W/audit.jsonl" --certificates "$W/olga/ca.pem" --against "$W/head.json"
holds "tails it" eval '[ "$(as olga audit tail --rows 3 | wc -l)" = 3 ]'
holds "asks how the CA does" eval 'as olga status --json | grep -q "\"waiting\":0"'
holds "and ada who there is" eval '[ "$(as ada operator list | grep -c "^person:")" = 5 ]'
holds "who did what, with the certificate" eval '[ "$(sqlite3 "$W/factory/ca.db" "SELECT count(*) FROM audit WHERE actor = '"'person:carl/$(openssl x509 -in "$W/carl/person.pem" -noout -serial | sed 's/.*=//' | tr A-Z a-z)'"' AND action IN ('"'order', 'extend'"')")" = 2 ]'

echo "-- and nothing else"
says "a clerk invites no operator" 'E54.*takes the function administrator' as carl operator invite eve --function administrator
says "nor rules" 'E54.*function administrator' as carl operator two-person --none
for command in "ship --customer x" crl reconcile; do
	says "nor works on the folder" 'E71.*--server: "[a-z]*" works on the CA.s own folder.*run it there' as carl $command
done
says "nor reads the audit" 'E54.*function auditor' as carl audit export --out "$W/x"
says "an auditor orders nothing" 'E54.*function clerk' order olga WO-2 00030011 00030019
says "an administrator revokes no device" 'E54.*function ra' as ada revoke --device 00030001 --reason superseded
says "an RA operator ends no operator" 'E54.*administrator' as rita revoke --certificate "$(openssl x509 -in "$W/ada/person.pem" -noout -serial | sed 's/.*=//')" --reason superseded
says "nobody invites a local operator" 'E54.*in the CA.s folder alone' as rita unit invite --role operator --name deputy
says "a station is no operator" 'E54' eval 'mkdir -p "$W/fake" && echo "version: 1" >"$W/fake/person.yaml" && cp "$W/station-line-1/station.key" "$W/fake/person.key" && cp "$W/station-line-1/station.pem" "$W/fake/person.pem" && cp "$W/station-line-1/root.pem" "$W/fake/" && as fake order list'

echo "-- cut at the signer, between signer and ledger, and before the ledger's commit"
# again_with FAULT : the CA, which is cut there; without one it is the CA again.
again_with() {
	stop_daemon "$FACTORY_PID" 2>/dev/null
	HANDSEL_FAULT=${1:-none} HANDSEL_FAULT_LOG="$W/fired-${1:-none}" factory_serve 2>/dev/null
}
more=3
for point in act.judged act.signed act.entered; do
	again_with $point
	says "cut at $point" 'E51' as carl order extend WO-1 --quota $((++more))
	holds "there" grep -q "$point" "$W/fired-$point"
	again_with
	holds "the next command finishes it" eval 'as carl order extend WO-1 --scrap $((more + 3)) 2>&1 | grep -q "what was cut before.*is done.*$more of"'
	holds "each once" eval 'as carl order show WO-1 | grep -q "version $((2 * more - 4)) by carl, at most $((2 * more + 3)) keys"'
done

echo "-- two persons"
holds "ada says what needs two" as ada operator two-person order-create operator-invite two-person revoke
says "the folder alone is one" 'E54.*revoke needs two persons' factory revoke --device 00030001 --reason superseded
says "nor does it order" 'E54.*needs two persons' order_create WO-3 00030021 00030029 2 line-1
order carl WO-3 00030021 00030029 >"$W/out"
holds "carl's order waits" [ $? = 4 ]
A=$(action_of "$W/out")
holds "the ledger has none" eval '! as carl order list | grep -q WO-3'
holds "it is listed" eval 'as olga action list | grep -q "^$A waiting .*order-create .*WO-3, by person:carl"'
says "carl is one person" 'E54.*cannot be the second person' as carl action approve "$A"
holds "also with a second certificate" join carl2 "$(CODE=$(invite ada carl clerk); as bert action approve "$(action_of "$W/told")" >/dev/null; echo "$CODE")"
says "of one name" 'E54.*cannot be the second person' as carl2 action approve "$A"
says "an auditor's word does not count" 'E54.*function clerk' as olga action approve "$A"
CODE=$(invite ada dora clerk)
says "the code of one who waits is good for nothing" 'E54.*invites nobody' join dora "$CODE"
D=$(action_of "$W/told")
holds "bert sees in plain words whom" eval 'as bert action show "$D" | grep -q "invites   person:dora"'
holds "approves" as bert action approve "$D"
holds "and dora enrols" join dora "$CODE"
again_with act.approved
says "cut at her approval" 'E51' as dora action approve "$A"
again_with
as dora action approve "$A" >"$W/out"
holds "dora approves once more, of an order that she is shown" grep -q "station   line-1" "$W/out"
holds "which finishes it" grep -q "order WO-3: 2 of" "$W/out"
holds "now there is one" eval 'as carl order list | grep -q "WO-3 .*open"'
holds "both are named" eval 'as olga audit tail --rows 100 | grep -q "person:carl/[0-9a-f]*+person:dora/[0-9a-f]* order "'
holds "approved once more it is the same" eval 'as dora action approve "$A" | grep -q "done already"'
order carl WO-4 00030031 00030039 >"$W/out"
A=$(action_of "$W/out")
holds "dora rejects another" as dora action reject "$A"
says "for good" 'it was rejected' as dora action approve "$A"
as ada operator two-person --none >"$W/out"
holds "one administrator does not end the rule" [ $? = 4 ]

echo "-- the end of an operator"
holds "ada ends dora, without whom there are two for all that needs two" eval 'as ada operator revoke dora --reason "left the company" | grep -qx "person:dora acts no more; certificates revoked: 1"'
says "who acts no more" 'E54.*was revoked' as dora order list
says "not even for a front that would let her" 'E54.*(was ended|was revoked, and is not)' eval 'order carl WO-5 00030041 00030049 >"$W/out"; sqlite3 "$W/factory/ca.db" "UPDATE unit SET revoked = NULL, revocation = NULL"; as dora action approve "$(action_of "$W/out")"'
holds "ada ends the folder's, and rita is alone then" eval 'as ada operator revoke operator --local --reason "persons act" | grep -q "WARNING: .*persons: revoke; invite another one"'
says "two persons who may do it are needed for a rule" 'E54.*nobody could approve takeover.*rita alone' as ada operator two-person takeover
says "which orders no more" 'E54.*was ended' factory order close WO-1
says "nor invites" 'E54.*was ended' factory operator invite eve --function administrator
says "nor revokes" 'E54.*was ended' factory revoke --device 00030001 --reason superseded
says "nor with another certificate" 'E54.*was ended' eval 'factory unit issue "$W/x.csr" --role operator --name deputy --out "$W/x.pem" >/dev/null && factory revoke --device 00030001 --reason superseded'
says "nor has anything made anew" 'E54.*was ended' factory rework --serial 00030001 --reason again
holds "persons go on" as carl order list
holds "a customer's node asks to be introduced" eval 'node --dir "$W/node" init --name site-1 --ca https://127.0.0.1:1 --ca-root "$W/factory/root.pem" --listen 127.0.0.1:0 && node --dir "$W/node" handoff request --out "$W/handoff.csr"'
says "not by the folder" 'E54.*was ended' factory handoff grant "$W/handoff.csr" --customer plant-seven --name site-1 --out "$W/handoff.p7"
says "nor by a clerk" 'E54.*function ra' as carl handoff grant "$W/handoff.csr" --customer plant-seven --name site-1 --out "$W/handoff.p7"
grant() { as "$1" handoff grant "${@:2}" --out "$W/handoff.p7"; }
take() { node --dir "$W/node" handoff accept "$W/handoff.p7" --root-fingerprint "$(fingerprint "$W/factory/root.pem")"; }
rm "$W/fired-act.judged"
again_with act.judged
says "rita grants it, and is cut" 'E51' grant rita "$W/handoff.csr" --customer plant-seven --name site-1 --host 127.0.0.1
again_with
as rita action list >/dev/null 2>"$W/told" # finishes it
G=$(sed -n 's/what was cut before: action \([0-9a-f]*\) is done.*/\1/p' "$W/told")
holds "she has the bundle then" eval 'grant rita --action "$G" | grep -q "tell the customer the root fingerprint"'
holds "of one certificate" [ "$(sqlite3 "$W/factory/ca.db" "SELECT count(*) FROM unit WHERE customer = 'plant-seven'")" = 1 ]
holds "which the node accepts" take
holds "with its host" eval 'openssl x509 -in "$W/node/onboard.pem" -noout -ext subjectAltName | grep -q "handsel:customer:plant-seven.*IP Address:127.0.0.1"'
says "of another action there is none" 'E53.*introduces no node' as rita handoff grant --action "$A" --out "$W/x.p7"
for point in hand.kept hand.told; do
	[ $point = hand.kept ] && id=WO-1 || id=WO-3
	HANDSEL_FAULT=$point HANDSEL_FAULT_LOG="$W/fired-$point" as carl order close $id 2>/dev/null
	holds "cut at $point" eval 'grep -q $point "$W/fired-$point" && [ -s "$W/carl/unfinished.p7" ]'
	holds "it is finished by the next" eval 'as carl order close $id 2>&1 | grep -q "what was cut before.*done"'
done
holds "ada is told whom she lacks once she ends bert" eval 'as ada operator revoke bert --reason "left the company" | grep -q "WARNING: no two are left for what needs two persons: operator-invite revoke two-person; no operator can be invited"'
holds "and once more of clerks" eval 'as ada operator revoke carl --reason "left the company" | grep -q "WARNING: .*persons: order-create operator-invite revoke two-person;"'
holds "the chains of the audits hold" "$BUILD/tests/fault/audit" "$W/factory/ca.db" "$W/factory/signer.db"

echo "$CHECKED checks, $FAILED failed"
[ "$FAILED" = 0 ]
