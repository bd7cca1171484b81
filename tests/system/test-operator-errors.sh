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
served factory factory_serve && served customer customer_serve
station_init line-1 >/dev/null && node_init site-1 >/dev/null
echo 'metrics: "127.0.0.1:0"' >>"$W/node/node.yaml"
on_small_disk "$W/node" 6m
served node node_serve
order_create WO-1 00020001 00020009 9 line-1 >/dev/null
provision WO-1 line-1 "00020001 00020002 00020003" >/dev/null
ca --dir "$W/factory" ship --customer plant-seven --order WO-1 --out "$W/manifest.p7" >/dev/null
node --dir "$W/node" import "$W/manifest.p7" >/dev/null && node --dir "$W/node" apply >/dev/null
kill -HUP "$NODE_PID"
holds "all is well" activate 00020001 --timeout 20s

# ---- the clock ----
clock factory -172800
holds "a clock that was stepped back: not ready, E11" until_true 10 ready factory "^E11 .* not valid before .*clock.* 503$"
holds "... the figures say so" figure factory "^handsel_ready 0"
clock factory 0
holds "... set right: ready again" until_true 10 ready factory "^ready 200"
holds "... and devices are made" provision WO-1 line-1 00020004
clock factory 94608000
holds "an expired CA: not ready, E11" until_true 10 ready factory "^E11 .*expired at .* 503$"
clock factory 0
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
says "a locked database: put off" "E51|E03" activate 00020003 --timeout 11s
holds "... the log names the cause" until_true 10 log_has customer "another process has kept the database locked"
holds "... not ready, E32" until_true 15 ready customer "^E32 .*locked.* 503$"
exec 9>&-
wait $LOCK
holds "... let go: ready again" until_true 20 ready customer "^ready 200"
holds "... and the device is onboarded" activate 00020003 --timeout 20s

# ---- the folder of the revocation lists ----
mv "$W/factory/crl" "$W/crl" && : >"$W/factory/crl"
holds "a list cannot be written: the revocation itself is done" ca --dir "$W/factory" revoke --device 00020004 --reason keyCompromise
holds "... the log says so" until_true 15 log_has factory "revocation lists: .*crl"
holds "... it serves on" ready factory "^ready 200"
holds "... devices are made" provision WO-1 line-1 00020005
rm "$W/factory/crl" && mv "$W/crl" "$W/factory/crl"

# ---- a closed order ----
ca --dir "$W/factory" order close WO-1 >/dev/null
says "a closed order" "E41.*(closed|over)" provision WO-1 line-1 00020006
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
