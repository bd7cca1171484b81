#!/bin/bash
# bench.sh - /init of a guest that measures the station on its own clock: 16 devices, each on a bus of its own, loaded by dfu-util, one
# alone and all at once, then by the station, which takes them through the whole transaction. Where all of them together are slower than
# one would be alone, buses and processors of the guest are the limit: then what counts is what they reach together.
. /handsel/inside.sh

count=16
modprobe dummy_hcd num=$count && modprobe raw_gadget && modprobe usb_f_fs || finish 3
mkdir -p /run/udev && systemd-udevd --daemon || finish 3
ca_up || finish 3

# figure NAME VALUE UNIT RATIO TO
figure() { (IFS='|'; echo "figure|$*"); }

serials=""
for ((n = 0; n < count; n++)); do
	printf -v S '%08d' $((n + 1))
	board $n "$S"
	serials="$serials $S"
done
until_true 60 eval '[ "$(dfu-util -l 2>/dev/null | grep -c serial=)" = '$count' ]' || finish 4

# rates : the last transfer of each board, as the boards saw it: KiB/s of the slowest, sum of all rates, all octets in the seconds from the
# first to the last, these seconds, boards.
rates() {
	for S in $serials; do grep '^loaded' "/devices/$S/log" | tail -n 1; done | awk '
		{ r = $2 / 1024 / ($4 - $3); sum += r; octets += $2; if (NR == 1 || r < least) least = r
			if (NR == 1 || $3 < first) first = $3; if ($4 > last) last = $4 }
		END { printf "%.0f %.0f %.0f %.2f %d\n", least, sum, octets / 1024 / (last - first), last - first, NR }'
}

dfu-util -S 00000001 -a agent -D /handsel/handsel-agent >/w/out 2>&1 || bad "dfu-util, one device"
one=$(grep '^loaded' /devices/00000001/log | awk '{ printf "%.0f", $2 / 1024 / ($4 - $3) }')
say "dfu-util, one device: $one KiB/s"

pids=()
for S in $serials; do
	dfu-util -S "$S" -a agent -D /handsel/handsel-agent >"/w/out-$S" 2>&1 &
	pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || bad "dfu-util, all at once"; done
read -r tool_least tool_sum tool_all tool_time n < <(rates)
[ "$n" = $count ] || bad "dfu-util loaded $n of $count devices"
say "dfu-util, $count at once: the slowest $tool_least KiB/s, sum $tool_sum KiB/s, all in $tool_time s $tool_all KiB/s"

began=$(now)
rss /handsel/handsel-station --dir /w/station-line-1 --json run --order USB-1 --agent /handsel/handsel-agent \
	--model "/handsel/profiles/models/$MODEL.yaml" --timeout 600s --count $count 3>/w/used >/w/out 2>/w/err ||
	bad "the station's exit status is $?"
wall=$(since "$began")
read -r kib cpu </w/used
read -r least sum all time n < <(rates)
for S in $serials; do unit PASS "" "$S" || bad "$S did not pass"; done
say "station, $count at once: the slowest $least KiB/s, sum $sum KiB/s, all in $time s $all KiB/s"
phases "station"

figure station-rate "$least" "KiB/s of the slowest of $count" "$(awk "BEGIN { printf \"%.2f\", $least / $one }")" \
	"dfu-util with one device alone, $one KiB/s"
figure station-sum "$sum" "KiB/s, sum of the $count rates" "$(awk "BEGIN { printf \"%.2f\", $sum / $tool_sum }")" \
	"$count of dfu-util at once, $tool_sum KiB/s"
figure station-all "$all" "KiB/s from the first block of all to the last" "$(awk "BEGIN { printf \"%.2f\", $all / $tool_all }")" \
	"$count of dfu-util at once, $tool_all KiB/s"
figure station-rest "$(awk "BEGIN { printf \"%.2f\", ($wall - $time) / $count }")" "s a device besides the transfer" \
	"$(awk "BEGIN { printf \"%.2f\", ($wall - $time) / $count / 2 }")" "the goal, 2 s, on the guest's clock"
figure station-cpu "$(awk "BEGIN { printf \"%.2f\", $cpu / $count }")" "s of the station's CPU a device" \
	"$(awk "BEGIN { printf \"%.2f\", $cpu / $wall }")" "a processor of the guest"
figure station-rss "$kib" "KiB" "$(awk "BEGIN { printf \"%.2f\", $kib / $(stat -c %s /handsel/handsel-agent) * 1024 }")" "the agent's file"
finish $((failures > 0))
