# Every fault point of a renewal, and of a release with the return to the factory credential and the new enrolment, with keys of
# the device and keys that the CA makes: killed there, started again, tried again. Afterwards device, node and CA agree on one
# active credential, which is a new one, the old one is over everywhere, and nobody took the device for a copy.
set -u
. "$TOP/tests/fault/lib.sh"
. "$TOP/tests/fault/customer.sh"

enter() { activate "$1" --key "$KEY" --timeout "$2"; }
old_slot() { cat "$W/$1/old-slot"; }
old() { cat "$W/$1/old"; }

# Until it is done: a second renewal, after the first one was answered, would be a renewal too many. Then it is only started.
renew_once() {
	[ "$(slot "$1")" = "$(old_slot "$1")" ] || { enter "$@"; return; }
	"$W/$1/agent" --dir "$W/$1/store" renew --key "$KEY" --node "https://127.0.0.1:$NODE_PORT" --timeout "$2"
}

judge_renewed() {
	local s=$1 name=$2
	[ "$(slot "$s")" != factory ] || bad "$name" "the device fell back to the factory credential"
	[ "$(slot "$s")" != "$(old_slot "$s")" ] || bad "$name" "the device did not switch"
	judge_old "$s" "$name"
	# the old slot is cleared away, at the next start at the latest
	enter "$s" 5s >>"$W/$s/agent.log" 2>&1
	[ ! -e "$W/$s/store/$(old_slot "$s")/key.pem" ] || bad "$name" "the old key is still there"
}

judge_old() {
	[[ " $(of_state revoked "$1" | xargs) $(of_state superseded "$1" | xargs) " == *" $(old "$1") "* ]] ||
		bad "$2" "the old certificate is not revoked"
	! grep "\"serial\":\"$1\"" "$W/devices" | grep -q '"reason":"E73"' || bad "$2" "the device was taken for a copy"
}

# A device that does not hear of its release stays what it is, and asks again at its next start.
release_once() {
	[ -e "$W/$1/returned" ] || node --dir "$W/node" devices release "$1" --force && : >"$W/$1/returned" || return 1
	enter "$1" "$2" && [ "$(held "$1")" != "$(old "$1")" ]
}

judge_returned() {
	local s=$1 name=$2
	[ "$(slot "$s")" != factory ] || bad "$name" "the device was not onboarded again"
	! grep -q "$(old "$s")" "$W/$s/store"/customer-?/request || bad "$name" "the device still has what was released"
	judge_old "$s" "$name"
}

walk_mode() {
	local s
	KEY=$1
	at_the_gate
	in_parallel live enter
	until_true 20 all_settled || die "not onboarded"
	for s in $SERIALS; do
		slot "$s" >"$W/$s/old-slot"
		held "$s" >"$W/$s/old"
		rm "$W/$s/passed" "$W/$s/done"
	done
	save_state
	walk renew_once judge_renewed $PAIRS
	walk release_once judge_returned $PAIRS
}
lane device walk_mode device
lane ca walk_mode ca
end_lanes
