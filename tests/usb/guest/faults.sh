#!/bin/bash
# faults.sh - /init of the second guest: a kernel as Debian has it, whose devices are played by the farm over vhci_hcd. No udevd, so
# no hotplug events: the station finds everything by looking.
. /handsel/inside.sh
. /handsel/cases.sh

modprobe vhci-hcd || finish 3
ca_up || finish 3
say "the CA serves"

farm() {
	farm_vhci --dir /w/farm --model "$MODEL" --manufacturer "$MANUFACTURER" --revision C "$@"
}
mkdir -p /w/farm

# ---- a foreign host first: the model is DFU ----------------------------------------------
began=$(now)
farm --serial 00000901 -- sh -c 'until dfu-util -l | grep -q "serial=.00000901"; do sleep 0.2; done
	dfu-util -d 1209:0002 -a agent -D /handsel/handsel-agent && dfu-util -d 1209:0002 -a agent -e' >/w/out 2>&1 ||
	bad "dfu-util cannot load the device"
cmp /handsel/handsel-agent /w/farm/00000901/agent || bad "the device received other bytes than dfu-util sent"
say "dfu-util: $(since "$began") s"

# ---- devices of all kinds, as many at once as a controller of vhci_hcd has ports ---------------
ports=15
for ((from = 0; from < ${#CASES[@]}; from += ports)); do
	began=$(now)
	case_devices $from $ports 1
	options=()
	for serial in $SERIALS; do options+=(--serial "$serial"); done
	farm "${options[@]}" "${FAULTS[@]}" -- /handsel/handsel-station --dir /w/station-line-1 --json run --order USB-1 \
		--agent /handsel/handsel-agent --model "/handsel/profiles/models/$MODEL.yaml" --timeout 300s \
		--count "$(wc -w <<<"$SERIALS")" >/w/out 2>/w/err
	case_results $from $ports /w/out >/w/results || bad "devices of all kinds"
	while read -r line; do say "$line"; done </w/results
	say "$(wc -w <<<"$SERIALS") devices at once: $(since "$began") s"
	phases "all kinds"
done

say "end, $failures failures"
finish $((failures > 0))
