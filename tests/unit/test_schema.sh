#!/bin/sh
# xmllint, a reader that is not ours, accepts by the schema whatever our writers make, and what our readers must accept.
set -eu
srcdir=${srcdir:-.}
schema="$srcdir/profiles/schema/handsel-ca-1.xsd"
command -v xmllint >/dev/null || { echo "xmllint is missing: install libxml2-utils"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/handsel schema XXXXXX")
trap 'rm -rf "$dir"' EXIT
tests/unit/write_samples "$dir"
test "$(ls "$dir"/*.xml | wc -l)" -eq 11
for f in "$dir"/*.xml "$srcdir"/tests/vectors/xml/good-*.xml; do
	xmllint --noout --nonet --schema "$schema" "$f"
done
# the schema is no empty promise: it refuses what has nothing wrong but one field
for wrong in 's/generation="/generation="0/' 's/reason="lapsed"/reason="because"/' 's/<csr>/<csr colour="red">/' 's/GB-000100/GB 000100/'; do
	sed "$wrong" "$dir/request.xml" >"$dir/wrong.xml"
	cmp -s "$dir/request.xml" "$dir/wrong.xml" && { echo "nothing changed by $wrong"; exit 1; }
	if xmllint --noout --nonet --schema "$schema" "$dir/wrong.xml" 2>/dev/null; then
		echo "accepted after $wrong"
		exit 1
	fi
done
