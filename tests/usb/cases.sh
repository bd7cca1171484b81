# cases.sh - devices that lie, stall, hang, or are of another kind than U-Boot: each with the fault of the farm, how its unit ends, and
# the code. Used with both ways to reach the model: umockdev and a real kernel. Sourced.
CASES=(
	"PASS - as-it-should-be env:NOTHING=1"
	"PASS - a-block-stalls-once stall-once:3"
	"FAIL E61 each-try-of-a-block-stalls stall:3"
	"FAIL E64 pulled-in-mid-download vanish:5"
	"FAIL E61 silent-in-mid-download hang:4"
	"FAIL E61 dfuDNBUSY-for-ever busy:3"
	"FAIL E61 half-a-status short-status:3"
	"PASS - a-slow-boot-loader poll:2"
	"FAIL E61 a-minute-for-each-block poll:60000"
	"FAIL E61 hours-for-each-block poll:16777215"
	"FAIL E63 an-image-that-does-not-verify bad-status"
	"FAIL E64 pulled-in-the-tunnel vanish-link:6"
	"PASS - a-power-cut-in-the-tunnel power-cut:6"
	"PASS - a-block-size-that-no-host-can size:65535"
	"PASS - small-blocks size:512"
	"FAIL E61 no-block-size size:0"
	"FAIL E61 no-functional-descriptor no-function"
	"FAIL E61 half-a-functional-descriptor short-function"
	"FAIL E63 an-agent-without-endpoints no-endpoints"
	"PASS - waits-for-a-reset-after-DETACH no-detach"
	"PASS - waits-for-a-reset-after-the-image not-tolerant"
	"PASS - leaves-by-itself-after-the-image leaves"
	"PASS - an-application-that-enters-DFU-mode runtime"
	"PASS - an-application-that-waits-for-its-reset runtime no-detach"
	"FAIL E62 another-model wrong-model"
	"FAIL E41 a-serial-outside-the-order wrong-serial:00009998"
)

# case_devices FROM COUNT BASE : sets SERIALS and FAULTS, options for the farm, for COUNT cases; their serials count from BASE.
case_devices() {
	local i n serial fault outcome code name
	SERIALS="" FAULTS=()
	for ((i = $1; i < $1 + $2 && i < ${#CASES[@]}; i++)); do
		printf -v serial '%08d' $(($3 + i))
		SERIALS="${SERIALS:+$SERIALS }$serial"
		read -r outcome code name fault <<<"${CASES[i]}"
		for n in $fault; do FAULTS+=(--fault "$serial=$n"); done
	done
}

# case_results FROM COUNT OUT : checks each of them by its port in the station's JSON lines; says what differs.
case_results() {
	local i line outcome code name fault wrong=0
	for ((i = $1; i < $1 + $2 && i < ${#CASES[@]}; i++)); do
		read -r outcome code name fault <<<"${CASES[i]}"
		line=$(grep '"type":"unit"' "$3" | grep "\"usb\":\"[0-9]*-$((i - $1 + 1))\"" | tail -n 1)
		if grep -q "\"outcome\":\"$outcome\"" <<<"$line" && { [ "$code" = - ] || grep -q "\"code\":\"$code\"" <<<"$line"; }; then
			echo "ok: ${name//-/ }: $outcome $code $(sed -n 's/.*"seconds":\([0-9.]*\).*/\1 s/p' <<<"$line")"
		else
			echo "FAILED: ${name//-/ }: wanted $outcome $code, not $line" | cut -c1-500
			wrong=1
		fi
	done
	return $wrong
}
