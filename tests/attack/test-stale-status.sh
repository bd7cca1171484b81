# A front, or whoever stands between, that gives what was true once: an OCSP answer and a list from before a revocation, an answer about another
# certificate. Whoever asks sees by the times, the numbers and the signature; and the signer says "good" of nothing that was revoked.
set -u
. "$TOP/tests/attack/lib.sh"
quietly factory_init
printf 'ocsp-valid: 6s\n' >>"$W/factory/ca.yaml"
sed -i '/^crl-valid/d' "$W/factory/ca.yaml"
printf 'crl-valid: 6s\n' >>"$W/factory/ca.yaml"
quietly factory_serve
quietly station_init line-1
quietly order_create WO-1 00020001 00020009 5 line-1
quietly provision WO-1 line-1 "00020001 00020002"

F=$W/factory URL=https://127.0.0.1:$FACTORY_PORT
for n in 00020001 00020002; do openssl x509 -in "$W/$n/store/factory/cert.pem" -out "$W/$n.pem"; done
request() { openssl ocsp -issuer "$F/issuing.pem" -cert "$W/$1.pem" -no_nonce -reqout "$W/$1.req"; }
fetch() { curl -sk -m 10 "$URL/ocsp" -H 'Content-Type: application/ocsp-request' --data-binary "@$W/$1.req" -o "$2"; }
# Of an answer that somebody gave: good only if openssl has no complaint at all.
accepts() { openssl ocsp -no_nonce -validity_period 1 -respin "$1" -issuer "$F/issuing.pem" -cert "$W/$2.pem" -CAfile "$F/root.pem" >"$W/said" 2>&1; cat "$W/said"; grep -q "pem: good" "$W/said" && ! grep -qi "invalid\|expired\|error\|WARNING" "$W/said"; }
list() { curl -sk -m 10 "$URL/crl/issuing.crl" -o "$1"; }
takes() { openssl verify -CAfile "$F/root.pem" -untrusted "$F/issuing.pem" -CRLfile <(openssl crl -inform DER -in "$1") -crl_check "$W/$2.pem" 2>&1; }
request 00020001 && request 00020002
fetch 00020001 "$W/old.ocsp" && fetch 00020002 "$W/other.ocsp" && list "$W/old.crl"
holds "before: good" accepts "$W/old.ocsp" 00020001
holds "before: not on the list" takes "$W/old.crl" 00020001
refused 'No Status found\|no status' "an answer about another certificate" accepts "$W/other.ocsp" 00020001
quietly ca --dir "$F" revoke --device 00020001 --reason keyCompromise
fetch 00020001 "$W/new.ocsp"
refused 'revoked' "the answer from after the revocation" accepts "$W/new.ocsp" 00020001
over() { ! accepts "$W/old.ocsp" 00020001 >/dev/null && grep -qi "invalid\|expired" "$W/said"; }
holds "the old answer is good no longer than it says" until_true 20 over
refused 'WARNING: Status times invalid\|expired' "the old answer after its time" accepts "$W/old.ocsp" 00020001
over_list() { ! takes "$W/old.crl" 00020002 >"$W/said" 2>&1 && grep -qi "CRL has expired" "$W/said"; }
holds "nor the old list" until_true 20 over_list
refused 'CRL has expired' "the old list after its time" takes "$W/old.crl" 00020001
# Bytes of the old answer in the new one's place: the signature.
sed 's/\x80\x00/\x82\x00/' "$W/old.ocsp" >"$W/forged.ocsp"
refused 'signature\|Verify Failure\|failure' "a changed answer" accepts "$W/forged.ocsp" 00020001
# One who owns the ledger takes the revocation back: the signer does not.
stop_all
sqlite3 "$F/ca.db" "DROP TRIGGER request_noted; UPDATE request SET state = 'active', reason = NULL, revocation = NULL WHERE state = 'revoked'"
quietly factory_serve
URL=https://127.0.0.1:$FACTORY_PORT
fetch 00020001 "$W/edited.ocsp"
refused 'revoked' "an answer after the ledger was edited" accepts "$W/edited.ocsp" 00020001
stop_all
summary
