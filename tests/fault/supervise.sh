#!/bin/bash
# supervise.sh COMMAND... : what a service manager does. Starts it again when it was killed, or when its signer was (exit 3).
# With $FAULTS, a list, each start meets the next fault of it.
trap 'stopping=1; kill -TERM "$child" 2>/dev/null' TERM INT
stopping="" faults=($FAULTS)
for start in 0 1 2 3 4 5 6 7; do
	[ -z "$FAULTS" ] || export HANDSEL_FAULT=${faults[start]:-none}
	"$@" &
	child=$!
	wait "$child"
	status=$?
	[ -z "$stopping" ] || { wait "$child" 2>/dev/null; exit 0; }
	[ $status = 137 ] || [ $status = 3 ] || exit $status
done 2>/dev/null
exit 1
