# The HTTPS doors of node and CA as foreign programs find them: versions and ciphers, connections that stall, bodies of every
# framing. One line a check.
set -eu
. "$TOP/tests/interop/lib.sh"
SERIAL=00020001
site "$SERIAL 00020002"
get_cacerts
root=$W/customer/root.pem

# ---- connections that stall, while all else below is served ------------------------
# A TLS record that says it has 512 bytes and brings 4; nothing at all; a byte of a record now and then; a whole handshake and
# then no request, or half of one.
stalled=()
stall() {
	local name=$1 port=$2 feed=$3
	(
		exec 3<>"/dev/tcp/127.0.0.1/$port"
		"$feed" >&3 2>/dev/null &
		cat <&3 >"$W/stalled-$name"
		kill $! 2>/dev/null || true
	) &
	stalled+=("$name:$!")
}
nothing() { :; }
part_of_record() { printf '\x16\x03\x01\x02\x00\x01\x00\x01\xfc'; }
drip() {
	printf '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'
	while printf '\x00'; do sleep 1; done
}
# $1: a name, $2: port, $3: what to send after the handshake
stall_request() {
	(
		mkfifo "$W/stall-$1"
		exec 3<>"$W/stall-$1"
		printf '%s' "$3" >&3
		openssl s_client -brief -ign_eof -connect "127.0.0.1:$2" <&3 >"$W/stalled-$1" 2>&1 || true
		grep -q 'CONNECTION ESTABLISHED' "$W/stalled-$1"
	) &
	stalled+=("$1:$!")
}
for port in "$NODE_PORT" "$FACTORY_PORT"; do
	stall "silent-$port" "$port" nothing
	stall "record-$port" "$port" part_of_record
	stall "drip-$port" "$port" drip
	stall_request "handshake-$port" "$port" ""
	stall_request "head-$port" "$port" "POST /.well-known/est/simpleenroll HTTP/1.1"
done
for i in $(seq 40); do stall "many-$i" "$NODE_PORT" part_of_record; done

# ---- versions and ciphers ------------------------------------------------------------
# scan WHO PORT : TLS 1.2 and 1.3 and no other, AEAD with ephemeral keys alone.
scan() {
	sslscan --no-colour --no-check-certificate "127.0.0.1:$2" >"$W/scan" || die "sslscan: $(tail -n 3 "$W/scan")"
	diff - <(sed -nE 's/^((SSL|TLS)v[0-9.]+) +(enabled|disabled)$/\1 \3/p' "$W/scan") <<-END
		SSLv2 disabled
		SSLv3 disabled
		TLSv1.0 disabled
		TLSv1.1 disabled
		TLSv1.2 enabled
		TLSv1.3 enabled
	END
	sed -nE 's/^(Preferred|Accepted) +(TLSv1.[23]) +[0-9]+ bits +([^ ]+).*/\2 \3/p' "$W/scan" >"$W/ciphers"
	grep -q '^TLSv1.2' "$W/ciphers"
	grep -q '^TLSv1.3' "$W/ciphers"
	! grep -vE '^TLSv1.3 TLS_(AES_(128|256)_GCM_SHA(256|384)|CHACHA20_POLY1305_SHA256)$' "$W/ciphers" |
		grep -vE '^TLSv1.2 ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)$' ||
		die "$1 has a weak cipher"
	! grep -E 'Insecure.*renegotiation|[^t] vulnerable to heartbleed' "$W/scan" || die "$1: see above"
	told "sslscan $1" versions "TLS 1.2, TLS 1.3; $(wc -l <"$W/ciphers") ciphers, all AEAD with ephemeral keys"
}
scan "node" "$NODE_PORT"
scan "factory CA" "$FACTORY_PORT"
scan "customer CA" "$CUSTOMER_PORT"

# The server asks for another group (HelloRetryRequest, RFC 8446 4.1.4) and waits, which it does nowhere else within its flight.
another_group() {
	openssl s_client -brief -groups P-521:P-256 -msg -connect "127.0.0.1:$2" </dev/null >"$W/group" 2>&1 || die "$1: $(tail -n 3 "$W/group")"
	grep -q 'CONNECTION ESTABLISHED' "$W/group"
	[ "$(grep -c '^<<< .*ServerHello' "$W/group")" = 2 ]
	told "openssl $1" groups "its first group is not the server's"
}
another_group "node" "$NODE_PORT"
another_group "factory CA" "$FACTORY_PORT"

# ---- the framings of a body (protocol-est 1.6, 2.2) -----------------------------------
# One key, so that each answer is the same certificate.
openssl ecparam -name prime256v1 -genkey -noout -out "$W/body.key"
openssl req -new -key "$W/body.key" -subj /CN=x -outform DER -out "$W/body.der"
openssl base64 -in "$W/body.der" -out "$W/lf"
sed 's/$/\r/' "$W/lf" >"$W/crlf"
openssl base64 -A -in "$W/body.der" -out "$W/line"
post() {
	local body=$1
	shift
	curl -sS --cacert "$root" --cert "$(factory_cert $SERIAL)" --key "$(factory_key $SERIAL)" -o "$W/body.p7.b64" \
		-D "$W/head" -w '%{http_code}' -H 'Content-Type: application/pkcs10' --data-binary @"$W/$body" "$@" \
		"$EST/simpleenroll"
}
framing() {
	local name=$1 status
	shift
	status=$(post "$@")
	[ "$status" = 200 ] || die "$name: $status $(cat "$W/body.p7.b64")"
	# One client compares the type as text; some cannot read a chunked answer.
	grep -q '^Content-Type: application/pkcs7-mime; smime-type=certs-only.$' "$W/head"
	grep -qi '^content-length: ' "$W/head"
	! grep -i '^transfer-encoding: ' "$W/head" || die "$name: an answer in chunks"
	grep -qi '^content-transfer-encoding: base64' "$W/head"
	take body
	judge body $SERIAL
	[ ! -f "$W/before.pem" ] || cmp "$W/body.pem" "$W/before.pem"
	cp "$W/body.pem" "$W/before.pem"
	told curl body "$name"
}
framing "lines of 64 with LF" lf
framing "lines of 64 with CRLF, HTTP/1.0" crlf --http1.0
framing "one line, no Content-Type" line -H 'Content-Type:'
framing "chunked" lf -H 'Transfer-Encoding: chunked'
framing "chunked, one line, no end" line -H 'Transfer-Encoding: chunked'
framing "Expect: 100-continue" lf -H 'Expect: 100-continue'
framing "HTTP/2 offered" lf --http2
framing "without User-Agent" lf -H 'User-Agent:'
refused() {
	local name=$1 want=$2 status
	shift 2
	status=$(post "$@" || true)
	[ "$status" = "$want" ] || die "$name: $status instead of $want"
	told curl refused "$name: $status"
}
refused "Content-Length with chunked" 400 lf -H 'Transfer-Encoding: chunked' -H "Content-Length: $(wc -c <"$W/lf")"
refused "two lengths" 400 lf -H "Content-Length: $(wc -c <"$W/lf")" -H "Content-Length: 1"
head -c 100000 /dev/zero | tr '\0' A >"$W/large"
refused "a body of 100,000 bytes" 413 large
refused "a chunked body of 100,000 bytes" 413 large -H 'Transfer-Encoding: chunked'

# ---- the stalled ones end, by the server ------------------------------------------------
for entry in "${stalled[@]}"; do
	until_true 60 eval "! kill -0 ${entry##*:} 2>/dev/null" || die "${entry%:*} is still connected"
	wait "${entry##*:}" || die "${entry%:*} was never connected"
done
told "openssl, plain TCP" stalled "${#stalled[@]} connections were closed by the servers, all else was served meanwhile"
stop_all
