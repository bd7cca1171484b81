# A backup of CA and node while they serve, put back elsewhere: any change of it is found, nothing that the signer or the CA knows is
# lost, and until that was looked at nothing is issued.
set -u
. "$TOP/tests/system/lib.sh"
. "$TOP/tests/system/checks.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel backup XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT
active() { ca --dir "$1" issued list --state active --json | sed -n 's/.*"serial":"\([0-9]*\)".*/\1/p' | sort | tr '\n' ' '; }
# exits STATUS COMMAND...
exits() { local want=$1 got=0; shift; "$@" || got=$?; [ $got = "$want" ]; }

factory_init >/dev/null && factory_serve && customer_init >/dev/null && customer_serve
station_init line-1 >/dev/null
node_init site-1 >/dev/null && node_serve
order_create WO-1 00020001 00020013 13 line-1 >/dev/null
provision WO-1 line-1 "$(serials 20001 20004)" >/dev/null
ca --dir "$W/factory" ship --customer plant-seven --order WO-1 --out "$W/manifest.p7" >/dev/null
node --dir "$W/node" import "$W/manifest.p7" >/dev/null && node --dir "$W/node" apply >/dev/null
kill -HUP "$NODE_PID"
holds "a device is onboarded" activate 00020001 --timeout 20s

# ---- while eight are made, one backup after the other ----
provision WO-1 line-1 "$(serials 20005 20012)" >"$W/line.log" 2>&1 &
LINE=$!
n=0
while kill -0 $LINE 2>/dev/null && [ $n -lt 15 ]; do
	n=$((n + 1))
	ca --dir "$W/factory" backup create "$W/b$n" --json >"$W/b$n.json" 2>"$W/b.err" || { cat "$W/b.err"; break; }
	sleep 0.1	# all of the time that the eight take
done
holds "the line does not notice" wait $LINE
holds "there were some" [ $n -ge 2 ]
for i in $(seq $n); do
	holds "backup $i is good" ca --dir "$W/factory" backup verify "$W/b$i"
done
MIDDLE=$W/b$(((n + 1) / 2))
holds "no wal, no key is in it" eval '! find "$MIDDLE" -name "*-wal" -o -name "*.db-shm" | grep -q . && ! grep -rlq "PRIVATE KEY" "$MIDDLE"'
holds "what was left out is named" grep -q '"file":"server.key"' "$MIDDLE.json"
FINGERPRINT=$(sed -n 's/.*"fingerprint":"\([0-9a-f]*\)".*/\1/p' "$MIDDLE.json")
holds "its fingerprint holds" ca --dir "$W/factory" backup verify "$MIDDLE" --fingerprint "$FINGERPRINT"
says "a backup is never replaced" "exists already" ca --dir "$W/factory" backup create "$MIDDLE"
says "nothing is restored over what is there" "is not empty" ca --dir "$W/factory" backup restore "$MIDDLE"
says "one of another program" "is a backup of handsel-ca" node --dir "$W/elsewhere" backup restore "$MIDDLE"

# ---- every change is found ----
# spoilt NAME PATTERN COMMAND... : a copy of the backup in $W/spoilt, changed by the command, is refused
spoilt() {
	local name=$1 pattern=$2
	shift 2
	rm -rf "$W/spoilt" && cp -a "$MIDDLE" "$W/spoilt" && "$@"
	says "$name" "$pattern" ca --dir "$W/elsewhere" backup restore "$W/spoilt"
	holds "... and nothing is there" [ ! -e "$W/elsewhere" ]
}
spoilt "a byte of a database" "ca.db was changed" eval 'printf x | dd of="$W/spoilt/ca.db" bs=1 seek=5000 conv=notrunc 2>/dev/null'
spoilt "a certificate is gone" "root.pem is missing" rm "$W/spoilt/root.pem"
spoilt "a file more" "cas.yaml is not in the list" touch "$W/spoilt/cas.yaml"
spoilt "a link in place of a file" "root.pem" ln -sf /etc/hostname "$W/spoilt/root.pem"
spoilt "another path in the list" "no list of a backup" sed -i '2s| [^ ]*$| ../../x|' "$W/spoilt/MANIFEST"
spoilt "another hash in the list" "was changed" sed -i '2s|^.|0|;3s|^.|1|' "$W/spoilt/MANIFEST"
spoilt "the signature is gone" "E53.*the backup is not signed" rm "$W/spoilt/MANIFEST.p7"
ca --dir "$W/factory" backup create "$W/later" >/dev/null
spoilt "the signature of another" "E53.*is the signature of another backup" cp "$W/later/MANIFEST.p7" "$W/spoilt/MANIFEST.p7"
spoilt "signed by a station" "E53.*MANIFEST.p7" openssl cms -sign -nodetach -binary -nosmimecap -in "$MIDDLE/MANIFEST" -outform DER -out "$W/spoilt/MANIFEST.p7" \
	-signer "$W/station-line-1/station.pem" -inkey "$W/station-line-1/station.key" -certfile "$W/factory/unit.pem"
holds "whose it is, is told" eval 'ca --dir "$W/elsewhere" backup verify "$MIDDLE" --root-fingerprint "$(fingerprint "$W/factory/root.pem")" |
	grep -qx "signed by  operator:operator, under the root $(fingerprint "$W/factory/root.pem")"'
# made anew as a whole by whoever can write: another CA, which has the name and ids of this one
(W=$W/thief; mkdir "$W" && factory_init) >/dev/null 2>&1
ca --dir "$W/thief/factory" backup create "$W/forged" >/dev/null
says "another backup in its place" "not the one that was asked for" ca --dir "$W/elsewhere" backup verify "$W/forged" --fingerprint "$FINGERPRINT"
says "of another root" "E53.*not of the one that was asked for" ca --dir "$W/elsewhere" backup restore "$W/forged" --root-fingerprint "$(fingerprint "$W/factory/root.pem")"

# ---- an encrypted key is in it if asked for, a plain one never ----
mkdir "$W/keys" && cp -a "$W/factory/." "$W/keys" && rm -f "$W"/keys/*-wal "$W"/keys/*-shm
openssl pkey -in "$W/factory/server.key" -aes256 -passout pass:secret -out "$W/keys/operator.key" && chmod 600 "$W/keys/operator.key"
openssl req -new -key "$W/factory/server.key" -subj /CN=x -out "$W/keys/operator.csr"
(umask 077 && echo secret >"$W/keys/passphrase")
ca --dir "$W/factory" unit issue "$W/keys/operator.csr" --role operator --name operator --out "$W/keys/operator.pem" >/dev/null
echo "unit-credential: \"$W/keys/passphrase\"" >>"$W/keys/ca.yaml"
holds "a backup with keys" ca --dir "$W/keys" backup create "$W/with-keys" --keys
holds "has the encrypted one" grep -q "BEGIN ENCRYPTED PRIVATE KEY" "$W/with-keys/operator.key"
holds "no plain one, and no passphrase" [ ! -e "$W/with-keys/server.key" -a ! -e "$W/with-keys/passphrase" ]

# ---- the ledger is lost; the signer's database survives ----
ALL=$(active "$W/factory")
holds "all twelve were made" [ "$(wc -w <<<"$ALL")" = 12 ]
stop_all
holds "it is put back" ca --dir "$W/again" backup restore "$MIDDLE" --fingerprint "$FINGERPRINT"
(cd "$W/factory" && cp -a --parents keys server.key operator.key "$W/again")
says "without the old signer.db it recovers, too" "signer|ledger" exits 0 ca --dir "$W/again" reconcile
cp -a "$W/factory/signer.db" "$W/again/signer.db"
mv "$W/factory" "$W/lost" && mv "$W/again" "$W/factory"
factory_serve
holds "it starts recovering" grep -q "is recovering" "$W/factory.log"
says "and issues nothing" "E51" provision WO-1 line-1 00020013 --ca-wait 2s
says "the plan names what is lost" "lacks" ca --dir "$W/factory" reconcile
holds "it is taken over" ca --dir "$W/factory" reconcile --apply
holds "nothing that the signer knows is lost" [ "$(active "$W/factory")" = "$ALL" ]
holds "the order has one unit left" eval 'ca --dir "$W/factory" order list | grep -q "12 of 13"'

# ---- both are lost: the backup alone ----
holds "both are put back" ca --dir "$W/alone" backup restore "$MIDDLE"
(cd "$W/lost" && cp -a --parents keys server.key operator.key "$W/alone")
start_daemon alone "$BUILD/handsel-ca" --dir "$W/alone" serve --listen 127.0.0.1:0
holds "it is recovering until an operator says otherwise" grep -q "is recovering" "$W/alone.log"
holds "who then says so" ca --dir "$W/alone" reconcile --apply

# ---- the node ----
customer_serve && node_serve
holds "a backup of the node" node --dir "$W/node" backup create "$W/nb"
holds "it is good" node --dir "$W/node" backup verify "$W/nb"
holds "another device is onboarded" activate 00020002 --timeout 20s
holds "and the CA knows it" until_true 10 eval '[ "$(active "$W/customer" | wc -w)" = 2 ]'
stop_daemon "$NODE_PID"
holds "the node is put back" node --dir "$W/node2" backup restore "$W/nb"
cp -a "$W"/node/*.key "$W/node2" && rm -rf "$W/node" && mv "$W/node2" "$W/node"
says "it is marked" "older than what the CA has worked with" exits 0 node --dir "$W/node" reconcile
node_serve
holds "it takes over what the CA knows" until_true 10 eval 'node --dir "$W/node" devices --json | grep "00020002" | grep -q "\"onboarded\""'
# ---- an upper CA: nobody there could sign ----
holds "an upper CA" ca --dir "$W/upper" init --kind upper --name "Acme Group" "${FACTORY_KEYS[@]}"
holds "its backup says that it is hashed only" eval 'ca --dir "$W/upper" backup create "$W/upper.backup" | grep -q "^NOT SIGNED, hashed only"'
holds "and so does who verifies it" eval 'ca backup verify "$W/upper.backup" | grep -q "^NOT SIGNED, hashed only"'
holds "with the list of its root" cmp "$W/upper/root.crl" "$W/upper.backup/root.crl"

echo "$CHECKED checks, $FAILED failed"
[ $FAILED = 0 ]
