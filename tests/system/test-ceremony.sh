# A key ceremony: looked at, rehearsed and held from one file, with roots in tokens and in files; cut at every step and gone on with; what
# came of it by openssl's word, and the CA at work; then a second one, with a rollover and roots that are there already.
set -eu
. "$TOP/tests/system/lib.sh"
. "$TOP/tests/system/checks.sh"
. "$TOP/tests/system/hsm.sh"
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel ceremony XXXXXX")
trap 'stop_all; rm -rf "$W"' EXIT
umask 077
export TMPDIR=$W/tmp
mkdir -p "$TMPDIR" "$W/srv/handsel" "$W/srv/ceremony" "$W/out"
hsm_begin
hsm_token acme-upper
hsm_token acme-root
printf 'correct horse\n' >"$W/keys.pass"

# sample FILE : the one of the documentation, with the places of this test.
sample() {
	sed "s#/srv/#$W/srv/#g; s#/run/ceremony/\([a-z]*\)\.pin#$W/acme-\1.pin#; s#/run/ceremony/#$W/#; s#token=\([a-z-]*\)#&?module-path=$HSM_MODULE#
		s#ca.acme.example, 192.0.2.7#127.0.0.1#; s#0\.0\.0\.0:8443#127.0.0.1:0#" "$TOP/doc/ceremony.yaml" >"$1"
}
hash() { sha256sum "$1" | cut -d ' ' -f 1; }
# tree : what is on the disk, with the tokens and the times of all files.
tree() { find "$W/srv" "$W/tokens" "$TMPDIR" -mindepth 1 -printf '%P %y %m %T@ %s\n' | sort; }
check() { ca ceremony check "$@"; }
rehearse() { ca ceremony rehearse "$1" >"$2"; }
unattended() { ca ceremony run "$1" --yes --expect "$(hash "$1")"; }
# same FILE FILE : two transcripts, but for times, hashes, serials, signatures, QR codes and the marks of a rehearsal.
plain() { sed "/REHEARSAL/d; s/[0-9]\{4\}-[0-9-]*T[0-9:]*Z/T/g; s/[0-9a-f]\{30,\}/H/g; /^ *[ █▀▄]*\$/d" "$1"; }
same() { diff <(plain "$1") <(plain "$2"); }
keys_in() { find "$W/tokens" -name '*.object' ! -name token.object | wc -l; }
no_secrets() { ! grep -rqF -e "$(cat "$W/acme-upper.pin")" -e "$(cat "$W/acme-root.pin")" -e 'correct horse' "$@"; }

C=$W/c.yaml CA=$W/srv/handsel/ca UPPER=$W/srv/handsel/upper OUT=$W/srv/ceremony/acme-1
sample "$C"

# ---- looked at, and rehearsed: nothing is changed ----
names() { tree | sed 's/ [0-9.]* [0-9]*$//'; }	# a look at a token changes its times
names >"$W/before"
holds "check" check "$C"
holds "it tells the hash" eval 'check "$C" | grep -qF "$(hash "$C")" && check "$C" --json | tail -n 1 | grep -qF "\"file_sha256\":\"$(hash "$C")\""'
holds "nothing was changed" eval 'names | diff "$W/before" -'
tree >"$W/before"
holds "rehearse" rehearse "$C" "$W/out/rehearsal"
holds "with SoftHSM, not with the real tokens" eval '! grep -rq "no SoftHSM" "$W/holds.log"'
holds "marked" eval '[ "$(grep -c REHEARSAL "$W/out/rehearsal")" = 5 ]'
holds "nothing was changed" eval 'tree | diff "$W/before" -'

# ---- refused ----
sed 's/kind: factory/kind: factroy/' "$C" >"$W/bad.yaml"
says "a bad file" "bad.yaml:22:13: .*did you mean \"factory\"" check "$W/bad.yaml"
status() { "$@" >/dev/null 2>&1; echo $?; }
holds "its status" eval '[ "$(status check "$W/bad.yaml")" = 2 ]'
hsm_pull
says "no token" 'problem in step 1: pkcs11:token=acme-upper.* cannot be used' check "$C"
holds "its status" eval '[ "$(status check "$C")" = 1 ]'
says "nor is it held" "nothing was done" unattended "$C"
hsm_put_back
chmod 644 "$W/keys.pass"
says "a secret for all to read" "problem in step 2: .*chmod 600" check "$C"
chmod 600 "$W/keys.pass"
mkdir "$OUT" && : >"$OUT/other"
sed 's/root: 9131/root: 5478/' "$C" >"$W/bad.yaml"
says "no CA outlives its root" "bad.yaml:31:44: no CA is good for longer than its root" check "$W/bad.yaml"
sed 's/root: 9131, issuing: 5479, unit: 3653/root: 9130/' "$C" >"$W/bad.yaml"
says "nor by its profile" "problem in step 2: a CA would be good for longer than its root, 9130 days" check "$W/bad.yaml"
says "an output that is there" "exists, and no ceremony was begun in it" check "$C"
rm -r "$OUT"
says "another file than the reviewed one" "is not the file that was reviewed" ca ceremony run "$C" --yes --expect "$(hash "$W/bad.yaml")"
says "nobody to ask" "there is no terminal" ca ceremony run "$C" --expect "$(hash "$C")" </dev/null
says "nobody to ask, and nothing to compare" "needs --expect" ca ceremony run "$C" --yes
says "a person says no" "stopped before step 1 of 3" script -qec "'$BUILD/handsel-ca' ceremony run '$C'" /dev/null <<<$'yes\nno'
rm -r "$OUT"	# with a journal and nothing else
holds "none of this has left anything" eval 'names | diff <(sed "s/ [0-9.]* [0-9]*\$//" "$W/before") -'

# ---- held, and cut wherever it can be: one run for each cut, as a person would ----
POINTS=(ceremony.folder ceremony.step-begun keystore.reserved token.key-made signer.key-made signer.ca-made ceremony.step-made
	ceremony.step-begun keystore.reserved token.key-made signer.ca-made signer.key-made:2 signer.ca-made:2 signer.key-made:3 signer.ca-made:3
	ceremony.step-made ceremony.step-begun ceremony.certified ceremony.step-made ceremony.steps-done)
# The first is before there is a journal.
export HANDSEL_FAULT=$(IFS=, && echo "${POINTS[*]}") HANDSEL_FAULT_LOG=$W/faults
: >"$W/faults"
roots="" cut=1
says "cut" "" unattended "$C"
holds "it can be seen, and gone on with" check "$C"
until unattended "$C" >"$W/out/run" 2>"$W/out/run.err"; do
	cut=$((cut + 1))
	[ $cut != 4 ] || holds "what is done can be seen" eval 'check "$C" | grep -q "step 1, line 12, begun and cut: make the upper CA"'
	[ $cut -le ${#POINTS[@]} ] || { cat "$W/out/run.err"; exit 1; }
	for r in "$UPPER/root.pem" "$CA/root.pem"; do
		[ ! -e "$r" ] || roots="$roots$(hash "$r")"$'\n'
	done
done
unset HANDSEL_FAULT HANDSEL_FAULT_LOG
holds "every cut has happened" eval '[ "$cut $(wc -l <"$W/faults")" = "${#POINTS[@]} ${#POINTS[@]}" ]'
holds "two roots, whatever was cut" eval '[ "$(printf "%s" "$roots" | sort -u | wc -l)" = 2 ]'
holds "and one key in each token" eval '[ "$(keys_in)" = 4 ]'	# a private and a public object
holds "the transcript tells of the cuts" eval '[ "$(grep -c "^    gone on" "$OUT/transcript.txt")" = $((cut - 1)) ]'
holds "the same as in the rehearsal" same "$W/out/rehearsal" <(sed '/^    gone on/d' "$OUT/transcript.txt")
holds "which was printed, too" cmp "$W/out/run" "$OUT/transcript.txt"
holds "once more" eval 'unattended "$C" | grep -q "this ceremony was held"'
holds "no secret in any of it" no_secrets "$OUT" "$W/out" "$CA" "$UPPER" "$C"

# ---- by others' word ----
told() { grep -A 12 "^  $1\$" "$OUT/transcript.txt" | sed -n "s/^    $2 *//p"; }
nth() { sed -n "$1p"; }
holds "its own hash" eval '[ "$(head -n -1 "$OUT/transcript.txt" | sha256sum | cut -d " " -f 1)" = "$(tail -n 1 "$OUT/transcript.txt" | sed "s/.*: //")" ]'
holds "the fingerprints" eval '[ "$(told root certificate)" = "$(fingerprint "$UPPER/root.pem")
$(fingerprint "$CA/root.pem")" ] && [ "$(told "issuing CA" certificate)" = "$(fingerprint "$CA/issuing.pem")" ]'
unhex() { tr -d '\n' | tr a-f A-F | basenc --base16 -d; }
# proven NUMBER ROOT : openssl verifies the test signature of that root in the transcript.
proven() {
	{ printf 'handsel-ceremony-v1\0' && printf '%s%s' "$(hash "$C")" "$(fingerprint "$2")" | unhex; } >"$W/signed"
	told root signature | nth "$1" | unhex >"$W/signature"
	openssl x509 -in "$2" -noout -pubkey >"$W/public.pem" && openssl dgst -sha256 -verify "$W/public.pem" -signature "$W/signature" "$W/signed"
}
holds "the test signatures" eval 'proven 1 "$UPPER/root.pem" && proven 2 "$CA/root.pem"'
holds "the chains" eval 'openssl verify -CAfile "$CA/root.pem" "$CA/issuing.pem" "$CA/unit.pem" &&
	openssl verify -CAfile "$UPPER/root.pem" -untrusted "$OUT/acme-devices-by-group.pem" "$CA/issuing.pem"'
holds "the lives that the file says" eval '[ "$(openssl x509 -in "$CA/unit.pem" -noout -enddate | grep -o "[0-9]* GMT")" = "$(date -u -d "+3653 days" +%Y) GMT" ]'
holds "a QR code has the fingerprint" eval '[ "$(python3 "$TOP/tests/system/qr.py" <"$OUT/transcript.txt" >"$W/qr.pbm" && zbarimg -q --raw "$W/qr.pbm")" = \
	"$(fingerprint "$UPPER/root.pem")" ]'
says "a root of a ceremony opens by one alone" "opened by one alone" ca --dir "$CA" ca rollover
says "an upper root, too" "opened by one alone" ca --dir "$UPPER" root sign "$CA/root.pem" --out "$W/x.pem"

# ---- at work ----
mv "$CA" "$W/factory"
sed -i "s#^root-credential.*##" "$W/factory/keys.yaml"
holds "it serves" factory_serve
holds "it issues" eval 'station_init line-1 && order_create WO-1 00030001 00030009 3 line-1 && provision WO-1 line-1 00030001 --timeout 60s'
stop_all
mv "$W/factory" "$CA"
printf 'root-credential: "%s"\n' "$W/acme-root.pin" >>"$CA/keys.yaml"

# ---- a second one: what is there already, and a token from the first ----
ca --dir "$W/globex" init --kind factory --name Globex --key-passphrase none 2>/dev/null
D=$W/d.yaml
cat >"$D" <<EOT
version: 1
title: "Acme Devices: second generation, and a customer CA"
output: $W/srv/ceremony/acme-2
witnesses: ["Maria Lopez, PKI officer"]
steps:
  - rollover: {dir: $CA, kind: factory, name: Acme Devices, generation: 2, hosts: [127.0.0.1],
      root-key: "$(hsm_uri acme-root)", root-credential: $W/acme-root.pin, keys: file, key-credential: $W/keys.pass}
  - add: {dir: $CA, id: plant-1, kind: customer, name: Plant One, hosts: [127.0.0.1], keys: file, key-passphrase: none,
      unit-key: "$(hsm_uri acme-upper)", unit-credential: $W/acme-upper.pin}
  - certify: {dir: $UPPER, name: Acme Group, root: $W/globex/root.pem, root-sha256: $(fingerprint "$W/globex/root.pem"),
      out: $W/srv/ceremony/globex.pem}
  - list: {dir: $UPPER, kind: upper, name: Acme Group, days: 3000}
  - list: {dir: $W/globex, kind: factory, name: Globex, revoke: unit, reason: superseded}
EOT
mkdir -p "$CA/cas/plant-1/profiles"	# a profile of that CA alone
sed 's/^validity:.*/validity: 400d/' "$TOP/profiles/unit-ca.yaml" >"$CA/cas/plant-1/profiles/unit-ca.yaml"
sed "s/generation: 2/generation: 3/" "$D" >"$W/bad.yaml"
says "a generation that is not the next" "problem in step 1: .* is at generation 1" check "$W/bad.yaml"
sed "s/root-sha256: ..../root-sha256: 0000/" "$D" >"$W/bad.yaml"
says "another root than the pinned one" "problem in step 3: .*is not the root that is pinned" check "$W/bad.yaml"
holds "check" check "$D"
tree >"$W/before"
pins=$(check "$D" --json | jq -r 'select(.profiles_sha256) | .profiles_sha256' | sort -u | wc -l)
holds "profiles of three kinds of step" [ "$pins" = 3 ]	# a rollover, a CA with a profile of its own, the upper root's alone
holds "it says that they are not pinned" eval '[ "$(check "$D" | grep -c "NOT PINNED")" = 3 ]'
for verb in rollover add certify; do
	pin=$(check "$D" --json | jq -r 'select(.profiles_pinned == false) | .profiles_sha256' | head -n 1)
	sed -i "s/- $verb: {/&profiles-sha256: $pin, /" "$D"
done
holds "now they are" eval '[ "$(check "$D" | grep -c "NOT PINNED")" = 0 ]'
tree >"$W/before"
holds "rehearse, with stand-ins" rehearse "$D" "$W/out/rehearsal-2"
holds "by the profiles that lie ready" eval 'grep "^    valid " "$W/out/rehearsal-2" | grep -q " to $(date -u -d "+400 days" +%Y-%m)"'
holds "nothing was changed" eval 'tree | diff "$W/before" -'
sed -i 's/400d/401d/' "$CA/cas/plant-1/profiles/unit-ca.yaml"
says "a profile that was changed after the rehearsal" "problem in step 2: the profiles are not those that were reviewed" check "$D"
says "nor is it held" "nothing was done" ca ceremony run "$D" --yes --expect "$(hash "$D")"
sed -i 's/401d/400d/' "$CA/cas/plant-1/profiles/unit-ca.yaml"
for point in keystore.reserved token.key-made signer.generation-made rollover.made rollover.server; do
	says "cut at $point" "" env HANDSEL_FAULT=$point "$BUILD/handsel-ca" ceremony run "$D" --yes --expect "$(hash "$D")"
done
sed -i 's/400d/401d/' "$CA/cas/plant-1/profiles/unit-ca.yaml"
says "nor between its steps" "not those that were reviewed" ca ceremony run "$D" --yes --expect "$(hash "$D")"
sed -i 's/401d/400d/' "$CA/cas/plant-1/profiles/unit-ca.yaml"
holds "held, as JSON" eval 'ca ceremony run "$D" --yes --expect "$(hash "$D")" --json >"$W/out/run-2"'
holds "the same as in the rehearsal" same "$W/out/rehearsal-2" <(sed '/^    gone on/d' "$W/srv/ceremony/acme-2/transcript.txt")
holds "three keys more in the tokens" eval '[ "$(keys_in)" = 10 ]'
holds "the new root by the old one" openssl verify -CAfile "$CA/root.pem" -untrusted "$CA/gen-2/cross.pem" "$CA/gen-2/issuing.pem"
holds "another's root by the upper one" openssl verify -CAfile "$UPPER/root.pem" -untrusted "$W/srv/ceremony/globex.pem" "$W/globex/issuing.pem"
listed() { openssl crl -inform DER -in "$1" -CAfile "$2" -noout -text 2>&1; }
holds "the upper root's list, for so long" eval 'listed "$UPPER/root.crl" "$UPPER/root.pem" | grep "Next Update" | grep -q "$(date -u -d "+3000 days" +%Y)"'
holds "the other root's, with what it takes back" eval 'listed "$W/globex/root.crl" "$W/globex/root.pem" | grep -q "$(openssl x509 -in "$W/globex/unit.pem" -noout -serial | sed "s/.*=//")"'
holds "the transcript tells of both" eval '[ "$(grep -o "^    list  .*with [0-9]*" "$W/srv/ceremony/acme-2/transcript.txt" | sed "s/.* //" | paste -sd " ")" = "0 1" ]'
says "a root of a ceremony is opened for its list by one alone" "opened by one alone" ca --dir "$CA" root crl
holds "two CAs" eval '[ "$(ca --dir "$CA" ca list --json | grep -c "\"root_sha256\"")" = 2 ] && ca --dir "$CA" config check'
holds "no secret in any of it" no_secrets "$W/srv/ceremony" "$W/out" "$CA"
holds "its lines" eval 'head -n -1 "$W/out/run-2" | cmp - "$W/srv/ceremony/acme-2/transcript.jsonl" &&
	[ "$(jq -r "select(.what == \"root by the upper CA\").key_sha256" "$W/out/run-2")" = \
		"$(openssl x509 -in "$W/globex/root.pem" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d " " -f 1)" ] &&
	[ "$(tail -n 1 "$W/out/run-2" | jq -r .transcript_sha256)" = "$(head -n -1 "$W/srv/ceremony/acme-2/transcript.txt" | sha256sum | cut -d " " -f 1)" ]'
echo "$CHECKED checks of ceremonies, $FAILED failed"
[ $FAILED = 0 ]
