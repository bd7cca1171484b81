# setup.sh - what ./demo and ./check share: install what is missing, build. Sourced; $TOP is the source tree.

# What the programs need, with the reasons in configure.ac.
PACKAGES_BUILD="build-essential autoconf automake pkg-config libgnutls28-dev nettle-dev libssl-dev libxml2-dev libusb-1.0-0-dev
	libsqlite3-dev libyaml-dev libmicrohttpd-dev libjansson-dev libncurses-dev libqrencode-dev libpng-dev libseccomp-dev libcunit1-dev"
# What the demo needs besides: virtual USB devices, a foreign judge of the certificates.
PACKAGES_DEMO="libumockdev-dev umockdev openssl"
PACKAGES_HSM=softhsm2	# with --hsm: tokens in files
# What the tests need besides: foreign clients and judges, the model checker; a guest with a kernel that has USB gadgets.
PACKAGES_CHECK="$PACKAGES_HSM jq python3-jsonschema systemd dfu-util spin curl libxml2-utils sqlite3 mandoc tmux xz-utils zbar-tools
	gnutls-bin strongswan-pki libstrongswan-standard-plugins libwolfssl-dev libmbedtls-dev sslscan
	qemu-system-x86 busybox-static cpio kmod udev linux-headers-amd64
	cppcheck clang-tidy valgrind gcovr"

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# install_packages NAME... : only those that are missing, so that a second run asks nobody.
install_packages() {
	local missing="" p
	for p in "$@"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $p"
	done
	[ -n "$missing" ] || return 0
	echo "installing:$missing" >&2
	if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
		echo "error: these packages are missing and need root to install:$missing" >&2
		return 1
	fi
	as_root apt-get -qq update >&2 &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >&2
}

# build_tree DIR CONFIGURE-OPTION... : builds out of tree into DIR; quiet unless it fails. Later runs rebuild what changed.
build_tree() {
	local dir=$1 log
	shift
	mkdir -p "$dir" && log=$dir/build.log || return 1
	{
		if [ ! -x "$TOP/configure" ] || [ "$TOP/configure.ac" -nt "$TOP/configure" ]; then
			(cd "$TOP" && mkdir -p m4 build-aux && autoreconf -i)
		fi &&
			if [ ! -f "$dir/Makefile" ] || [ "$TOP/configure" -nt "$dir/config.status" ]; then
				(cd "$dir" && "$TOP/configure" -q "$@")
			fi &&
			make -C "$dir" -j"$(nproc)"
	} >"$log" 2>&1 || {
		tail -n 40 "$log" >&2
		echo "error: the build in $dir failed; the whole log is $log" >&2
		return 1
	}
}
