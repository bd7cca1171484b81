# coverage.sh - which lines the unit tests and the stories run: of lib/, and of the files of the two transactions.
set -u
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
. "$TOP/tests/system/setup.sh"
DIR=$TOP/build-coverage
# What the two transactions pass through, renewal, release and recovery too, and nothing else of the programs.
TRANSACTIONS=(
	factory-ca/{front,exchange,check,rules,rules_issued,rules_operator,ledger,learn,policy,desk,factories}.c
	factory-ca/signer_{serve,device,build,count,make}.c
	customer-node/{est,enrol,authn,authz,confirm,rules,rules_admin,store,store_outbox,ca_queue,release,voucher,import,makers}.c
	customer-node/{factory_crl,recover}.c
	device-agent/{activate,enrol,obtain,outside,fallback,vouch,store,store_place,floor,factory,node}.c
	station/{slot,steps,steps_load,tunnel,client,journal,resume,records,order_source,dfu,link_usb}.c lib/proof.c
)
for f in "${TRANSACTIONS[@]}"; do [ -f "$TOP/$f" ] || { echo "there is no $f to count the lines of"; exit 1; }; done

build_tree "$DIR" --enable-coverage --enable-fault-injection CFLAGS="-O0 -g" || exit 1
find "$DIR" -name '*.gcda' -delete
make -C "$DIR" check >"$DIR/unit.log" 2>&1 || { tail -n 20 "$DIR/unit.log"; exit 1; }
for key in device ca; do
	HANDSEL_BUILD=$DIR bash "$TOP/demo" --devices 2 --key $key --json >"$DIR/demo.log" 2>&1 || { tail "$DIR/demo.log"; exit 1; }
done
for story in system/test-badinput interop/test-est-curl interop/test-est-serverkeygen attack/test-cloned-renewal; do
	TOP=$TOP BUILD=$DIR bash "$TOP/tests/$story.sh" >"$DIR/story.log" 2>&1 || { tail -n 20 "$DIR/story.log"; exit 1; }
done

gcovr --root "$TOP" --object-directory "$DIR" --json "$DIR/coverage.json" "$DIR" || exit 1
# lines NAME FILTER... : each file, and the sum for the summary of ./check.
lines() {
	local name=$1 f filters=()
	shift
	for f in "$@"; do filters+=(--filter "$f"); done
	gcovr --root "$TOP" --add-tracefile "$DIR/coverage.json" "${filters[@]}" >"$DIR/coverage.txt" || exit 1
	sed -n 's/^\([a-z_-]*\/[a-z0-9_]*\.c\) .* \([0-9]*%\).*/    \1 \2/p' "$DIR/coverage.txt"
	awk -v name="$name" '/^TOTAL/ { printf "= line coverage of %s: %s of %d lines\n", name, $4, $2 }' "$DIR/coverage.txt"
}
lines "the programs" 'lib/' 'factory-ca/' 'customer-node/' 'device-agent/' 'station/'
lines "lib/" 'lib/' | tail -n 1
lines "the two transactions" "${TRANSACTIONS[@]}" | tail -n 1
for f in "${TRANSACTIONS[@]}"; do
	grep -qE "^$f +[0-9]+ +[0-9]+ +[0-9]+%" "$DIR/coverage.txt" || { echo "$f has no figure"; exit 1; }
done
