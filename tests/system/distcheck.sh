# The tarball builds elsewhere, passes its tests, installs and uninstalls. Neither optimised nor strict, since the other builds are both,
# and gcc without optimisation warns of more than there is.
set -eu
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$(mktemp -d "${TMPDIR:-/tmp}/handsel-distcheck-XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
"$TOP/configure" -q
make -s distcheck AM_DISTCHECK_CONFIGURE_FLAGS= DISTCHECK_CONFIGURE_FLAGS="CFLAGS=-O0\ -w"
