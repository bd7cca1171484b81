# wire.sh - what is done to the records between a client and the server at port $WIRED. Sourced.

# In the clear: close_notify, unexpected_message, handshake_failure, bad_certificate, unknown_ca, access_denied, user_canceled,
# no_renegotiation. 3 is no level.
DEEDS=(alert:1:0 cut alert:2:10 half alert:2:40 reset alert:2:42 flip alert:2:48 repeat alert:2:49 drop alert:1:90 cut alert:1:100
	half alert:3:0)

# start_wire DEED WAY N : the client finds it on $PORT
start_wire() {
	rm -f "$W/wire.ready"
	"$BUILD/tests/attack/wire" "$WIRED" "$W/wire.ready" "$W/wire.log" "$@" &
	WIRE=$!
	STARTED+=("$WIRE")
	until_true 20 [ -s "$W/wire.ready" ] && PORT=$(cat "$W/wire.ready")
}
stop_wire() { kill -TERM "$WIRE" && wait "$WIRE"; }
