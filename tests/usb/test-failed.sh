# run --failed: only units whose last attempt was no PASS, and those that were cut, are tried again; --dry-run lists them. And what
# stands in a technician's way, as that person sees it: job files, scans and devices that are not what they should be.
set -u
. "$(dirname "$0")/common.sh"
needs_fault_injection
factory_up
R=$LINE/records

left() { "$BUILD/handsel-station" --dir "$LINE" run --failed --dry-run --order USB-1 "$@" >"$W/out" 2>"$W/err"; }
AGENTS=()
for s in 00000001 00000002 00000003 00000004 00000005; do	# their agents run: a download is nothing new here
	mkdir "$W/$s" && ln -s "$BUILD/handsel-agent" "$W/$s/agent"
	AGENTS+=(--fault "$s=as-agent")
done

ok "before the first unit nothing is left" eval 'left && says "^nothing of order USB-1 is left"'
devices "00000001 00000002 00000003" "${AGENTS[@]:0:2}" --fault 00000002=vanish-link:2 --fault 00000003=wrong-model -- "${STATION[@]}" --count 3
ok "one passes, two do not" eval '[ $status = 1 ] && unit PASS "" 00000001 && unit FAIL E64 && unit FAIL E62'
cat >"$W/once" <<'SCRIPT'
HANDSEL_FAULT=station.ticket "$@" --count 1
[ $? = 137 ]
SCRIPT
devices 00000004 "${AGENTS[@]:6:2}" -- bash "$W/once" "${STATION[@]}"
ok "one is cut" [ $status = 0 ]

ok "what is left is listed, each with its reason" eval '! left && says "^00000002 .*slot 1-2: FAIL, 20.*record [0-9a-f]{32}$" && says "^  *E64 device-left: " &&
	says "^00000003 .*slot 1-3: FAIL" && says "^  *E62 wrong-model: " && says "^00000004 .*slot 1-1: was cut in phase ticket" &&
	says "^3 units of order USB-1 left" && ! grep -q 00000001 "$W/out"'
left
ok "and the answer is no" [ $? = 1 ]
left --json
ok "as data" [ "$(jq -r 'select(.type == "left") | .serial + " " + .outcome + " " + (.code // .phase)' "$W/out" | sort | paste -sd,)" = \
	"00000002 FAIL E64,00000003 FAIL E62,00000004 CUT ticket" ]
cp "$R/index" "$W/index" && sed -i 's/ 00000003 / - /' "$R/index" && ! left
ok "a unit that never said its serial is known by its slot" says '^-- .*slot 1-3: FAIL'
cp "$W/index" "$R/index"

# All five are plugged in; the third is what it was, the fifth was never tried.
all="00000001 00000002 00000003 00000004 00000005"
devices "$all" "${AGENTS[@]}" --fault 00000003=wrong-model -- "${STATION[@]}" --failed
ok "these are tried again, and no others" eval '[ $status = 1 ] && unit PASS "" 00000002 && unit FAIL E62 00000003 && unit PASS "" 00000004 &&
	[ "$(grep -c "\"type\":\"unit\"" "$W/out")" = 3 ] && [ "$(records 00000001)" = 1 ] && [ "$(records 00000005)" = 0 ]'
cat >"$W/until" <<'SCRIPT'
"$@" & station=$!
until grep -q 'take it out' "$OUT"; do sleep 0.05; done
kill -INT $station
wait $station
SCRIPT
devices 00000001 "${AGENTS[@]:0:2}" -- bash "$W/until" "${STATION[@]}" --failed
ok "who is none of them is told so" says '"slot":"1-1".*"serial":"00000001","text":"this unit is none of those that failed or were cut; take it out'
ok "what failed again is left" eval '! left && says "^00000003 " && says "^1 unit of order USB-1 left"'
rm -r "$W/00000003/store"	# it gets another name plate
devices "$all" "${AGENTS[@]}" -- "${STATION[@]}" --failed
ok "until it passes" eval '[ $status = 0 ] && unit PASS "" 00000003'
ok "then nothing is left" left
devices "$all" "${AGENTS[@]}" -- "${STATION[@]}" --failed
ok "and nothing is done" eval '[ $status = 0 ] && ! says "\"type\":\"(unit|phase)\"" && says "nothing of order USB-1 is left"'
"$BUILD/handsel-station" --dir "$LINE" run --dry-run --order USB-1 >"$W/out" 2>"$W/err"
ok "--dry-run alone is nothing" [ $? = 2 ]

[ $failures = 0 ] || exit 1
echo "failed: all right"
