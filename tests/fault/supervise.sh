#!/bin/bash
# supervise.sh COMMAND... : what a service manager does. Starts it again when it was killed, or when its signer was (exit 3).
trap 'stopping=1; kill -TERM "$child" 2>/dev/null' TERM INT
stopping="" starts=200		# more than any list of faults is long
while [ $((starts--)) -gt 0 ]; do
	"$@" &
	child=$!
	wait "$child"
	status=$?
	[ -z "$stopping" ] || { wait "$child" 2>/dev/null; exit 0; }
	[ $status = 137 ] || [ $status = 3 ] || exit $status
done 2>/dev/null
exit 1
