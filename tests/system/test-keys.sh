# Where a CA's keys live: encrypted files that a person unlocks, a token that is pulled and put back, a rollover from the one into the
# other; the whole handover with tokens; and a signer that tries what it may not.
set -eu
. "$TOP/tests/system/lib.sh"
. "$TOP/tests/system/checks.sh"
. "$TOP/tests/system/hsm.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel keys XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT
umask 077
hsm_begin

operator() { ca --dir "$W/factory" "$@"; }
at() { provision WO-1 line-1 "$@" --timeout 60s; }
# stuck SERIAL TEXT : it is told why, and goes on asking; `passes` waits until it has passed.
stuck() {
	at "$1" >"$W/stuck.log" 2>&1 &
	STUCK=$!
	until_true 30 grep -qF -- "$2" "$W/stuck.log"
}
passes() { wait "$STUCK" || { cat "$W/stuck.log"; return 1; }; }
logged() { until_true 10 grep -qF -- "$1" "$W/factory.log"; }
has_keys() { operator status | grep "^keys" | grep -qF -- "$1"; }
keys_are() { until_true 15 has_keys "$1"; }
signer_pid() { pgrep -P "$FACTORY_PID" -f handsel-signer; }
confined() {
	local pid
	pid=$(signer_pid)
	grep -q '^NoNewPrivs:.*1$' "/proc/$pid/status" && grep -q '^Seccomp:.*2$' "/proc/$pid/status" &&
		grep -q '^Max core file size  *0  *0' "/proc/$pid/limits" && all_locked "$pid"
}
# never_leave TOKEN N : it has so many private keys, all of them sensitive and never extractable.
never_leave() {
	p11tool --provider "$HSM_MODULE" --login --set-pin "$(cat "$W/$1.pin")" --list-privkeys "pkcs11:token=$1" >"$W/privkeys" 2>/dev/null
	cat "$W/privkeys"
	[ "$(grep -c '^Object' "$W/privkeys")" = "$2" ] && [ "$(grep "CKA_NEVER_EXTRACTABLE" "$W/privkeys" | grep -c "CKA_SENSITIVE")" = "$2" ]
}

# ---- encrypted files ----
printf 'correct horse\n' >"$W/pass" && printf 'battery staple\n' >"$W/wrong"
FACTORY_KEYS=()
says "nobody to ask for a passphrase" "E75.*--key-credential FILE" setsid "$BUILD/handsel-ca" --dir "$W/factory" init --kind factory --name X </dev/null
chmod 644 "$W/wrong"
says "a passphrase that others can read" "chmod 600" operator init --kind factory --name X --key-credential "$W/wrong"
chmod 600 "$W/wrong"
says "a passphrase on the command line" "does not belong on a command line" operator init --kind factory --name X --key-passphrase secret
FACTORY_KEYS=(--key-credential "$W/pass")
holds "init with encrypted files" factory_init
holds "none of them is plain" eval '! grep -l "BEGIN PRIVATE" "$W"/factory/keys/*.pem && [ "$(grep -l "BEGIN ENCRYPTED" "$W"/factory/keys/*.pem | wc -l)" = 3 ]'
holds "openssl reads them" openssl pkey -in "$W/factory/keys/issuing.pem" -passin "file:$W/pass" -noout
holds "serve" factory_serve
holds "status tells" keys_are "file, open; sandbox files"
holds "no new rights, a filter, no core, memory that is not swapped" confined
holds "station and order" eval 'station_init line-1 && order_create WO-1 00020001 00020009 7 line-1'
holds "a device" at 00020001
stop_all
mv "$W/pass" "$W/put-away"
says "a command without the passphrase" "pass" operator unit issue "$W/station-line-1/station.csr" --role station --name line-1 --out "$W/x.pem"
sed -i '/credential/d' "$W/factory/keys.yaml"
says "an operator's command" "E75.*passphrase is needed" setsid "$BUILD/handsel-ca" --dir "$W/factory" unit issue "$W/station-line-1/station.csr" \
	--role station --name line-1 --out "$W/x.pem"
holds "serve without the passphrase" factory_serve
holds "it says that it cannot sign" logged "cannot be used now"
holds "a device meanwhile" stuck 00020002 "keys are locked"
says "a wrong passphrase" "E75.*the passphrase is wrong" operator unlock --credential "$W/wrong"
holds "the right one" operator unlock --credential "$W/put-away"
holds "and the device goes on" passes
holds "a reload keeps the keys" eval 'kill -HUP $FACTORY_PID && logged "configuration read again" && at 00020003'
stop_all
says "nobody waits" "E51.*no signer waits" operator unlock --credential "$W/put-away"

# ---- into a token, by a rollover; pulled ----
hsm_token acme
hsm_token acme-root
printf 'root-credential: "%s"\nkey-credential: "%s"\n' "$W/put-away" "$W/put-away" >>"$W/factory/keys.yaml"
says "a token that is not there" "E51.*\"other\" is not there" operator ca rollover --keys "$(hsm_uri other)" --key-credential "$W/acme.pin"
says "a wrong PIN" "E75.*the PIN is wrong; few tries are left" operator ca rollover --keys "$(hsm_uri acme)" --key-credential "$W/wrong"
holds "rollover into tokens" operator ca rollover --host 127.0.0.1 --keys "$(hsm_uri acme)" --key-credential "$W/acme.pin" \
	--root-key "$(hsm_uri acme-root)" --root-credential "$W/acme-root.pin"
holds "the keys are where they belong" eval '[ ! -e "$W/factory/gen-2/keys/root.pem" ] && grep -q "token=acme-root" "$W/factory/gen-2/keys/root.uri" &&
	grep -q "token=acme;" "$W/factory/gen-2/keys/issuing.uri"'
holds "no key of the CA can leave its token" never_leave acme 2
holds "nor the root's" never_leave acme-root 1
holds "no PIN in any file of the CA" eval '! grep -rqF "$(cat "$W/acme.pin")" "$W/factory"'
holds "serve with the token" factory_serve
holds "status tells" keys_are "pkcs11 acme, open; sandbox token"
holds "confined, too" confined
holds "a device by the token" at 00020004
hsm_pull
holds "the token is pulled" stuck 00020005 '"acme" is not there'
holds "the log says which" logged 'token "acme"'
hsm_put_back
holds "put back, it goes on by itself" passes
stop_all
hsm_pull
holds "serve without its token" factory_serve
holds "the log says what to do" logged 'the token "acme" is not there; insert it'
holds "a device meanwhile" stuck 00020006 '"acme" is not there'
hsm_put_back
holds "the token comes late" passes
stop_all
sed -i '/^key-credential/d' "$W/factory/gen-2/keys.yaml"
holds "serve without a PIN" factory_serve
holds "it is locked" keys_are "locked: handsel-ca unlock"
says "a wrong PIN, tried once" "E75.*the PIN is wrong; few tries are left" operator unlock --credential "$W/wrong"
holds "status tells of the tries" until_true 15 eval 'operator status | grep -q "few tries are left"'
holds "the right one" operator unlock --credential "$W/acme.pin"
holds "and it signs" at 00020007
stop_all

CUSTOMER_KEYS=(--key-credential "$W/put-away")
holds "a CA with its keys in files" customer_init
# ---- a signer that tries to break out: builds with fault points alone do that when they are told to ----
for how in socket execve code ptrace; do
	call=${how/code/mmap}
	case $BUILD in */build-test) [ $how = socket ] || [ $how = execve ] || continue ;; esac	# AddressSanitizer needs the others itself
	says "break out by $how" "the system call \"$call\" is not allowed" env HANDSEL_BREAK_OUT=$how "$BUILD/handsel-ca" --dir "$W/customer" \
		crl --out "$W/x.crl"
done

# ---- the whole handover ----
holds "demo --hsm" eval 'HANDSEL_BUILD=$BUILD "$TOP/demo" --hsm --devices 1 --json | tail -n 1 | grep -q "\"passed\":2,\"onboarded\":1,\"refused\":1,\"reason\":\"E21\""'
echo "$CHECKED checks of where keys live, $FAILED failed"
[ $FAILED = 0 ]
