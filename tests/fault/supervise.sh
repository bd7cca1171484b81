#!/bin/bash
# supervise.sh COMMAND... : what a service manager does. Starts it again when it was killed, or its signer was, and after a pause when
# its port was taken meanwhile by a connection of somebody else.
trap 'stopping=1; kill -TERM "$child" 2>/dev/null' TERM INT
stopping="" starts=200		# more than any list of faults is long
while [ $((starts--)) -gt 0 ]; do
	"$@" &
	child=$!
	wait "$child"
	status=$?
	[ -z "$stopping" ] || { wait "$child" 2>/dev/null; exit 0; }
	[ $status != 0 ] || exit 0
	[ $status = 137 ] || [ $status = 3 ] || sleep 0.2
done 2>/dev/null
exit 1
