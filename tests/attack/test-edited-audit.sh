# An edited audit: rows that are changed, removed, moved; one that is written anew with all its hashes; one that is cut at its end. What is
# kept elsewhere tells: a head in a station's record, in a shipment manifest, in a CA's answer, in an export, in the signer.
set -u
. "$TOP/tests/attack/lib.sh"

verify() { ca --dir "$W/factory" audit verify "$@"; }
edit() { sqlite3 -cmd ".timeout 5000" "$W/factory/ca.db" "$1"; }
field() { sed -n "s/.*\"$1\":\"\\{0,1\\}\\([^,\"}]*\\).*/\\1/p"; }
rows() { verify --json | field rows; }
log_says() { until_true 20 grep -q "$1" "$W/factory.log"; }
put_back() { rm -f "$W/factory"/ca.db*; cp "$W/good.db" "$W/factory/ca.db"; }
mine() { "$BUILD/tests/attack/forger" "$W/factory/ca.db" "$@"; }

quietly factory_init
printf 'audit-head: 1s\naudit-head-rows: 5\n' >>"$W/factory/ca.yaml"
quietly mkdir "$W/record"
quietly factory_serve --record "$W/record"
quietly station_init line-1
quietly order_create WO-1 00020001 00020050 9 line-1
head_of() { ca --dir "$W/factory" status --json | sed -n 's/.*"type":"audit-state".*"head":\([0-9]*\).*/\1/p'; }
has_head() { [ "$(head_of)" -ge "$1" ]; }
holds "the signer signs heads by itself" until_true 20 has_head 3
quietly provision WO-1 line-1 "00020001 00020002"
record=$(ls "$W"/station-line-1/records/*.json | tail -n 1)
holds "a station's record has the head that the CA told it" grep -q '"audit_head"' "$record"
holds "and the device's signature covers it" station --dir "$W/station-line-1" record verify
reply=$(grep -l '<audit ' "$W"/record/*-answer.xml | tail -n 1)
holds "so has the CA's answer to a unit, valid by the schema" xmllint --noout --schema "$TOP/profiles/schema/handsel-ca-1.xsd" "$reply"
none_to_a_device() { ! grep -l '<issued' "$W"/record/*-answer.xml | xargs grep -l '<audit '; }
holds "but none to a device" none_to_a_device
holds "all of it is under a head soon" until_true 20 has_head "$(rows)"
quietly ca --dir "$W/factory" ship --customer plant-seven --device 00020001 --out "$W/manifest.p7"
ca --dir "$W/factory" audit head >"$W/head.json"
ca --dir "$W/factory" audit export --out "$W/export.jsonl"
cat "$W/factory/root.pem" "$W/factory/unit.pem" >"$W/cas.pem"
outside=(--against "$record" --against "$W/manifest.p7" --against "$reply" --against "$W/head.json" --against "$W/export.jsonl")
holds "the audit fits all that was kept elsewhere, and the signer" verify "${outside[@]}" --signer

# ---- off line, with two certificates and no CA ----
off_line() { "$BUILD/handsel-ca" --dir "$W/nothing" audit verify --export "$1" --certificates "$W/cas.pem" "${@:2}"; }
holds "an export is judged by root and unit CA alone" off_line "$W/export.jsonl" "${outside[@]}"
sed '/"row":4,/s/"actor":"[^"]*"/"actor":"operator:nobody"/' "$W/export.jsonl" >"$W/x.jsonl"
refused 'E74.*audit row 4 does not follow' "an export with a changed row" off_line "$W/x.jsonl"
sed '/"type":"audit","row":4,/d' "$W/export.jsonl" >"$W/x.jsonl"
refused 'E74.*audit row 4 is missing' "an export without a row" off_line "$W/x.jsonl"
awk '/"type":"audit","row":4,/ { four = $0; next } { print } /"type":"audit","row":5,/ { print four }' "$W/export.jsonl" >"$W/x.jsonl"
[ "$(sort "$W/x.jsonl")" = "$(sort "$W/export.jsonl")" ] || die "the export has lost something"
refused 'E74.*audit row 4 is missing' "an export with two rows that changed places" off_line "$W/x.jsonl"
sed '$d' "$W/export.jsonl" >"$W/x.jsonl"
refused 'E74.*the audit ends with row' "an export without its last row" off_line "$W/x.jsonl"
grep -v audit-head "$W/x.jsonl" >"$W/y.jsonl"
refused 'E74.*the audit ends with row.*head.json' "and without its heads, by a head that was kept" off_line "$W/y.jsonl" --against "$W/head.json"
sed 's/"history":1/"history":2/' "$W/head.json" >"$W/false.json"
refused 'E74.*not signed by this CA' "a head with other numbers" off_line "$W/export.jsonl" --against "$W/false.json"
quietly customer_init
cat "$W/customer/root.pem" "$W/customer/unit.pem" >"$W/others.pem"
refused 'E74.*not signed by this CA' "another CA's certificates" "$BUILD/handsel-ca" audit verify --export "$W/export.jsonl" --certificates "$W/others.pem"
printf '{"v":1,"type":"audit","row":"x"}\n' >"$W/x.jsonl"
refused 'x.jsonl:1: .*protocol-audit 3' "what is no export" off_line "$W/x.jsonl"

# ---- the database in the hands of an attacker ----
stop_all
sqlite3 "$W/factory/ca.db" "PRAGMA wal_checkpoint(TRUNCATE)" >/dev/null
cp "$W/factory/ca.db" "$W/good.db"
last=$(rows)
edit "UPDATE audit SET actor = 'operator:nobody' WHERE n = 4"
refused 'E74.*audit row 4 does not follow' "a changed row" verify
put_back; edit "DELETE FROM audit WHERE n = 4"
refused 'E74.*audit row 4 is missing' "a removed row" verify
put_back; edit "UPDATE audit SET n = -1 WHERE n = 4; UPDATE audit SET n = 4 WHERE n = 5; UPDATE audit SET n = 5 WHERE n = -1"
refused 'E74.*audit row 4 does not follow' "two rows that changed places" verify
put_back; edit "DELETE FROM audit WHERE n = $last"
refused "E74.*ends with row $((last - 1)).*a head of row $last" "a row that was cut off the end" verify
edit "DELETE FROM audit_head"
holds "with the heads of the database gone, too, it looks whole" verify
for f in "$record" "$W/manifest.p7" "$reply"; do cp "$f" "$W/kept"; holds "older heads fit" verify --against "$W/kept"; done
refused "E74.*head.json has a head of row $last" "until somebody asks one who kept a head" verify --against "$W/head.json"
refused "E74.*export.jsonl has a head of row $last" "or an export" verify --against "$W/export.jsonl"
refused "E74.*the signer has a head of row $last" "or the signer" verify --signer

# The audit with another row 2 and all its hashes made anew.
put_back; mine 2 "nothing happened"
refused 'E74.*the audit is not the one whose row' "a rewritten audit, by its own heads" verify
edit "DELETE FROM audit_head"
holds "without heads it looks whole" verify
for f in "$record" "$W/manifest.p7" "$reply" "$W/head.json" "$W/export.jsonl"; do
	refused "E74.*the audit is not the one whose row" "by ${f##*/}" verify --against "$f"
done
refused 'E74.*the signer' "by the signer" verify --signer

# Nor does the signer give a false history a head: it has read the true one.
: >"$W/factory.log"
quietly factory_serve
holds "the CA that serves with it says so, and goes on" log_says "E74.*is not the one that the signer has read"
holds "devices still get their credentials" provision WO-1 line-1 "00020003"
refused 'E74.*is not the one that the signer has read' "asked by hand" ca --dir "$W/factory" audit head
stop_all
holds "an operator may let it begin anew" ca --dir "$W/factory" audit accept --reason "ticket 4711"
refused 'E74.*head.json.*the audit is not\|E74.*the audit is not.*head.json' "which those who kept a head see for ever" verify --against "$W/head.json"
refused 'E74.*begin anew since' "and what may be the reason" verify --against "$W/head.json"
holds "new heads are of the new history" eval 'ca --dir "$W/factory" audit head | grep -q "\"history\":2"'
holds "which fits by itself" verify --signer

# One that goes back to its own past, after which it goes on: the signer knows better.
put_back
: >"$W/factory.log"
quietly factory_serve
holds "a ledger from a backup gets no head either" log_says "E74\|E51"
stop_all
summary
