# lib.sh - a factory, a customer and their daemons for system tests and for ./demo. Sourced.
# Needs $TOP (source tree) and $BUILD (build tree). Everything happens below $W; processes are ended by their pid.

export HANDSEL_DATADIR="$TOP"
export LSAN_OPTIONS="suppressions='$TOP/tests/usb/lsan.supp':print_suppressions=0"
MANUFACTURER="Acme Devices"
MODEL=gateway-b
STARTED=()		# pids of our daemons
SUPERVISOR=""		# a command that starts and watches a daemon: see tests/fault/lib.sh
RUNNER=${HANDSEL_RUNNER:-}	# a command that runs what a device has received: see tests/analysis/valgrind.sh

ca() { "$BUILD/handsel-ca" "$@"; }
station() { "$BUILD/handsel-station" "$@"; }
node() { "$BUILD/handsel-node" "$@"; }

die() {
	echo "error: $*" >&2
	exit 1
}

# until_true SECONDS COMMAND... : bounded wait for a condition.
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# start_daemon NAME COMMAND... : in the background with its log in $W/NAME.log; waits until it serves; sets PORT and PID.
start_daemon() {
	local name=$1
	shift
	rm -f "$W/$name.ready"
	${SUPERVISOR:-env} "$@" --ready-file "$W/$name.ready" >>"$W/$name.log" 2>&1 &
	PID=$!
	STARTED+=("$PID")
	until_true 20 eval "[ -s \"\$W/$name.ready\" ] || ! kill -0 $PID 2>/dev/null"
	[ -s "$W/$name.ready" ] || {
		tail -n 20 "$W/$name.log" >&2
		echo "$name did not start" >&2
		return 1
	}
	PORT=$(head -n 1 "$W/$name.ready")
}

# stop_daemon PID : SIGTERM, and its exit status.
stop_daemon() {
	kill -TERM "$1" 2>/dev/null
	wait "$1"
}

stop_all() {
	local pid
	for pid in "${STARTED[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
	for pid in "${STARTED[@]}"; do wait "$pid" 2>/dev/null || true; done
	STARTED=()
}

# free_port : below those that the kernel gives to connections, so that a daemon that is started again finds its own still free.
free_port() {
	local p
	for _ in {1..100}; do
		p=$((10000 + RANDOM % 20000))
		(: <"/dev/tcp/127.0.0.1/$p") 2>/dev/null || { echo $p; return 0; }
	done
	echo 0
}

fingerprint() { openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f; }

# Where the CAs keep their keys: options of handsel-ca init.
# HANDSEL_SANDBOX: another mode of the signer, for tests/analysis/valgrind.sh.
FACTORY_KEYS=(--key-passphrase none ${HANDSEL_SANDBOX:+--key-sandbox "$HANDSEL_SANDBOX"})
CUSTOMER_KEYS=("${FACTORY_KEYS[@]}")
# And stations and nodes theirs: of init.
STATION_KEYS=() NODE_KEYS=()

# factory_init : $W/factory is a CA system that serves; sets FACTORY_PORT FACTORY_PID.
factory_init() {
	ca --dir "$W/factory" init --kind factory --id factory --name "$MANUFACTURER" --host 127.0.0.1 --listen 127.0.0.1:0 "${FACTORY_KEYS[@]}"
}
factory_serve() {
	start_daemon factory "$BUILD/handsel-ca" --dir "$W/factory" serve --listen "127.0.0.1:${FACTORY_PORT:-$(free_port)}" "$@" || return 1
	FACTORY_PORT=$PORT FACTORY_PID=$PID
}

# station_init NAME : $W/station-NAME, certified by the factory.
station_init() {
	local dir=$W/station-$1
	station --dir "$dir" init --name "$1" --ca "https://127.0.0.1:$FACTORY_PORT" --root "$W/factory/root.pem" "${STATION_KEYS[@]}" &&
		ca --dir "$W/factory" unit issue "$dir/station.csr" --role station --name "$1" --out "$dir/station.pem"
}

# order_create ID FROM TO QUOTA STATION... [--OPTION...] : a work order for the agent of this build.
order_create() {
	local id=$1 from=$2 to=$3 quota=$4 s stations=()
	shift 4
	for s in "$@"; do
		case $s in
		--*) stations+=("$s") ;;
		*) stations+=(--station "$s") ;;
		esac
	done
	ca --dir "$W/factory" order create --id "$id" --model "$MODEL" --serials "$from-$to" --quota "$quota" \
		"${stations[@]}" --agent "$BUILD/handsel-agent" --valid 30d --out "$W/order-$id.p7"
}

customer_init() {
	ca --dir "$W/customer" init --kind customer --id customer --name "Plant Seven" --host 127.0.0.1 --listen 127.0.0.1:0 "${CUSTOMER_KEYS[@]}"
}
customer_serve() {
	start_daemon customer "$BUILD/handsel-ca" --dir "$W/customer" serve --listen "127.0.0.1:${CUSTOMER_PORT:-$(free_port)}" "$@" || return 1
	CUSTOMER_PORT=$PORT CUSTOMER_PID=$PID
}

# node_init NAME : $W/$NODE, a unit of the customer, introduced to the manufacturer by the handoff.
NODE=node
node_init() {
	local n=$W/$NODE root
	node --dir "$n" init --name "$1" --ca "https://127.0.0.1:$CUSTOMER_PORT" --ca-root "$W/customer/root.pem" \
		--listen 127.0.0.1:0 --host 127.0.0.1 "${NODE_KEYS[@]}" &&
		ca --dir "$W/customer" unit issue "$n/node.csr" --role node --name "$1" --host 127.0.0.1 --host localhost \
			--out "$n/node.pem" &&
		root=$(fingerprint "$W/factory/root.pem") &&
		node --dir "$n" handoff request --out "$W/handoff.csr" &&
		ca --dir "$W/factory" handoff grant "$W/handoff.csr" --customer plant-seven --name "$1" --out "$W/handoff.p7" &&
		node --dir "$n" handoff accept "$W/handoff.p7" --root-fingerprint "$root" &&
		ca --dir "$W/customer" handoff accept "$W/handoff.p7" --root-fingerprint "$root"
}
node_serve() {
	start_daemon "$NODE" "$BUILD/handsel-node" --dir "$W/$NODE" serve --listen "127.0.0.1:${NODE_PORT:-$(free_port)}" "$@" || return 1
	NODE_PORT=$PORT NODE_PID=$PID
}

# farm SERIALS FARM-OPTION... -- COMMAND... : virtual USB devices, one for each serial, while COMMAND runs.
# FARM_OPTIONS: further options, for the faults of devices.
FARM_OPTIONS=()
ON_USB=16	# at a time: umockdev keeps a short list of open files, and ends a station that has more
farm() {
	local serials=$1 s options=()
	shift
	for s in $serials; do options+=(--serial "$s"); done
	# What umockdev leaves behind where it is killed goes with the world. A device that stays off would be waited for without end.
	TMPDIR=$W timeout --foreground -k 30 900 umockdev-wrapper "$BUILD/tests/usb/farm" --dir "$W" --model "$MODEL" \
		--manufacturer "$MANUFACTURER" --revision C "${options[@]}" "${FARM_OPTIONS[@]}" "$@"
}

# provision ORDER STATION SERIALS [STATION-OPTION...] : the factory transaction of all of them, $ON_USB at once.
provision() {
	local order=$1 name=$2 serials i group
	read -ra serials <<<"$3"
	shift 3
	for ((i = 0; i < ${#serials[@]}; i += ON_USB)); do
		group=("${serials[@]:i:ON_USB}")
		printf '%s\n' "${group[@]}" >"$W/labels-$name"
		farm "${group[*]}" -- "$BUILD/handsel-station" --dir "$W/station-$name" run --order "$order" --agent "$BUILD/handsel-agent" \
			--model "$TOP/profiles/models/${MODEL_FILE:-$MODEL}.yaml" --labels "$W/labels-$name" --count ${#group[@]} "$@" || return
	done
}

# activate SERIAL [OPTION...] : the device at the customer's site runs the very file that it received over USB.
activate() {
	local serial=$1
	shift
	$RUNNER "$W/$serial/agent" --dir "$W/$serial/store" activate --node "https://127.0.0.1:$NODE_PORT" "$@"
}

serials() { seq -f "%08.0f" "$1" "$2" | tr '\n' ' ' | sed 's/ $//'; }

# Bytes as one line of hex, and a file's: grep finds bytes in them that would be line ends or NULs in the file itself.
hex() { od -An -v -tx1 "$@" | tr -d ' \n'; }
# Of an RSA key a prime and the modulus.
private_hex() {
	if openssl pkey -in "$1" -text -noout | grep -q '^prime1'; then
		openssl pkey -in "$1" -text -noout | sed -n '/^prime1:/,/^prime2:/p' | grep '^ ' | tr -d ' :\n' | sed 's/^00//'
	else
		private_hex_ec "$1"
	fi
}
public_hex() {
	if openssl pkey -in "$1" -text -noout | grep -q '^prime1'; then
		openssl pkey -in "$1" -text -noout | sed -n '/^modulus:/,/^publicExponent:/p' | grep '^ ' | tr -d ' :\n'
	else
		public_hex_ec "$1"
	fi
}
private_hex_ec() { openssl pkey -in "$1" -text -noout | sed -n '/^priv:/,/^pub:/p' | grep '^ ' | tr -d ' :\n'; }
public_hex_ec() { openssl pkey -in "$1" -text -noout | sed -n '/^pub:/,/^ASN1/p' | grep '^ ' | tr -d ' :\n'; }

# Base64 of any layout.
unbase64() { tr -d ' \r\n' <"$1" | openssl base64 -d -A; }

# May a program that we start lock all its memory? By the limit, or since CAP_IPC_LOCK (14) knows none, outside of user namespaces.
may_lock() {
	(ulimit -l unlimited) 2>/dev/null ||
		{ [ $((16#$(awk '/^CapEff/ { print $2 }' /proc/self/status) >> 14 & 1)) = 1 ] && grep -q ' 4294967295$' /proc/self/uid_map; }
}
# all_locked PID : all memory of the factory's signer, if it may lock it; and status tells whether. AddressSanitizer locks nothing and says yes.
all_locked() {
	local wanted=false
	case $BUILD in */build-test) wanted=true ;; *) if may_lock; then wanted=true; fi ;; esac
	ca --dir "$W/factory" status --json | grep '"type":"keys"' | grep -qF "\"memory_locked\":$wanted" || return 1
	case $wanted$BUILD in false* | */build-test) return 0 ;; esac
	grep -q '^VmLck:.*[1-9]' "/proc/$1/status"
}
