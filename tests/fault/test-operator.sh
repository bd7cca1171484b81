# Every fault point of what an operator does, or a daemon by itself: `handsel-ca reconcile` with ledger or signer.db from a backup,
# a rollover, its end, a revocation list by hand and by `serve`, an answer of OCSP, a backup and what is put back from it, a head of the
# audit, an import at the node, a block, a lapse, `handsel-node reconcile` and the recovery of a running node. Killed
# there and done again: then all of it is done, once, and nothing that was in force before is lost.
set -u
. "$TOP/tests/fault/lib.sh"
. "$TOP/tests/fault/operator.sh"
MOST=30			# passings of one point: files are replaced by the dozen, each another one

FEW=$((PAIRS / 10))

# ---- the factory's ledger or signer.db was put back from a backup ----
build() { provision WO-1 line-1 "$@" --timeout 60s; }

# Two devices before the backup; since then one is active, one pending, one made anew, another order signed and one closed.
factory_backup() {
	factory_init && factory_serve && station_init line-1 && order_create WO-1 00020001 00020009 6 line-1 &&
		order_create WO-2 00020011 00020019 6 line-1 && build "00020001 00020002" && stop_all && cp -a "$W/factory" "$W/before" &&
		factory_serve && build 00020003 && ca --dir "$W/factory" rework --serial 00020002 --reason "new board" &&
		rm -rf "$W/00020002" && build 00020002 && order_create WO-3 00020021 00020029 6 line-1 &&
		ca --dir "$W/factory" order close WO-2 && stop_all || return 1
	HANDSEL_FAULT=commit.after HANDSEL_FAULT_LOG="$W/cut" factory_serve
	provision WO-1 line-1 00020004 --ca-wait 1s	# the CA is gone
	stop_all
	[ -s "$W/cut" ] && ca --dir "$W/factory" reconcile
}
# put_back DATABASE
put_back() {
	mkdir "$W/start" && cp -a "$W/factory" "$W/start/factory" && rm -f "$W/start/factory/$1.db"* && cp -a "$W/before/$1.db"* "$W/start/factory"
}
reconcile_ca() { ca --dir "$1/factory" reconcile --apply; }
judge_agreed() {
	local dir=$1 name=$2
	ca --dir "$dir/factory" reconcile >"$dir/out" 2>&1 && grep -q "nothing to do" "$dir/out" || bad "$name" "$(tail -n 1 "$dir/out")"
	[ "$(sqlite3 "$dir/factory/signer.db" "SELECT id, used FROM work_order ORDER BY id" | xargs)" = "WO-1|5 WO-2|0 WO-3|0" ] ||
		bad "$name" "the signer counts: $(sqlite3 "$dir/factory/signer.db" "SELECT id, used FROM work_order ORDER BY id" | xargs)"
	ca --dir "$dir/factory" issued list --json | sed -n 's/.*"serial":"\([^"]*\)","state":"\([a-z]*\)".*/\1 \2/p' | sort >"$dir/issued"
	[ "$(grep -v ' revoked$' "$dir/issued" | xargs)" = "00020001 active 00020002 active 00020003 active 00020004 pending" ] &&
		grep -qx '00020002 revoked' "$dir/issued" || bad "$name" "the ledger has $(xargs <"$dir/issued")"
	[ "$(ca --dir "$dir/factory" order list --json | sed -n 's/.*"id":"\([^"]*\)".*"state":"\([a-z]*\)".*"used":\([0-9]*\).*/\1 \2 \3/p' |
		xargs)" = "WO-1 open 4 WO-2 closed 0 WO-3 open 0" ] || bad "$name" "the orders: $(ca --dir "$dir/factory" order list | xargs)"
	[ "$(sqlite3 "$dir/factory/ca.db" "SELECT count(*) FROM audit WHERE action = 'reconcile'")" = 1 ] || bad "$name" "not one reconcile in the audit"
	audit_holds "$dir/factory/ca.db" "$dir/factory/signer.db"
}
walk_reconcile() {
	factory_backup >"$W/setup.log" 2>&1 || { tail -n 20 "$W/setup.log"; die "no factory"; }
	put_back ca
	walk "reconcile, ledger behind" reconcile_ca judge_agreed 5 $FEW
	rm -rf "$W/start"
	put_back signer
	walk "reconcile, signer behind" reconcile_ca judge_agreed 4 $FEW
}


# ---- a rollover and its end, the factory's units and orders under the older keys ----
# Cut, it goes on when it is asked again; only what is done is refused.
begin() { ca --dir "$1/factory" ca rollover --host 127.0.0.1 || ca --dir "$1/factory" ca rollover 2>&1 | grep 'the last rollover is under way'; }
standing() { ca --dir "$1/factory" ca list --json | sed -n 's/.*"generation":\([0-9]*\),"overlap":\([a-z]*\).*/\1 \2/p'; }
judge_begun() {
	local dir=$1/factory name=$2 gen=$1/factory/gen-2
	judge_generation "$1" "$name" "2 true"
	openssl verify -CAfile "$dir/root.pem" -untrusted "$gen/cross.pem" -untrusted "$gen/unit.pem" "$dir/server.pem" "$dir/operator.pem" \
		>"$1/out" 2>&1 || bad "$name" "who knows the old root does not accept the CA: $(tail -n 1 "$1/out")"
	openssl verify -CAfile "$gen/root.pem" -untrusted "$gen/unit.pem" "$dir/server.pem" "$dir/operator.pem" "$gen/issuing.pem" \
		>"$1/out" 2>&1 || bad "$name" "who knows the new root does not: $(tail -n 1 "$1/out")"
	openssl verify -CAfile "$gen/root.pem" -untrusted "$gen/cross.pem" "$dir/issuing.pem" "$dir/unit.pem" >"$1/out" 2>&1 ||
		bad "$name" "nor does it accept the older CAs: $(tail -n 1 "$1/out")"
}
finish() { ca --dir "$1/factory" ca rollover --finish || standing "$1" | grep -qx '2 false'; }
judge_finished() { judge_generation "$1" "$2" "2 false"; }
# judge_generation FOLDER CASE STANDING : the system is whole, and issues.
judge_generation() {
	local dir=$1/factory name=$2
	ca --dir "$dir" config check >"$1/out" 2>&1 || bad "$name" "config check: $(tail -n 1 "$1/out")"
	[ "$(standing "$1")" = "$3" ] || bad "$name" "the generation is $(standing "$1") instead of $3"
	[ "$(find "$dir" -path '*/keys/*.new*' | wc -l)" = 0 ] || bad "$name" "half a key is left: $(find "$dir" -path '*/keys/*.new*')"
	ca --dir "$dir" crl --of issuing --out "$1/list.crl" >"$1/out" 2>&1 || bad "$name" "no list: $(tail -n 1 "$1/out")"
	ca --dir "$dir" unit issue "$W/station-line-1/station.csr" --role station --name line-1 --out "$1/station.pem" >"$1/out" 2>&1 ||
		bad "$name" "no unit is certified: $(tail -n 1 "$1/out")"
	openssl verify -CAfile "$dir/gen-2/root.pem" -untrusted "$1/station.pem" "$1/station.pem" >"$1/out" 2>&1 ||
		bad "$name" "the unit is not under the new root: $(tail -n 1 "$1/out")"
	audit_holds "$dir/ca.db" "$dir/signer.db"
}
walk_rollover() {
	{ factory_init && factory_serve && station_init line-1 && order_create WO-1 00020001 00020009 6 line-1 && stop_all &&
		mkdir "$W/start" && cp -a "$W/factory" "$W/start"; } >"$W/setup.log" 2>&1 || { tail -n 20 "$W/setup.log"; die "no factory"; }
	walk "rollover" begin judge_begun 20 $FEW rollover.made
	begin "$W/start" >/dev/null && ca --dir "$W/start/factory" order close WO-1 >/dev/null || die "no rollover"
	walk "end of a rollover" finish judge_finished 3 $FEW
}

# ---- revocation lists ----
list() { ca --dir "$1/factory" crl --of issuing --out "$1/list.crl"; }
# `serve` makes them by itself, before it serves.
publish() {
	local dir=$1 pid
	rm -f "$dir/ready"
	"$BUILD/handsel-ca" --dir "$dir/factory" serve --listen 127.0.0.1:0 --ready-file "$dir/ready" &
	pid=$!
	until_true 20 eval '[ -s "$dir/ready" ] || ! kill -0 $pid 2>/dev/null'
	kill -TERM $pid && wait $pid && revoked "$dir/factory/crl/issuing.crl"
}
serials_of() { openssl crl -inform DER -in "$1" -noout -text 2>/dev/null | sed -n 's/.*Serial Number: //p' | sort; }
revoked() { [ "$(serials_of "$1")" = "$(cat "$W/revoked")" ]; }
crl_number() { openssl crl -inform DER -in "$1" -noout -crlnumber | sed 's/.*=0*x*//I'; }
judge_listed() { judge_list "$1" "$2" "$1/list.crl"; }
judge_published() { judge_list "$1" "$2" "$1/factory/crl/issuing.crl"; }
# judge_list FOLDER CASE FILE : it is the CA's, names what is revoked, and the next one has a higher number.
judge_list() {
	local dir=$1 name=$2 file=$3
	revoked "$file" || bad "$name" "the list has $(serials_of "$file" | xargs) instead of $(xargs <"$W/revoked")"
	openssl crl -inform DER -in "$file" -noout -verify -CAfile "$dir/factory/issuing.pem" 2>&1 | grep -q 'verify OK' ||
		bad "$name" "the list is not the issuing CA's"
	[ "$((16#$(crl_number "$file")))" -gt "$((16#$(crl_number "$W/before.crl")))" ] || bad "$name" "its number has not grown"
	ca --dir "$dir/factory" crl --of issuing --out "$dir/next.crl" >"$dir/out" 2>&1 && revoked "$dir/next.crl" &&
		[ "$((16#$(crl_number "$dir/next.crl")))" -gt "$((16#$(crl_number "$file")))" ] ||
		bad "$name" "the next list does not follow it: $(tail -n 1 "$dir/out")"
	audit_holds "$dir/factory/ca.db" "$dir/factory/signer.db"
}
walk_lists() {
	{ factory_init && factory_serve && station_init line-1 && order_create WO-1 00020001 00020009 6 line-1 &&
		build "00020001 00020002 00020003" && stop_all && mkdir "$W/start" && cp -a "$W/factory" "$W/start" &&
		ca --dir "$W/start/factory" crl --of issuing --out "$W/before.crl" &&
		ca --dir "$W/start/factory" revoke --device 00020001 --reason keyCompromise &&
		ca --dir "$W/start/factory" revoke --device 00020003 --reason keyCompromise; } >"$W/setup.log" 2>&1 ||
		{ tail -n 20 "$W/setup.log"; die "no factory"; }
	for s in 00020001 00020003; do openssl x509 -in "$W/$s/store/factory/cert.pem" -noout -serial | sed 's/.*=//'; done | sort >"$W/revoked"
	walk "crl" list judge_listed 5 $FEW
	DAEMON=1 walk "serve publishes" publish judge_published 8 $FEW
	openssl ocsp -issuer "$W/start/factory/issuing.pem" -cert "$W/00020001/store/factory/cert.pem" -no_nonce -reqout "$W/question" 2>"$W/setup.log" ||
		die "no question: $(cat "$W/setup.log")"
	DAEMON=1 MOST=1 walk "answer" ask judge_state 5 0	# starts and ends as above
	walk_kept
}

# ---- somebody asks whether a certificate is revoked ----
ask() {
	local dir=$1 pid
	rm -f "$dir/ready" "$dir/state"
	"$BUILD/handsel-ca" --dir "$dir/factory" serve --listen 127.0.0.1:0 --ready-file "$dir/ready" &
	pid=$!
	until_true 20 eval '[ -s "$dir/ready" ] || ! kill -0 $pid 2>/dev/null'
	[ ! -s "$dir/ready" ] || curl -sk -m 10 -o "$dir/state" -H 'Content-Type: application/ocsp-request' --data-binary "@$W/question" \
		"https://127.0.0.1:$(head -n 1 "$dir/ready")/ocsp"
	kill -TERM $pid && wait $pid && [ -s "$dir/state" ]
}
judge_state() {
	local dir=$1 name=$2
	openssl ocsp -respin "$dir/state" -issuer "$dir/factory/issuing.pem" -cert "$W/00020001/store/factory/cert.pem" -no_nonce \
		-CAfile "$dir/factory/root.pem" >"$dir/out" 2>&1 && grep -q ': revoked$' "$dir/out" || bad "$name" "it answers: $(xargs <"$dir/out")"
	audit_holds "$dir/factory/ca.db" "$dir/factory/signer.db"
}

# ---- heads and backups ----
sign_head() { ca --dir "$1/factory" audit head >"$1/head.json"; }
judge_head() {
	ca --dir "$1/factory" audit verify --signer --against "$1/head.json" >"$1/out" 2>&1 || bad "$2" "$(tail -n 1 "$1/out")"
	audit_holds "$1/factory/ca.db" "$1/factory/signer.db"
}
# What is there is never replaced; cut behind its last step, it is there.
save() { [ -e "$1/backup" ] || ca --dir "$1/factory" backup create "$1/backup"; }
judge_saved() {
	ca --dir "$1/factory" backup verify "$1/backup" >"$1/out" 2>&1 || bad "$2" "$(tail -n 1 "$1/out")"
	[ "$(find "$1" -maxdepth 1 -type d | wc -l)" = 3 ] || bad "$2" "half a backup is left: $(ls "$1" | xargs)"
}
put_back_all() { [ -e "$1/again/ca.db" ] || ca --dir "$1/again" backup restore "$W/saved"; }
judge_put_back() {
	cmp "$1/factory/ca.yaml" "$1/again/ca.yaml" >"$1/out" 2>&1 &&
		[ "$(ca --dir "$1/again" issued list)" = "$(ca --dir "$1/factory" issued list)" ] || bad "$2" "not all of it is back: $(xargs <"$1/out")"
	[ "$(find "$1" -maxdepth 1 -type d | wc -l)" = 3 ] || bad "$2" "half of it is left: $(ls "$1" | xargs)"
	audit_holds "$1/again/ca.db" "$1/again/signer.db"
}
walk_kept() {
	walk "audit head" sign_head judge_head 2 0
	walk "backup" save judge_saved 1 0
	ca --dir "$W/start/factory" backup create "$W/saved" >"$W/setup.log" 2>&1 || die "no backup: $(tail -n 1 "$W/setup.log")"
	walk "put back" put_back_all judge_put_back 1 0
	ca --dir "$W/start/factory" issued list >"$W/listed" && sqlite3 "$W/start/factory/ca.db" "INSERT INTO unread SELECT n FROM request WHERE certificate IS NOT NULL" ||
		die "no older ledger"
	walk "older ledger" list_issued judge_listed_all 1 0
}
# Certificates of a ledger from before it kept their serials are read once.
list_issued() { ca --dir "$1/factory" issued list >"$1/listed"; }
judge_listed_all() {
	cmp "$1/listed" "$W/listed" >"$1/out" 2>&1 && [ "$(sqlite3 "$1/factory/ca.db" "SELECT count(*) FROM unread")" = 0 ] || bad "$2" "not all was read: $(xargs <"$1/out")"
	audit_holds "$1/factory/ca.db" "$1/factory/signer.db"
}

# ---- the node's database was put back from a backup; all nodes of the cases ask one CA, to which they tell nothing ----
agent() { "$W/$1/agent" --dir "$W/$1/store" "$2" --node "https://127.0.0.1:$NODE_PORT" --timeout 20s; }
# A is onboarded and has renewed since, B is blocked since, C confirmed since, D onboarded since, E has stored since.
node_backup() {
	local s all="00020001 00020002 00020003 00020004 00020005"
	factory_init && factory_serve && station_init line-1 && order_create WO-1 00020001 00020009 9 line-1 && build "$all 00020006" &&
		customer_init && customer_serve && node_init site-1 &&
		ca --dir "$W/factory" ship --customer plant-seven $(printf -- '--device %s ' $all) --out "$W/manifest.p7" &&
		node --dir "$W/node" import "$W/manifest.p7" && node --dir "$W/node" apply && node_serve &&
		agent 00020001 activate && agent 00020002 activate || return 1
	HANDSEL_FAULT=agent.confirm-sent agent 00020003 activate
	sqlite3 "$W/node/node.db" ".backup '$W/backup.db'"
	agent 00020003 activate && agent 00020001 renew && agent 00020004 activate && node --dir "$W/node" devices block 00020002 || return 1
	HANDSEL_FAULT=agent.confirm-sent agent 00020005 activate
	until_true 20 told && stop_daemon "$NODE_PID" && mkdir "$W/start" && node_states "$W/node" >"$W/states" &&
		cp -a "$W/node" "$W/start" && rm -f "$W/start/node/node.db"* && cp "$W/backup.db" "$W/start/node/node.db"
}
told() { issued customer && [ "$(of_state active 00020004 | wc -l)" = 1 ] && [ "$(of_state revoked 00020002 | wc -l)" = 1 ] &&
	[ "$(of_state active 00020001 | wc -l)" = 1 ] && [ "$(of_state pending 00020001 | wc -l)" = 0 ]; }
node_states() { node --dir "$1" devices --json | sed -n 's/.*"serial":"\([0-9]*\)".*"state":"\([a-z]*\)".*/\1 \2/p' | sort; }
reconcile_node() { node --dir "$1/node" reconcile --apply; }
has_all() { HANDSEL_FAULT=none HANDSEL_FAULT_LIST=/dev/null node --dir "$1/node" reconcile; }
recover_node() {
	local dir=$1 pid
	rm -f "$dir/ready"
	"$BUILD/handsel-node" --dir "$dir/node" serve --listen 127.0.0.1:0 --ready-file "$dir/ready" >"$dir/serve.log" 2>&1 &
	pid=$!
	until_true 20 eval '! kill -0 $pid 2>/dev/null || { [ -s "$dir/ready" ] && has_all "$dir"; }' >/dev/null
	cat "$dir/serve.log"
	kill -TERM $pid && wait $pid && has_all "$dir"
}
judge_recovered() {
	local dir=$1 name=$2
	has_all "$dir" >"$dir/out" 2>&1 || bad "$name" "$(tail -n 1 "$dir/out")"
	[ "$(node_states "$dir/node")" = "$(cat "$W/states")" ] || bad "$name" "the node has $(node_states "$dir/node" | xargs)"
	audit_holds "$dir/node/node.db"
}
walk_node() {
	node_backup >"$W/setup.log" 2>&1 || { tail -n 20 "$W/setup.log"; die "no node"; }
	walk "node reconcile" reconcile_node judge_recovered 1 $FEW
	DAEMON=1 walk "node recovers" recover_node judge_recovered 8 $FEW
	grep -q '^node.recover.learned:' "$W.cases" || die "the node did not recover"
	rm -rf "$W/start" && mkdir "$W/start" && cp -a "$W/node" "$W/start" &&
		ca --dir "$W/factory" ship --customer plant-seven --device 00020006 --out "$W/more.p7" >"$W/setup.log" 2>&1 || die "nothing was shipped"
	walk "import" import_more judge_imported 3 0
	walk "block" block judge_blocked 2 0
	walk_lapse
}

# ---- what is done at the node that has all ----
import_more() { node --dir "$1/node" import "$W/more.p7" && node --dir "$1/node" apply; }
judge_imported() {
	grep -q 00020006 "$1/node/allowlist.yaml" && node --dir "$1/node" plan >"$1/out" 2>&1 || bad "$2" "not all is applied: $(xargs <"$1/out")"
	audit_holds "$1/node/node.db"
}
blocked() { node_states "$1/node" | grep -qx '00020004 blocked'; }
block() { blocked "$1" || node --dir "$1/node" devices block 00020004; }
judge_blocked() {
	blocked "$1" || bad "$2" "the node has $(node_states "$1/node" | xargs)"
	audit_holds "$1/node/node.db"
}
# A sixth device never confirms; the node is cut before it tells the CA.
walk_lapse() {
	sed -i '/^pending:/d' "$W/node/node.yaml"
	echo "pending: 4s" >>"$W/node/node.yaml"
	import_more "$W" >"$W/setup.log" 2>&1 && supervised node.lapsed node node_serve || die "no node: $(tail -n 1 "$W/setup.log")"
	HANDSEL_FAULT=agent.confirm-sent agent 00020006 activate >"$W/setup.log" 2>&1
	until_true 30 lapsed || bad "node.lapsed" "the CA was not told: $(xargs <"$W/issued")"
	[ "$(cat "$W/node.fired")" = node.lapsed:1 ] || bad "node.lapsed" "it never fired"
	sed "s/^/lapse /" "$W/node.fired" >>"$ROOT/$LANE.cuts"
	stop_all
	audit_holds "$W/node/node.db" "$W/customer/ca.db"
}
lapsed() { issued customer && grep -q '^00020006 ' "$W/issued" && [ -z "$(of_state pending 00020006)" ]; }

lane reconcile walk_reconcile
lane rollover walk_rollover
lane lists walk_lists
lane node walk_node
end_lanes
