# Every fault point of a renewal, and of a release with the return to the factory credential and the new enrolment: killed there,
# started again, tried again. Afterwards device, node and CA agree on one active credential, which is a new one, the old one is
# over everywhere, and nobody took the device for a copy.
set -u
. "$TOP/tests/fault/lib.sh"

SERIAL=00020001
STORE=$W/$SERIAL/store
at_the_gate
activate "$SERIAL" --timeout 20s >"$W/agent.log" 2>&1 && until_true 10 settled || die "not onboarded"
old_slot=$(cat "$STORE/current")
old=$(held)
save_state

renew() {
	"$W/$SERIAL/agent" --dir "$STORE" renew --node "https://127.0.0.1:$NODE_PORT" --timeout "$1"
}

# Until it is done: a second renewal, after the first one was answered, would be a renewal too many.
renew_once() {
	[ "$(cat "$STORE/current")" = "$old_slot" ] || return 0
	renew "$1"
}

judge_renewed() {
	local fault=$1
	judge_customer "$fault" || return
	[ "$(cat "$STORE/current")" != factory ] || bad "$fault" "the device fell back to the factory credential"
	[ "$(cat "$STORE/current")" != "$old_slot" ] || bad "$fault" "the device did not switch"
	judge_old "$fault"
	# the old slot is cleared away, at the next start at the latest
	activate "$SERIAL" --timeout 5s >>"$W/agent.log" 2>&1
	[ ! -e "$STORE/$old_slot/key.pem" ] || bad "$fault" "the old key is still there"
}

judge_old() {
	[[ " $(ids revoked | xargs) $(ids superseded | xargs) " == *" $old "* ]] || bad "$1" "the old certificate is not revoked"
	! node --dir "$W/node" devices --json | grep -q '"reason":"E73"' || bad "$1" "the device was taken for a copy"
}
walk_customer judge_renewed renew_once

# ---- release ----
# A device that does not hear of its release stays what it is, and asks again at its next start.
release_once() {
	[ -e "$W/returned" ] || node --dir "$W/node" devices release "$SERIAL" --force && : >"$W/returned" || return 1
	activate "$SERIAL" --timeout "$1" && [ "$(held)" != "$old" ]
}

judge_returned() {
	local fault=$1
	judge_customer "$fault" || return
	[ "$(cat "$STORE/current")" != factory ] || bad "$fault" "the device was not onboarded again"
	! grep -q "$old" "$STORE"/customer-?/request || bad "$fault" "the device still has what was released"
	judge_old "$fault"
}
walk_customer judge_returned release_once
summary
