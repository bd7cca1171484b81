# What goes wrong around CA and node, one after the other (doc/operations.md has the table): a message that says what to do, its code,
# nothing lost, the service goes on where it can, and by itself when the cause is gone.
set -u
if [ -z "${IN_NAMESPACE:-}" ]; then	# small file systems of our own, seen by nobody else
	[ "$(id -u)" = 0 ] && flags=-m || flags=-rm
	IN_NAMESPACE=1 exec unshare $flags bash "$0" "$@"
fi
. "$TOP/tests/system/lib.sh"
. "$TOP/tests/system/checks.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel errors XXXXXX")
trap 'stop_all; umount -l "$W/customer" "$W/node" 2>/dev/null; rm -rf "$W"' EXIT
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0"	# the clock comes before it

cc -shared -fPIC -O1 -o "$W/clock.so" "$TOP/tests/system/clock.c" || die "no compiler"
# clock NAME SECONDS : how far that daemon's clock stands beside the machine's
clock() { printf '%-31s\n' "$2" | dd of="$W/$1.clock" conv=notrunc 2>/dev/null; }
metrics() { tail -n 1 "$W/$1.ready"; }
# ready NAME PATTERN : what /readyz says
ready() { curl -sS -w '%{http_code}' -D "$W/head" "http://127.0.0.1:$(metrics "$1")/readyz" | tr '\n' ' ' | grep -qE -- "$2"; }
figure() { curl -sS "http://127.0.0.1:$(metrics "$1")/metrics" | grep -qE -- "$2"; }
log_has() { grep -qE -- "$2" "$W/$1.log"; }
on_small_disk() {
	mv "$1" "$1.was" && mkdir "$1" && mount -t tmpfs -o "size=$2,mode=700" none "$1" && cp -a "$1.was/." "$1" && rm -rf "$1.was"
}

# The folder has a space in its name, which LD_PRELOAD takes for a separator: the clock goes by another name.
ln -s "$W" "${W// /-}" && LINK=${W// /-} && trap 'stop_all; umount -l "$W/customer" "$W/node" 2>/dev/null; rm -rf "$W" "$LINK"' EXIT
# served NAME COMMAND... : the daemon with a clock of its own
served() { local name=$1; shift; clock "$name" 0; SUPERVISOR="env LD_PRELOAD=$LINK/clock.so CLOCK_OFFSET=$LINK/$name.clock" "$@"; }

factory_init >/dev/null && customer_init >/dev/null
for ca in factory customer; do echo 'metrics: "127.0.0.1:0"' >>"$W/$ca/ca.yaml"; done
on_small_disk "$W/customer" 6m
served factory factory_serve --record "$W/record" && served customer customer_serve
station_init line-1 >/dev/null && node_init site-1 >/dev/null
echo 'metrics: "127.0.0.1:0"' >>"$W/node/node.yaml"
on_small_disk "$W/node" 6m
served node node_serve
order_create WO-1 00020001 00020009 9 line-1 >/dev/null
provision WO-1 line-1 "00020001 00020002 00020003 00020009" >/dev/null
ca --dir "$W/factory" ship --customer plant-seven --order WO-1 --out "$W/manifest.p7" >/dev/null
node --dir "$W/node" import "$W/manifest.p7" >/dev/null && node --dir "$W/node" apply >/dev/null
kill -HUP "$NODE_PID"
holds "all is well" activate 00020001 --timeout 20s

# ---- the clock ----
# What has been issued and counted, by each that counts: orders, ledger, figures.
counted() {
	ca --dir "$W/factory" order list --json | sed -n 's/.*"used":\([0-9]*\).*/\1/p'
	for at in factory customer; do
		ca --dir "$W/$at" issued list --json | grep -c '"type":"issued"'
		curl -sS "http://127.0.0.1:$(metrics $at)/metrics" | sed -n 's/^handsel_ca_issued_total{.*} //p'
	done
}
# plainly : a device's very question from before, by a session of nobody: the CA's answer
QUESTION=$(grep -l "<issue " "$W"/record/*-request.xml | head -n 1)
plainly() { curl -sSk "https://127.0.0.1:$FACTORY_PORT/ca" -H "Content-Type: application/xml" --data-binary "@$QUESTION"; }
answered() { plainly >"$W/answer" && grep -qE "$1" "$W/answer" || { cat "$W/answer"; return 1; }; }
# both_off SECONDS : the clocks of both CAs, and each has seen it
both_off() { clock factory "$1" && clock customer "$1" && until_true 10 ready factory "$2" && until_true 10 ready customer "$2"; }
# asks_in_vain STATION-SERIAL DEVICE-SERIAL : a station, a device at the factory and one at a node; nothing comes of it
asks_in_vain() {
	local before
	before=$(counted)
	says "... a station is refused" "E11.*clock" provision WO-1 line-1 "$1"
	holds "... a device that asks is put off" answered 'code="E51"'
	says "... a device at a node is put off" "E51" activate "$2" --timeout 2s
	holds "... nothing was issued, nothing counted" [ "$(counted)" = "$before" ]
}
holds "a device that repeats its question has its certificate" answered "<certificate>"
holds "a clock that was stepped back: not ready, E11" both_off -172800 "^E11 .* not valid before .*clock.* 503$"
holds "... the figures say so" figure factory "^handsel_ready 0"
asks_in_vain 00020004 00020009
holds "... set right: ready again" both_off 0 "^ready 200"
holds "... and that unit is made" provision WO-1 line-1 00020004
# The server's certificate is good for two years, those of the CAs above it for 25.
holds "an expired CA: not ready, E11" both_off 820500000 "^E11 .*expired at .* 503$"
asks_in_vain 00020005 00020009
holds "... set right: ready again" both_off 0 "^ready 200"
holds "... that unit is made" provision WO-1 line-1 00020005
holds "... and that device onboarded" activate 00020009 --timeout 20s
printf '%-31s\n' 94608000 >"$W/late.clock"
says "... at the start: what it is, and what to do" "E11.*(expired|clock)" env LD_PRELOAD="$LINK/clock.so" CLOCK_OFFSET="$LINK/late.clock" \
	"$BUILD/handsel-ca" --dir "$W/factory" serve --listen 127.0.0.1:0

# ---- the disk ----
for at in customer node; do
	dd if=/dev/zero of="$W/$at/filler" bs=4096 2>/dev/null
	says "$at: a full disk" "E32|E51" activate 00020002 --timeout 2s
	holds "$at: not ready, E32" until_true 15 ready $at "^E32 .* 503$"
	holds "$at: Handsel-Reason has the code" grep -qi '^Handsel-Reason: E32' "$W/head"
	rm "$W/$at/filler"
	holds "$at: room again, and it finds out by itself" until_true 20 ready $at "^ready 200"
done
holds "the same device is onboarded" activate 00020002 --timeout 20s
holds "and has one certificate" [ "$(ca --dir "$W/customer" issued list --device 00020002 --state active --json | grep -c '"type":"issued"')" = 1 ]

# ---- a database that somebody keeps locked ----
mkfifo "$W/lock"
sqlite3 "$W/customer/ca.db" <"$W/lock" >"$W/lock.out" &
LOCK=$!
exec 9>"$W/lock"
printf '%s\n' ".timeout 10000" "BEGIN EXCLUSIVE;" "SELECT 'held';" >&9	# the CA may be writing just now
until_true 15 grep -q held "$W/lock.out"
activate 00020003 --timeout 120s >"$W/put-off.log" 2>&1 9>&- &
DEVICE=$!
# The node waits 8 s for the CA, twice, and then tells the device, which waits 20 s: an E03 before it is not what it should hear.
holds "a locked database: the device is put off" until_true 60 grep -q "E51 the customer's CA is not available" "$W/put-off.log"
holds "... the log names the cause" until_true 10 log_has customer "another process has kept the database locked"
holds "... not ready, E32" until_true 15 ready customer "^E32 .*locked.* 503$"
exec 9>&-
wait $LOCK
holds "... let go: ready again" until_true 20 ready customer "^ready 200"
holds "... and the device, which has not given up, is onboarded" wait $DEVICE

# ---- a ledger that is damaged while it is served ----
F=$W/factory
issued() { ca --dir "$F" issued list --state active --json | sed -n 's/.*"serial":"\([0-9]*\)".*/\1/p' | sort | tr '\n' ' '; }
holds "a backup" ca --dir "$F" backup create "$W/backup"
holds "a unit is made after it" provision WO-1 line-1 00020006
ALL=$(issued)
# All of it is in the file itself, then the index of request ids is overwritten; what changes the database by another process makes the CA
# read anew what it had in memory.
in_file() { [ "$(sqlite3 "$F/ca.db" ".timeout 10000" "PRAGMA wal_checkpoint(TRUNCATE)")" = "0|0|0" ]; }
overwrite() {
	local size page version
	size=$(sqlite3 "$F/ca.db" "PRAGMA page_size") && version=$(sqlite3 "$F/ca.db" "PRAGMA user_version") &&
		page=$(sqlite3 "$F/ca.db" "SELECT rootpage FROM sqlite_schema WHERE name = 'request_id'") && until_true 20 in_file &&
		head -c "$size" /dev/zero | tr '\0' '\377' | dd of="$F/ca.db" bs="$size" seek=$((page - 1)) conv=notrunc 2>/dev/null &&
		sqlite3 "$F/ca.db" ".timeout 10000" "PRAGMA user_version = $version"
}
holds "pages of the ledger are overwritten" overwrite
holds "a device that asks is put off" answered 'code="E51"'
holds "... the log says what to do" log_has factory "E32 .*ca.db: the database is damaged .*restore the last backup"
holds "... not ready, E32" until_true 15 ready factory "^E32 .*database is damaged.* 503$"
holds "... lists are given out" eval 'curl -sSk "https://127.0.0.1:$FACTORY_PORT/crl/issuing.crl" | openssl crl -inform DER -noout'
holds "... so are the CA's certificates and figures" figure factory '^handsel_ca_storage_failing\{ca="factory"\} 1'
holds "... it stays so" ready factory "^E32 "
stop_daemon "$FACTORY_PID"
mv "$F" "$W/damaged"
holds "the backup is put back" ca --dir "$F" backup restore "$W/backup"
(cd "$W/damaged" && cp -a --parents keys server.key operator.key signer.db "$F")
served factory factory_serve
holds "... with the signer.db that survived" ca --dir "$F" reconcile --apply
holds "... nothing that was answered is lost" [ "$(issued)" = "$ALL" ]
holds "... it is ready" until_true 15 ready factory "^ready 200"
holds "... the same question has its certificate" answered "<certificate>"
holds "... and devices are made" provision WO-1 line-1 00020007

# ---- the folder of the revocation lists ----
mv "$W/factory/crl" "$W/crl" && : >"$W/factory/crl"
holds "a list cannot be written: the revocation itself is done" ca --dir "$W/factory" revoke --device 00020004 --reason keyCompromise
holds "... the log says so" until_true 15 log_has factory "revocation lists: .*crl"
holds "... it serves on" ready factory "^ready 200"
holds "... devices are made" provision WO-1 line-1 00020008
rm "$W/factory/crl" && mv "$W/crl" "$W/factory/crl"

# ---- a closed order ----
ca --dir "$W/factory" order close WO-1 >/dev/null
says "a closed order" "E41.*(closed|over)" provision WO-1 line-1 00020004
holds "... nothing else is touched" ready factory "^ready 200"

# ---- keys that nobody has unlocked ----
(umask 077 && echo "correct horse" >"$W/passphrase")
ca --dir "$W/locked" init --kind factory --name Acme --host 127.0.0.1 --listen 127.0.0.1:0 --key-credential "$W/passphrase" >/dev/null
sed -i '/credential/d' "$W/locked/keys.yaml" && echo 'metrics: "127.0.0.1:0"' >>"$W/locked/ca.yaml"
start_daemon locked "$BUILD/handsel-ca" --dir "$W/locked" serve </dev/null
holds "locked keys: not ready, E75" ready locked "^E75 .*handsel-ca unlock.* 503$"
holds "... the figures say so" figure locked '^handsel_signer_keys_open\{ca="factory"\} 0'
holds "... they are unlocked" ca --dir "$W/locked" unlock --credential "$W/passphrase"
holds "... and it is ready, as it finds by itself" until_true 20 ready locked "^ready 200"

# ---- a damaged database ----
stop_all
cp "$W/factory/ca.db" "$W/ca.db"
printf 'this is no database any more' | dd of="$W/factory/ca.db" conv=notrunc 2>/dev/null
says "a damaged ledger: it does not start" "E32: .*ca.db: the database is damaged .*restore the last backup" \
	"$BUILD/handsel-ca" --dir "$W/factory" serve --listen 127.0.0.1:0
cp "$W/ca.db" "$W/factory/ca.db"
printf 'this is no database any more' | dd of="$W/node/node.db" conv=notrunc 2>/dev/null
says "a damaged database of the node" "E32: .*node.db: the database is damaged .*restore the last backup" \
	"$BUILD/handsel-node" --dir "$W/node" serve --listen 127.0.0.1:0
holds "the ledger of before serves" factory_serve
holds "... and at its start has the list that was missing" eval 'openssl crl -inform DER -in "$W/factory/crl/issuing.crl" -text -noout | grep -q "Serial Number"'
echo "$CHECKED checks, $FAILED failed"
[ $FAILED = 0 ]
