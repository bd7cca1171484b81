#!/bin/sh
# Each harness gets its own corpus; the readers of XML the hostile vectors, too.
set -eu
srcdir=${srcdir:-.}
log=$(mktemp "${TMPDIR:-/tmp}/handsel replay XXXXXX")
trap 'rm -f "$log"' EXIT
for name in camsg documents xml_small x509 conf devmsg httpc allowlist envelope dfu dfu_suffix crl record audit zpl ocsp ceremony enrol; do
	set -- "$srcdir/fuzz/corpus/$name"
	case $name in
	camsg | documents) set -- "$@" "$srcdir/tests/vectors/xml" ;;
	xml_small) set -- "$srcdir/fuzz/corpus/camsg" "$srcdir/fuzz/corpus/documents" "$srcdir/tests/vectors/xml" ;;
	conf) set -- "$@" "$srcdir/profiles" ;;
	esac
	if ! fuzz/replay_$name "$@" 2>"$log" >"$log.out"; then
		echo "$name failed:"
		tail -n 30 "$log"
		rm -f "$log.out"
		exit 1
	fi
	echo "$name: $(cat "$log.out")"
	rm -f "$log.out"
done
