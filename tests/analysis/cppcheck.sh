# cppcheck.sh - cppcheck over lib/ and every program: no finding but those below, with their reasons.
set -u
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
BUILD=${BUILD:-$TOP/build}
cd "$TOP" || exit 1

options=(
	--suppress=varFuncNullUB	# NULL ends an argument list: it is a pointer on every system with POSIX
	--suppress=internalAstError	# version 2.10 cannot read &(struct x){ ... } with a member within
	--suppress=unknownMacro		# the X-macro of lib/reason.def
)
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -j "$(nproc)" \
	"${options[@]}" -DHAVE_CONFIG_H "-I$BUILD" -Ilib lib factory-ca customer-node device-agent station || exit 1
echo "cppcheck: no findings"
