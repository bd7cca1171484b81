# clang-tidy.sh - the checks of .clang-tidy over lib/ and every program: no finding. Takes the flags from a build.
set -u
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
BUILD=${BUILD:-$TOP/build}
cd "$TOP" || exit 1

tidy() {
	# one process a file: the va_list checker of clang 14 believes only the first file of a process
	clang-tidy --quiet "$1" -- -std=gnu11 -DHAVE_CONFIG_H "-I$BUILD" -Ilib '-DHANDSEL_DATADIR=""' '-DHANDSEL_STATEDIR=""' \
		$(pkg-config --cflags gnutls libxml-2.0 libusb-1.0) 2>/dev/null || echo "FAILED $1"
}
export -f tidy
export BUILD

out=$(printf '%s\n' lib/*.c factory-ca/*.c customer-node/*.c device-agent/*.c station/*.c | xargs -P "$(nproc)" -I FILE bash -c 'tidy FILE')
[ -z "$out" ] || { printf '%s\n' "$out"; exit 1; }
echo "clang-tidy: no findings"
