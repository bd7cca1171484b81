# The tarball builds elsewhere, strictly, passes its tests, installs and uninstalls.
set -eu
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$(mktemp -d "${TMPDIR:-/tmp}/handsel-distcheck-XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
"$TOP/configure" -q
make -s distcheck
