# hsm.sh - tokens of SoftHSM2 below $W, for tests and for ./demo --hsm. Sourced.
HSM_MODULE=/usr/lib/softhsm/libsofthsm2.so

# hsm_begin : from here on the tokens are those of $W/tokens.
hsm_begin() {
	mkdir -p "$W/tokens"
	printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$W" >"$W/softhsm2.conf"
	export SOFTHSM2_CONF=$W/softhsm2.conf
}
# hsm_token LABEL : with a PIN of its own in $W/LABEL.pin.
hsm_token() {
	(umask 077 && printf '%08d\n' $((RANDOM * RANDOM % 100000000)) >"$W/$1.pin")
	softhsm2-util --init-token --free --label "$1" --pin "$(cat "$W/$1.pin")" --so-pin 0123456789 >/dev/null
}
hsm_uri() { echo "pkcs11:token=$1?module-path=$HSM_MODULE"; }
# hsm_pull, hsm_put_back : all of them.
hsm_pull() { mv "$W/tokens" "$W/tokens.away" && mkdir "$W/tokens"; }
hsm_put_back() { rmdir "$W/tokens" && mv "$W/tokens.away" "$W/tokens"; }
