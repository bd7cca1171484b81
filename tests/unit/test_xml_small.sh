#!/bin/sh
# The agent's small parser takes whatever our writers write, and nothing that libxml2 refuses or reads otherwise.
set -eu
srcdir=${srcdir:-.}
dir=$(mktemp -d "${TMPDIR:-/tmp}/handsel xml XXXXXX")
trap 'rm -rf "$dir"' EXIT
tests/unit/write_samples "$dir"
for f in "$dir"/*.xml; do
	tests/unit/xml_dump_small "$f" | grep ' whole ' | grep -v ' refused$' >/dev/null || { echo "refused: $f"; exit 1; }
done
tests/unit/xml_dump "$dir"/*.xml "$srcdir"/tests/vectors/xml/*.xml >"$dir/large"
tests/unit/xml_dump_small "$dir"/*.xml "$srcdir"/tests/vectors/xml/*.xml >"$dir/small"
paste -d ' ' "$dir/large" "$dir/small" | awk '
	$1 != $5 || $2 != $6 || $3 != $7 { print "the lists differ: " $0; bad++; exit }
	$8 != "refused" { taken++ }
	$4 != "refused" && $8 == "refused" { strict++ }
	$8 != "refused" && $8 != $4 { print "read otherwise: " $1, $2, $3; bad++ }
	END {
		printf "%d texts, %d taken alike, %d taken by libxml2 only, %d otherwise\n", NR, taken, strict, bad
		exit bad > 0 || taken < 1000
	}'
