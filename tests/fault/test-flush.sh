# Power cuts within writes and flushes of the databases, while many devices are served at once: of ca.db and signer.db in the factory, of
# these and node.db at the customer. The load is recorded once, write by write; of each cut the files are made as the disk would have
# them, and judged (tests/fault/cuts.c). From some of them the programs are started again, and go on.
set -u
. "$TOP/tests/system/lib.sh"

W=$(mktemp -d "${TMPDIR:-/tmp}/handsel flush XXXXXX") || exit 1
trap 'stop_all; rm -rf "$W"' EXIT
trap 'exit 130' INT TERM
export HANDSEL_DATADIR=$TOP
CUTS=1000 STARTS="100 450 800" DEVICES=48 AT_ONCE=8
[ -z "${HANDSEL_LONG:-}" ] || CUTS=12000 STARTS=$(seq 100 800 11900) DEVICES=300
MANUFACTURER="Acme Devices"
cuts=0

make -s -C "$BUILD" tests/bench/bench >/dev/null || die "no load"
bench() { "$BUILD/tests/bench/bench" "$@" --manufacturer "$MANUFACTURER" --model gateway-b --kits "$W/kits" --threads $AT_ONCE >>"$W/bench.log" 2>&1; }
# devices FIRST COUNT : through the factory.
devices() {
	bench factory --name devices --first "$1" --count "$2" --ca "127.0.0.1:$FACTORY_PORT" --root "$W/factory/root.pem" --order flush \
		--key "$W/station-line-1/station.key" --cert "$W/station-line-1/station.pem" --process "ca=$FACTORY_PID"
}
# handovers FIRST COUNT : to the customer.
handovers() {
	bench est --name handover --first "$1" --count "$2" --node "127.0.0.1:$NODE_PORT" --root "$W/factory/root.pem" --confirm \
		--cert "$W/node/onboard.pem" --process "node=$NODE_PID" --process "ca=$CUSTOMER_PID"
}

# recorded NAME COMMAND... : the daemons have closed their databases before, which are the base, and start within.
recorded() {
	local name=$1 f
	shift
	mkdir "$W/$name.base"
	for f in "$@"; do cp "$W/$f" "$W/$name.base/"; done
	HANDSEL_DB_RECORD="$W/$name.record"
	export HANDSEL_DB_RECORD
}

# judged NAME [OPTION...] : all cuts of that record.
judged() {
	local name=$1
	shift
	mkdir -p "$W/$name.out"
	"$BUILD/tests/fault/cuts" --record "$W/$name.record" --base "$W/$name.base" --out "$W/$name.out" --seed "${SEED:-$RANDOM}" "$@"
}

# a_walk NAME : every cut, and that a disk that lies about its flushes is found out.
a_walk() {
	judged "$1" --cuts $CUTS || die "$1: see above"
	cuts=$((cuts + CUTS))
	judged "$1" --cuts 60 --lying >"$W/lying" && die "$1: flushes were lost, and nothing was missing"
	grep -q "what was answered is not there" "$W/lying" || { cat "$W/lying"; die "$1: no answer was missing"; }
}

echo "-- factory"
factory_init >/dev/null && factory_serve && station_init line-1 >/dev/null || die "no factory"
ca --dir "$W/factory" order create --id flush --model gateway-b --serials GB-000001-GB-999999 --quota 2000 --station line-1 \
	--agent "$BUILD/handsel-agent" >/dev/null && mkdir "$W/kits" || die "no order"
stop_all
recorded factory factory/ca.db factory/signer.db
factory_serve && devices 1 $DEVICES || { cat "$W/bench.log"; die "the load failed"; }
unset HANDSEL_DB_RECORD
stop_all
a_walk factory

echo "-- the factory starts again"
for n in $STARTS; do
	judged factory --cuts $CUTS --only "$n" || die "no image"
	rm -f "$W"/factory/*.db*
	cp "$W"/factory.out/* "$W/factory/"
	factory_serve && devices $((10000 + n * 10)) 4 || { tail -n 3 "$W/bench.log"; die "cut $n: the factory does not go on"; }
	stop_all
	grep -q "is recovering" "$W/factory.log" && die "cut $n: a cut is no restore"
	cuts=$((cuts + 1))
done

echo "-- customer"
factory_serve && customer_init >/dev/null && customer_serve && node_init site-1 >/dev/null || die "no customer"
rm -rf "$W/kits" && mkdir "$W/kits" && devices 50001 $((DEVICES + 100)) || die "no devices"
ca --dir "$W/factory" ship --customer plant-seven --order flush --out "$W/manifest" >/dev/null && node --dir "$W/node" import "$W/manifest" >/dev/null &&
	node --dir "$W/node" apply >/dev/null || die "nothing was shipped"
stop_all
recorded customer customer/ca.db customer/signer.db node/node.db
customer_serve && node_serve && handovers 50001 $DEVICES || { tail -n 5 "$W/bench.log"; die "the load failed"; }
unset HANDSEL_DB_RECORD
stop_all
a_walk customer

echo "-- the customer starts again"
first=$((50001 + DEVICES))
for n in $STARTS; do
	judged customer --cuts $CUTS --only "$n" || die "no image"
	rm -f "$W"/customer/*.db* "$W"/node/*.db*
	cp "$W"/customer.out/*ca.db* "$W"/customer.out/signer.db* "$W/customer/"
	cp "$W"/customer.out/node.db* "$W/node/"
	customer_serve && node_serve && handovers $first 4 || { tail -n 3 "$W/bench.log"; die "cut $n: the customer does not go on"; }
	stop_all
	grep -q "is recovering" "$W/customer.log" "$W/node.log" && die "cut $n: a cut is no restore"
	first=$((first + 4)) cuts=$((cuts + 1))
done
echo "$cuts cuts, 0 exceptions"
