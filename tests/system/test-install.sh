# make install into a prefix with a space in its name: the programs run from there and find their data.
set -eu
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel install XXXXXX")
trap 'rm -rf "$W"' EXIT
unset HANDSEL_DATADIR

mkdir "$W/build" && cd "$W/build"
"$TOP/configure" -q --prefix="$W/prefix" CFLAGS="-O0 -w" && make -s -j2 install >/dev/null
cd "$W"
for program in handsel-ca handsel-signer handsel-station handsel-node handsel-agent; do
	"$W/prefix/bin/$program" --version | grep -q '[0-9]\.[0-9]'
	"$W/prefix/bin/$program" --help >/dev/null
	[ -s "$W/prefix/share/man/man1/$program.1" ]
done
grep -q '^SUBSYSTEM=="usb".*ff4b01' "$W/prefix/lib/udev/rules.d/60-handsel-station.rules"
# what a service manager needs, with the path of the programs in it
for unit in handsel-ca.service handsel-ca.socket handsel-ca-metrics.socket handsel-node.service handsel-node.socket handsel-node-metrics.socket; do
	out=$(systemd-analyze verify --man=no "$W/prefix/lib/systemd/system/$unit" 2>&1) && [ -z "$out" ] || { echo "$unit: $out"; exit 1; }
done
grep -q "^ExecStart=\"$W/prefix/bin/handsel-node\" " "$W/prefix/lib/systemd/system/handsel-node.service"
grep -q '^u handsel-ca ' "$W/prefix/lib/sysusers.d/handsel.conf"
grep -q '^d /var/lib/handsel/node 0700 handsel-node ' "$W/prefix/lib/tmpfiles.d/handsel.conf"
"$W/prefix/bin/handsel-ca" --dir "$W/ca" init --kind factory --id factory --name "Acme Devices" --host localhost --listen 127.0.0.1:0 --key-passphrase none
"$W/prefix/bin/handsel-ca" --dir "$W/ca" config check
openssl verify -CAfile "$W/ca/root.pem" "$W/ca/issuing.pem"
# keys are for their owner alone
[ -z "$(find "$W/ca" -name '*.key' -perm /077)" ]
