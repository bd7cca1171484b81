# doctor names what stands in the way of a station, and each thing has its code and its remedy.
set -u
. "${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/usb/common.sh"
factory_up

# doctor CODE STEP OPTION... : it ends with that finding ("" good) in that step; always on a bus with one device.
doctor() {
	local code=$1 step=$2 want
	shift 2
	devices 00000001 -- "$BUILD/handsel-station" --dir "$W/station-line-1" --json doctor "$@"
	want="\"step\":\"$step\",\"finding\":\"good\""
	[ -z "$code" ] || want="\"step\":\"$step\",\"finding\":\"bad\",\"code\":\"$code\""
	grep -q "$want" "$W/out" || failed "doctor $*: not $step ${code:-good}"
	[ -n "$code" ] || [ "$status" = 0 ] || failed "doctor $*: ends with $status"
	[ -z "$code" ] || { [ "$status" != 0 ] && tail -n 1 "$W/out" | grep -q "\"code\":\"$code\""; } || failed "doctor $*: no advice for $code"
}

doctor "" order --order USB-1 --model "$MODEL_FILE"
for step in station certificate clock disk model usb slots ca; do
	grep -q "\"step\":\"$step\",\"finding\":\"good\"" "$W/out" || failed "doctor does not look at $step"
done
grep -q 'USB-1: 99 of 99 units are left' "$W/out" || failed "doctor does not say what is left of the order"

doctor E41 order --order USB-2
doctor E71 model --model "$W/nothing.yaml"
printf 'slots:\n  - {name: "left", port: "1-9"}\n' >>"$W/station-line-1/station.yaml"
devices 00000001 -- "$BUILD/handsel-station" --dir "$W/station-line-1" doctor --model "$MODEL_FILE"
grep -q '^ ! slots .*E71 1 of them on ports that are no slot' "$W/out" || failed "a device beside the slots is not seen"

cp "$W/station-line-1/station.yaml" "$W/kept"
printf 'mes:\n  program: ["%s"]\n' "$W/nothing" >>"$W/station-line-1/station.yaml"
doctor E71 mes
cp "$W/kept" "$W/station-line-1/station.yaml"

mv "$W/station-line-1/station.pem" "$W/pem"
doctor E71 certificate
mv "$W/pem" "$W/station-line-1/station.pem"
chmod 644 "$W/station-line-1/station.key"
doctor E71 certificate
chmod 600 "$W/station-line-1/station.key"
stop_daemon "$FACTORY_PID"
doctor E51 ca
rm "$W/station-line-1/station.yaml"
doctor E71 station

[ $failures = 0 ] && echo "doctor: all right"
exit $failures
