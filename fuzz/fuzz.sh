#!/bin/sh
# usage: fuzz/fuzz.sh NAME [SECONDS] - builds the harness with clang's libFuzzer in a scratch folder and runs it from the corpus.
# A crash is left as fuzz/crash-*: put it into fuzz/corpus/NAME under a telling name once it is fixed.
set -eu
name=$1
seconds=${2:-60}
cd "$(dirname "$0")/.."
top=$PWD
test -f "$top/fuzz/fuzz_$name.c" || { echo "no harness fuzz/fuzz_$name.c"; exit 2; }
test -x "$top/configure" || { echo "run autoreconf -i first"; exit 2; }
build=$(mktemp -d "${TMPDIR:-/tmp}/handsel-fuzz-XXXXXX")
trap 'rm -rf "$build"' EXIT
cd "$build"
flags="-g -O1 -Wno-include-next-absolute-path -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all"
"$top/configure" -q CC=clang CFLAGS="$flags" LDFLAGS="-fsanitize=address,undefined"
own= folder=lib libraries="libxml-2.0 gnutls nettle hogweed jansson yaml-0.1"
case $name in
allowlist) own=libnode.a libraries="$libraries sqlite3 libmicrohttpd" ;;
ceremony) own=libfactoryca.a libraries="$libraries sqlite3" ;;
enrol) own=libdeviceagent.a folder=device-agent ;;	# before the node's enrol.h
zpl) own=libstation.a libraries="$libraries libqrencode libpng" ;;
dfu | dfu_suffix) own=libstation.a libraries="$libraries libusb-1.0" ;;
esac
make -s libhandsel.a $own
# shellcheck disable=SC2086
clang -std=gnu11 $flags -fsanitize=fuzzer -I. -I"$top/$folder" -I"$top/lib" -I"$top/customer-node" -I"$top/station" -I"$top/factory-ca" -o harness "$top/fuzz/fuzz_$name.c" $own libhandsel.a \
	$(pkg-config --libs $libraries) -lgmp
mkdir found
set -- "$top/fuzz/corpus/$name"
[ "$name" != xml_small ] || set -- "$top/fuzz/corpus/camsg" "$top/fuzz/corpus/documents"
./harness -max_total_time="$seconds" -timeout=5 -max_len=40000 -artifact_prefix="$top/fuzz/" found "$@"
