#!/bin/bash
# supervise.sh COMMAND... : what a service manager does. Starts it again when it was killed, or when its signer was (exit 3).
trap 'stopping=1; kill -TERM "$child" 2>/dev/null' TERM INT
stopping=""
for start in 1 2 3 4 5 6 7 8; do
	"$@" &
	child=$!
	wait "$child"
	status=$?
	[ -z "$stopping" ] || { wait "$child" 2>/dev/null; exit 0; }
	[ $status = 137 ] || [ $status = 3 ] || exit $status
done
exit 1
