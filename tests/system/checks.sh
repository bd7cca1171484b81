# checks.sh - tests that go on after a check has failed and count. Sourced after lib.sh; $W is the scratch folder.
FAILED=0 CHECKED=0

# says NAME PATTERN COMMAND... : the command fails and says so.
says() {
	local name=$1 pattern=$2 out
	shift 2
	CHECKED=$((CHECKED + 1))
	if ! out=$("$@" 2>&1) && grep -qE "$pattern" <<<"$out"; then
		echo "ok $name: $(grep -m 1 -E "$pattern" <<<"$out" | cut -c1-150)"
	else
		FAILED=$((FAILED + 1))
		printf 'FAILED %s: no "%s" in: %s\n' "$name" "$pattern" "$out"
	fi
}
# holds NAME COMMAND... : in this shell, since some commands set ports and pids.
holds() {
	local name=$1 log=$W/holds.log
	shift
	CHECKED=$((CHECKED + 1))
	if "$@" >"$log" 2>&1; then
		echo "ok $name"
	else
		FAILED=$((FAILED + 1))
		echo "FAILED $name"
		cat "$log"
	fi
}
