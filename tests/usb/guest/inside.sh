# inside.sh - what the guests share: /init sources it. Boards are the devices: a boot loader that takes a program over DFU, and
# then that very program.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
ln -s /proc/self/fd /dev/fd
ifconfig lo 127.0.0.1 up
export PATH=/bin:/sbin HOME=/root TOP=/handsel BUILD=/handsel W=/w TMPDIR=/tmp

# finish STATUS : ends the guest, and guest_run with this status.
finish() {
	printf "\\$(printf %03o $(($1 + 1)))" | dd of=/dev/port bs=1 seek=244 conv=notrunc 2>/dev/null
	poweroff -f
}

now() { cut -d' ' -f1 /proc/uptime; }	# the guest's clock, see guest_run
say() { printf '[%6s] %s\n' "$(now)" "$*"; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'; }

failures=0
# bad TEXT : counts a failure and shows what there is to see.
bad() {
	say "FAILED: $*"
	failures=$((failures + 1))
	[ $failures -gt 3 ] || tail -n 12 /w/out /w/err /w/factory.log /devices/*/log 2>/dev/null | cut -c1-400
}

. /handsel/lib.sh
unset HANDSEL_DATADIR
export HANDSEL_DATADIR=/handsel

ca_up() {
	FACTORY_PORT=$(cat /w/port)
	factory_serve
}

# station_run COUNT OPTION... : one run of the station; JSON lines in /w/out, its status in $status.
station_run() {
	local count=$1
	shift
	status=0
	station_start --count "$count" "$@"
	wait "$STATION_PID" || status=$?
}

# station_start OPTION... : in the background, as $STATION_PID.
station_start() {
	: >/w/out
	/handsel/handsel-station --dir /w/station-line-1 --json run --order USB-1 --agent /handsel/handsel-agent \
		--model "/handsel/profiles/models/$MODEL.yaml" --timeout 300s "$@" >>/w/out 2>>/w/err &
	STATION_PID=$!
}

# unit OUTCOME CODE SERIAL-OR-PORT : that unit ended so in the last run; CODE may be empty.
unit() {
	local line
	line=$(grep '"type":"unit"' /w/out | grep "\"$3\"" | grep "\"outcome\":\"$1\"") || return 1
	[ -z "$2" ] || grep -q "\"code\":\"$2\"" <<<"$line"
}

# phase_of SERIAL-OR-PORT PHASE : has the run said that it is there?
in_phase() { grep '"type":"phase"' /w/out | grep "\"$1\"" | grep -q "\"phase\":\"$2\""; }

# ---- boards --------------------------------------------------------------------------

# board N SERIAL [KEY=VALUE...] : switches board N on, whose identity is SERIAL. Keys: model, identity (its serial where that is
# not what the boot loader says), and what raw_loader takes. Sets BOARD[N] to its process.
declare -A BOARD
board() {
	local n=$1 serial=$2 dir=/devices/$2 model=$MODEL identity=$2 loader=() option
	shift 2
	for option; do
		case $option in
		model=*) model=${option#*=} ;;
		identity=*) identity=${option#*=} ;;
		*) loader+=("$option") ;;
		esac
	done
	mkdir -p "$dir/store"
	[ -e "$dir/store/identity.yaml" ] ||
		printf 'version: 1\nmanufacturer: "%s"\nmodel: "%s"\nrevision: "C"\nserial: "%s"\n' "$MANUFACTURER" "$model" \
			"$identity" >"$dir/store/identity.yaml"
	(
		raw_loader dummy_udc "dummy_udc.$n" "$serial" "$dir/agent" "${loader[@]}" || exit
		exec gadget.sh -n "board$n" -a "$dir/agent" -u "dummy_udc.$n" "$dir/store"
	) >>"$dir/log" 2>&1 &
	BOARD[$n]=$!
}

# board_kill N : the agent on it, as a crash does.
board_kill() { kill -9 $(cat "/proc/${BOARD[$1]}/task/${BOARD[$1]}/children"); }

# board_cable N [UDC] : out, or in at that controller.
board_cable() { echo "${2:-}" >"/sys/kernel/config/usb_gadget/board$1/UDC"; }

# board_pull N : the cable, for good; what ran on the board ends.
board_pull() {
	board_cable "$1"
	kill "${BOARD[$1]}"
	board_kill "$1"
	wait "${BOARD[$1]}"
}

boards_wait() {
	local n
	for n; do
		wait "${BOARD[$n]}" || bad "board $n ended with $?"
	done
}

# phases TEXT : seconds that each phase took, least, mean and most, of the units of the last run.
phases() {
	local record
	for record in $(sed -n 's/.*"type":"unit".*"record":"\([^"]*\)".*/\1/p' /w/out); do
		cat "/w/station-line-1/records/$record.json"
	done | awk -F'"' -v what="$1" '
		/"name":/ { name = $4; if (!seen[name]++) order[++names] = name }
		/"seconds":/ { s = $3; gsub(/[^0-9.]/, "", s); s += 0; n[name]++; sum[name] += s; if (s > most[name]) most[name] = s
			if (n[name] == 1 || s < least[name]) least[name] = s }
		END { printf "         %s, seconds least/mean/most:", what
			for (i = 1; i <= names; i++) { p = order[i]
				if (n[p]) printf " %s %.2f/%.2f/%.2f", p, least[p], sum[p] / n[p], most[p] }
			print "" }'
}
