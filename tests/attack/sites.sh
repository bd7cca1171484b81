# sites.sh - two customers of one factory, "seven" and "eight", each with its own CA and node. Sourced, after lib.sh.
SERIAL=00020001
OTHER=00020002
declare -A CUSTOMER_PORTS NODE_PORTS NODE_PIDS

# use SITE : what lib.sh calls customer and node is that site's from now on.
use() {
	rm -f "$W/customer" "$W/node"
	ln -s "customer-$1" "$W/customer"
	ln -s "node-$1" "$W/node"
	declare -g CUSTOMER_PORT="${CUSTOMER_PORTS[$1]:-}" NODE_PORT="${NODE_PORTS[$1]:-}"
}

# site_init NAME : a customer of that name with its own CA, which serves, and a node.
site_init() {
	local n=$W/node-$1 root
	use "$1"
	ca --dir "$W/customer-$1" init --kind customer --id customer --name "Plant $1" --host 127.0.0.1 --listen 127.0.0.1:0 --key-passphrase none &&
		start_daemon "customer-$1" "$BUILD/handsel-ca" --dir "$W/customer-$1" serve --listen 127.0.0.1:0 || return 1
	CUSTOMER_PORTS[$1]=$PORT
	root=$(fingerprint "$W/factory/root.pem")
	node --dir "$n" init --name "site-$1" --ca "https://127.0.0.1:$PORT" --ca-root "$W/customer-$1/root.pem" \
		--listen 127.0.0.1:0 --host 127.0.0.1 &&
		ca --dir "$W/customer-$1" unit issue "$n/node.csr" --role node --name "site-$1" --host 127.0.0.1 --out "$n/node.pem" &&
		node --dir "$n" handoff request --out "$W/$1.csr" &&
		ca --dir "$W/factory" handoff grant "$W/$1.csr" --customer "$1" --name "site-$1" --out "$W/$1.p7" &&
		node --dir "$n" handoff accept "$W/$1.p7" --root-fingerprint "$root" &&
		ca --dir "$W/customer-$1" handoff accept "$W/$1.p7" --root-fingerprint "$root"
}
site_start() {
	start_daemon "node-$1" "$BUILD/handsel-node" --dir "$W/node-$1" serve --listen "127.0.0.1:${NODE_PORTS[$1]:-0}" || return 1
	NODE_PORTS[$1]=$PORT NODE_PIDS[$1]=$PID
}

# ship SITE SERIAL [OPTION] : the manifest is in $W/SITE.manifest
ship() { ca --dir "$W/factory" ship --customer "$1" --device "$2" --out "$W/$1.manifest" "${@:3}"; }
# take SITE : its node imports what was shipped to it
take() { node --dir "$W/node-$1" import "$W/$1.manifest" && node --dir "$W/node-$1" apply; }
sql() { sqlite3 -cmd ".timeout 5000" "$W/node-$1/node.db" "$2"; }

# sites : both serve; SERIAL was shipped to "seven", OTHER to nobody.
sites() {
	quietly factory_world "$SERIAL $OTHER"

	quietly site_init seven
	quietly site_init eight
	quietly ship seven "$SERIAL"
	quietly take seven
	quietly site_start seven
	quietly site_start eight
}

# onboard SITE : the device asks there.
onboard() { NODE_PORT=${NODE_PORTS[$1]} activate "$SERIAL" --timeout 20s; }

# turned_away CODE NAME SITE [N] : refused there, and the device is as it was, with nothing (N) of it at the site's CA.
turned_away() {
	cp -a "$W/$SERIAL/store" "$W/before"
	refused "FAIL $1" "$2" onboard "$3"
	holds "the device is as it was" unchanged
	holds "nothing new of it at $3's CA" [ "$(issued_count "customer-$3" --device "$SERIAL")" = "${4:-0}" ]
	rm -rf "$W/before"
}
unchanged() {
	[ "$(cat "$W/$SERIAL/store/current")" = factory ] && diff -r "$W/before/factory" "$W/$SERIAL/store/factory" &&
		{ [ ! -e "$W/$SERIAL/store/voucher" ] || cmp "$W/before/voucher" "$W/$SERIAL/store/voucher"; }
}
