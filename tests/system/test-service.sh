# The CA system and the node as services: readiness, watchdog, sockets and keys from the service manager, figures for Prometheus,
# the units that are installed.
set -u
. "$TOP/tests/system/lib.sh"
. "$TOP/tests/system/checks.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel service XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT

# manage NAME COMMAND... : the command under a service manager, with a socket for https and one for metrics; sets PID PORT METRICS.
manage() {
	local log=$W/$1.notify
	rm -f "$log"
	shift
	python3 "$TOP/tests/system/manager.py" "$log" --socket https --socket metrics -- "$@" >>"$log.out" 2>&1 &
	PID=$!
	STARTED+=("$PID")
	until_true 20 grep -qs '^READY=1' "$log" || { cat "$log" "$log.out"; return 1; }
	PORT=$(sed -n 's/^listening https //p' "$log") METRICS=$(sed -n 's/^listening metrics //p' "$log")
}
told() { grep -q -- "$2" "$W/$1.notify"; }
# ask PORT PATH : prints the status and the text.
ask() { curl -sS -w '%{http_code}\n' "http://127.0.0.1:$1$2"; }
# sample PORT LINE : the figures are well formed, and this is among them.
sample() {
	curl -sS -o "$W/exposition" "http://127.0.0.1:$1/metrics" && python3 "$TOP/tests/system/exposition.py" <"$W/exposition" >"$W/samples" &&
		{ grep -qxE -- "$2" "$W/samples" || { cat "$W/samples"; false; }; }
}
answers() { ask "$1" "$2" | tr '\n' ' ' | grep -qE "$3"; }

factory_init >/dev/null
customer_init >/dev/null
manage factory "$BUILD/handsel-ca" --dir "$W/factory" serve
FACTORY=$PID FACTORY_PORT=$PORT FACTORY_METRICS=$METRICS
manage customer "$BUILD/handsel-ca" --dir "$W/customer" serve
CUSTOMER=$PID CUSTOMER_PORT=$PORT CUSTOMER_METRICS=$METRICS

holds "the manager hears that the CA serves" told factory '^STATUS=serving on port '
holds "the CA serves at the socket that it was given" curl -sS --cacert "$W/factory/root.pem" -o "$W/list" \
	"https://127.0.0.1:$FACTORY_PORT/crl/issuing.crl"
holds "the node is made and certified" node_init line-1
holds "the node's key may come from the manager alone" mkdir "$W/credentials"
mv "$W/node/node.key" "$W/credentials/node.key" && chmod 440 "$W/credentials/node.key"
manage node env CREDENTIALS_DIRECTORY="$W/credentials" "$BUILD/handsel-node" --dir "$W/node" serve
NODE_PID=$PID NODE_PORT=$PORT NODE_METRICS=$METRICS
holds "the manager hears that the node serves" until_true 10 told node '^STATUS=serving on port '
says "and without it the node says what it misses" "node.key" "$BUILD/handsel-node" --dir "$W/node" serve --listen 127.0.0.1:0

# ---- figures, with one device made and onboarded, and one refused ----
station_init line-2 >/dev/null
order_create order-1 00020001 00020002 2 line-2 >/dev/null
holds "two devices are made" provision order-1 line-2 "00020001 00020002"
printf 'version: 1\ndevices:\n  - {serial: "00020001", manufacturer: "%s", model: %s}\n' "$MANUFACTURER" "$MODEL" >"$W/node/allowlist.yaml"
ca --dir "$W/factory" ship --customer plant-seven --device 00020001 --out "$W/manifest.p7" >/dev/null
CREDENTIALS_DIRECTORY=$W/credentials node --dir "$W/node" import "$W/manifest.p7" >/dev/null
CREDENTIALS_DIRECTORY=$W/credentials node --dir "$W/node" apply >/dev/null
holds "one is onboarded" activate 00020001
says "one is refused" "E21" activate 00020002 --timeout 2s
holds "healthz" answers "$FACTORY_METRICS" /healthz "^alive 200"
holds "readyz of the CA" answers "$FACTORY_METRICS" /readyz "^ready 200"
holds "readyz of the node" until_true 10 answers "$NODE_METRICS" /readyz "^ready 200"
holds "another path" answers "$FACTORY_METRICS" / "404"
holds "the CA protocol is not at the metrics" answers "$FACTORY_METRICS" /handsel/ca/1 "404"
says "the metrics are not where devices are" "404" curl -sSf --cacert "$W/factory/root.pem" "https://127.0.0.1:$FACTORY_PORT/metrics"
holds "issues" sample "$FACTORY_METRICS" 'handsel_ca_requests_total\{ca="factory",kind="issue",code="OK"\} 2'
holds "certificates made" sample "$FACTORY_METRICS" 'handsel_ca_issued_total\{ca="factory"\} 2'
holds "pending" sample "$FACTORY_METRICS" 'handsel_ca_pending\{ca="factory"\} 0'
holds "requests take their time" sample "$FACTORY_METRICS" 'handsel_ca_http_request_seconds_count [1-9][0-9]*'
holds "the list's number" sample "$FACTORY_METRICS" 'handsel_ca_crl_number\{ca="factory",list="issuing"\} [1-9][0-9]*'
holds "the list's age" sample "$FACTORY_METRICS" 'handsel_ca_crl_age_seconds\{ca="factory",list="unit"\} [0-9]+'
holds "the signer" sample "$FACTORY_METRICS" 'handsel_signer_up 1'
holds "the chain's end" sample "$CUSTOMER_METRICS" 'handsel_ca_certificate_expiry_timestamp_seconds\{ca="customer",certificate="server"\} [0-9]{10}'
holds "the customer's issue" sample "$CUSTOMER_METRICS" 'handsel_ca_issued_total\{ca="customer"\} 1'
holds "the audit" sample "$CUSTOMER_METRICS" 'handsel_ca_audit_rows\{ca="customer"\} [1-9][0-9]*'
holds "the database's size" sample "$CUSTOMER_METRICS" 'handsel_ca_database_bytes\{ca="customer",database="signer"\} [1-9][0-9]+'
holds "the node's enrolments" sample "$NODE_METRICS" 'handsel_node_requests_total\{kind="simpleenroll",code="OK"\} 1'
holds "the node's confirmations" sample "$NODE_METRICS" 'handsel_node_requests_total\{kind="confirm",code="OK"\} 1'
holds "the node's refusals" sample "$NODE_METRICS" 'handsel_node_requests_total\{kind="(simpleenroll|voucher)",code="E21"\} [1-9][0-9]*'
holds "the node's CA" sample "$NODE_METRICS" 'handsel_node_ca_up 1'
holds "nothing left to tell" until_true 10 sample "$NODE_METRICS" 'handsel_node_outbox 0'
holds "no serial among the labels" eval '! grep -q 0002000 "$W/exposition"'

# ---- reload, watchdog, stop ----
cp "$W/factory/ca.yaml" "$W/ca.yaml"
echo "colour: red" >>"$W/factory/ca.yaml"
kill -HUP "$FACTORY"
holds "a reload is announced" until_true 10 told factory '^RELOADING=1'
holds "with the time of it" told factory '^MONOTONIC_USEC=[0-9]'
holds "a failed reload says so" until_true 10 grep -q 'reload: what was in force stays so' "$W/factory.notify.out"
holds "and ends" until_true 10 eval '[ "$(grep -c "^READY=1" "$W/factory.notify")" -ge 2 ]'
holds "and keeps what was in force" answers "$FACTORY_METRICS" /readyz "^ready 200"
cp "$W/ca.yaml" "$W/factory/ca.yaml"
holds "signs of life come" until_true 10 eval '[ "$(grep -c "^WATCHDOG=1" "$W/factory.notify")" -ge 3 ]'
holds "the node's too" until_true 10 eval '[ "$(grep -c "^WATCHDOG=1" "$W/node.notify")" -ge 3 ]'
for name in factory node; do
	[ $name = factory ] && PID=$FACTORY || PID=$NODE_PID
	holds "$name stops" stop_daemon "$PID"
	holds "$name says that it stops" told $name '^STOPPING=1'
	holds "$name ends with 0" told $name '^exit 0'
done
says "a socket that does not listen is refused" "no listening TCP socket" env LISTEN_FDS=1 \
	bash -c 'exec 3</dev/null; LISTEN_PID=$$ exec "$0" --dir "$1" serve' "$BUILD/handsel-ca" "$W/factory"
sed -i '/^metrics/d' "$W/factory/ca.yaml" && echo 'metrics: "localhost"' >>"$W/factory/ca.yaml"
says "an address of metrics that is none" 'ca.yaml:[0-9]+:[0-9]+: metrics: "localhost" is no ADDRESS:PORT' \
	"$BUILD/handsel-ca" --dir "$W/factory" serve

# ---- the units ----
mkdir "$W/units" && cp "$BUILD"/systemd/*.service "$TOP"/systemd/*.socket "$W/units"
sed -i "s|^ExecStart=\"[^\"]*/|ExecStart=\"$BUILD/|" "$W"/units/*.service
for unit in "$W"/units/*; do
	holds "verify $(basename "$unit")" eval 'out=$(systemd-analyze verify --man=no "$unit" 2>&1) && [ -z "$out" ] || { echo "$out"; false; }'
done
for unit in "$W"/units/*.service; do
	holds "$(basename "$unit") is exposed at most 1.5" systemd-analyze security --offline=true --threshold=15 --no-pager "$unit"
done
echo "$CHECKED checks, $FAILED failed"
[ $FAILED = 0 ]
