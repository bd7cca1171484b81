# A crowd that says nothing, from several addresses, at CA and node, more than their connections: devices go on being made and
# onboarded, no thread is held, and the servers' memory stays small.
set -u
. "$TOP/tests/system/lib.sh"
. "$TOP/tests/system/checks.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel flood XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT

RSS_MAX_KIB=$((1024 * 1024))	# a connection has some 100 KiB while it stands, four times that with sanitizers

# figure DAEMON NAME : of its metrics
figure() { curl -sS "http://127.0.0.1:$(tail -n 1 "$W/$1.ready")/metrics" | sed -n "s/^$2 //p"; }
# crowd NAME PORT : sets CROWD
crowd() {
	python3 "$TOP/tests/attack/crowd.py" "$2" >"$W/crowd-$1" 2>&1 &
	CROWD=$!
	STARTED+=("$CROWD")
	until_true 30 grep -q there "$W/crowd-$1"
}
rss_kib() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"; }

factory_init >/dev/null && customer_init >/dev/null
for ca in factory customer; do echo 'metrics: "127.0.0.1:0"' >>"$W/$ca/ca.yaml"; done
factory_serve && customer_serve
station_init line-1 >/dev/null && node_init site-1 >/dev/null
echo 'metrics: "127.0.0.1:0"' >>"$W/node/node.yaml"
node_serve
order_create WO-1 00020001 00020009 9 line-1 >/dev/null

holds "a crowd stands at the CA" crowd factory "$FACTORY_PORT"
FIRST=$CROWD
holds "and at the node" crowd node "$NODE_PORT"
for serial in 00020001 00020002 00020003; do	# they have their software already
	mkdir "$W/$serial" && ln -s "$BUILD/handsel-agent" "$W/$serial/agent"
	FARM_OPTIONS+=(--fault "$serial=as-agent")
done
holds "devices are made nevertheless" provision WO-1 line-1 "00020001 00020002 00020003" --timeout 60s
ca --dir "$W/factory" ship --customer plant-seven --order WO-1 --out "$W/manifest.p7" >/dev/null
node --dir "$W/node" import "$W/manifest.p7" >/dev/null && node --dir "$W/node" apply >/dev/null
kill -HUP "$NODE_PID"
for serial in 00020001 00020002 00020003; do
	holds "$serial is onboarded nevertheless" activate $serial --timeout 30s
done
for daemon in factory node; do
	name=handsel_$([ $daemon = node ] && echo node || echo ca)
	holds "$daemon: the crowd has lost connections for those who have something to say" \
		[ "$(figure $daemon "${name}_http_connections_cut_total{why=\"crowded\"}")" -gt 0 ]
	holds "$daemon: no more connections than allowed, at the door and behind it" [ "$(figure $daemon ${name}_http_connections)" -le 4000 ]
	holds "$daemon: ready all the time" curl -sSf -o "$W/ready" "http://127.0.0.1:$(tail -n 1 "$W/$daemon.ready")/readyz"
done
holds "the CA's memory stays small" [ "$(rss_kib "$FACTORY_PID")" -lt $((RSS_MAX_KIB)) ]
echo "= a crowd of 2700 at each server: CA $(rss_kib "$FACTORY_PID") KiB, node $(rss_kib "$NODE_PID") KiB resident"
# nobody waits for the crowd when the server stops
kill -TERM "$FIRST" "$CROWD"
holds "the node stops" stop_daemon "$NODE_PID"
echo "$CHECKED checks, $FAILED failed"
[ $FAILED = 0 ]
