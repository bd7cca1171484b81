# A ticket is good for one device, one request id and one public key: whoever reads it on the wire gets nothing with it.
set -u
. "$TOP/tests/attack/lib.sh"
quietly factory_world "00020001 00020002"

issue=$(grep -l '<issue' "$W"/record/*-request.xml | head -n 1)
id=$(sed -n 's/.*<issue id="\([0-9a-f]*\)".*/\1/p' "$issue")
before=$(issued_count factory)
new_key "$W/thief.key"

# The very request again, by somebody else: the same certificate, which is public and useless without the key.
holds "a replayed request gets the same answer" post factory "$issue"
# change NAME SED-EXPRESSION : the replayed request with one thing changed; the change must have been made
change() {
	sed "$2" "$issue" >"$W/changed.xml"
	! cmp -s "$issue" "$W/changed.xml" || die "$1: nothing was changed"
	refused 'E44' "$1" post factory "$W/changed.xml"
}
change "a stolen ticket with another key" "s#<csr>[^<]*</csr>#<csr>$(csr_of "$W/thief.key")</csr>#"
change "a ticket for another serial" 's/serial="0002000[12]"/serial="00020009"/'
change "a ticket for another model" "s/model=\"$MODEL\"/model=\"gateway-c\"/"
change "a ticket with another request id" "s/id=\"$id\"/id=\"$(new_id)\"/"
change "a ticket with a later generation" 's/generation="1"/generation="2"/'
change "a ticket for a key that the CA makes" \
	"s#<csr>[^<]*</csr>#<transport-key>$(openssl pkey -in "$W/thief.key" -pubout -outform DER | openssl base64 -A)</transport-key>#"
change "no ticket" 's#<ticket>[^<]*</ticket>##'

# Signed by somebody who is no station: the factory's own server, with a certificate of the same unit CA.
mkdir "$W/false" && cp "$W/factory/server.key" "$W/false/station.key" && cp "$W/factory/server.pem" "$W/false/station.pem"
other=$(new_id)
issue_request 00020003 "$other" "$W/thief.key" "$(ticket "$W/false" WO-1 00020003 "$other" "$W/thief.key")" >"$W/forged.xml"
refused 'E44' "a ticket that the CA's server signed" post factory "$W/forged.xml"
# Signed by a station of its own making.
openssl req -x509 -key "$W/thief.key" -subj "/CN=station line-1" -addext "subjectAltName=URI:handsel:station:line-1" -days 9 \
	-out "$W/false/station.pem" && cp "$W/thief.key" "$W/false/station.key"
issue_request 00020003 "$other" "$W/thief.key" "$(ticket "$W/false" WO-1 00020003 "$other" "$W/thief.key")" >"$W/forged.xml"
refused 'E44' "a ticket of a station that nobody certified" post factory "$W/forged.xml"

holds "nothing was issued" [ "$(issued_count factory)" = "$before" ]
summary
