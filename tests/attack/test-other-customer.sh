# Another customer of the same manufacturer: its node has a valid handoff, and gets nothing of a device that is not its own, even
# if its admin lists the serial.
set -u
. "$TOP/tests/attack/lib.sh"
. "$TOP/tests/attack/sites.sh"
sites

turned_away E21 "another customer's node" eight
printf 'version: 1\ndevices:\n  - serial: "%s"\n' "$SERIAL" >"$W/node-eight/allowlist.yaml"
quietly node --dir "$W/node-eight" apply
quietly kill -HUP "${NODE_PIDS[eight]}"
turned_away E21 "another customer's node that lists the serial" eight
refused E24 "the manifest of the true owner, at its node" node --dir "$W/node-eight" import "$W/seven.manifest"

holds "the true owner's node" onboard seven
renew() { "$W/$SERIAL/agent" --dir "$W/$SERIAL/store" renew --node "https://127.0.0.1:${NODE_PORTS[eight]}" --timeout 5s; }
refused E12 "an onboarded device renews at another customer's node" renew
holds "and has its credential still" eval '[ "$(cat "$W/$SERIAL/store/current")" = customer-a ]'
summary
