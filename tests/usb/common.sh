# common.sh - what the USB tests share: a factory CA, a station, and farms of one or a few devices. Sourced; needs bash.
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
BUILD=${BUILD:-$TOP}
W=$(mktemp -d "${TMPDIR:-/tmp}/handsel usb XXXXXX")
. "$TOP/tests/system/lib.sh"

finish() {
	local status=$?
	stop_all
	rm -rf "$W"
	exit $status
}
trap finish EXIT

failures=0
failed() {
	echo "FAILED: $*" >&2
	tail -n 15 "$W/out" "$W/err" >&2
	failures=$((failures + 1))
}

# factory_up : a CA that serves, station line-1, and order USB-1 for serials 1 to 99.
factory_up() {
	{
		factory_init && factory_serve && station_init line-1 && order_create USB-1 00000001 00000099 99 line-1
	} >"$W/out" 2>"$W/err" || {
		failed "the factory does not start"
		exit 1
	}
	MODEL_FILE=$TOP/profiles/models/$MODEL.yaml
	station_command USB-1 "$BUILD/handsel-agent" "$MODEL_FILE"
}

# station_command ORDER AGENT MODEL-FILE : what $STATION runs.
station_command() {
	STATION=("$BUILD/handsel-station" --dir "$W/station-line-1" --json run --order "$1" --agent "$2" --model "$3")
}

# devices SERIALS FARM-OPTION... -- COMMAND... : sets $status; output in $W/out, messages in $W/err.
devices() {
	status=0
	timeout 300 bash -c '. "$0"; W=$1; shift; farm "$@"' "$TOP/tests/system/lib.sh" "$W" "$@" >"$W/out" 2>"$W/err" || status=$?
}
export BUILD TOP OUT=$W/out

# unit OUTCOME CODE [SERIAL] : did a unit of the last run (that one) end that way? CODE may be empty.
unit() {
	local line
	line=$(grep '"type":"unit"' "$W/out" | grep "\"serial\":\"${3:-}" | grep "\"outcome\":\"$1\"") &&
		{ [ -z "$2" ] || grep -q "\"code\":\"$2\"" <<<"$line"; }
}

has_fault_injection() { grep -q '^#define ENABLE_FAULT_INJECTION 1' "$BUILD/config.h"; }
needs_fault_injection() {
	has_fault_injection && return
	echo "this build has no fault points" >&2
	exit 1
}

# ---- what many of them look at ----
LINE=$W/station-line-1

# ok NAME CONDITION... ; says PATTERN : in what the last run said
ok() {
	local name=$1
	shift
	if "$@"; then echo "ok: $name"; else failed "$name"; fi
}
says() { grep -qE -- "$1" "$W/out" "$W/err"; }
# records SERIAL ; of_state STATE SERIAL ; used ; entries : how many records, certificates, units of order USB-1, and lines of the journal
records() { grep -ls "\"serial\": \"$1\"" "$LINE"/records/*.json | wc -l; }
of_state() { ca --dir "$W/factory" --json issued list --order USB-1 --state "$1" | grep -c "\"serial\":\"$2\""; }
used() { ca --dir "$W/factory" order list --json | grep '"USB-1"' | sed -n 's/.*"used":\([0-9]*\).*/\1/p'; }
entries() { find "$LINE/journal" -name '*.yaml' | wc -l; }
