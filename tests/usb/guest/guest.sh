# guest.sh - a Linux guest with USB of its own, under QEMU without any help of this machine's kernel. Sourced; needs $TOP.
#
#   guest_fetch               Debian's kernel, unpacked, and raw_gadget built for it: $GUEST/kernel, once
#   guest_make DIR INIT FILE... : DIR/initrd, with FILEs (or FILE=PLACE in the guest) and the libraries that they need
#   guest_run DIR WORD...     boots it; WORDs are for INIT, in its command line; its exit status is INIT's, 124 if it never ended
#
# All of it stays under build-test/. Kernel and source come from the Debian archive and are never part of this one.
GUEST=${GUEST:-$TOP/build-test/guest}
GUEST_MODULES="dummy_hcd vhci-hcd libcomposite usb_f_fs"
GUEST_SECONDS=${GUEST_SECONDS:-1800}	# a machine whose processors are shared; a quiet one needs a tenth
. "$TOP/tests/system/setup.sh"

# apt_fetch PACKAGE : its .deb in the current folder.
apt_fetch() {
	apt-get -q download "$1" || { as_root apt-get -qq update && apt-get -q download "$1"; } || {
		echo "cannot fetch $1 from the Debian archive; the guest needs a kernel with USB gadgets" >&2
		return 1
	}
}

guest_fetch() {
	local headers version source kernel=$GUEST/kernel
	[ ! -e "$kernel/complete" ] || return 0
	rm -rf "$kernel" && mkdir -p "$kernel/module" || return 1
	# What is installed by linux-headers-amd64 says which kernel it is.
	headers=$(ls -d /usr/src/linux-headers-*-amd64 | sort -V | tail -n 1)
	version=${headers#/usr/src/linux-headers-}
	source=linux-source-${version%%.*}.$(cut -d. -f2 <<<"$version")
	(
		cd "$kernel" && apt_fetch "linux-image-$version" && apt_fetch "$source" &&
			dpkg -x linux-image-*.deb tree && dpkg -x linux-source-*.deb source &&
			tar -C module --strip-components=5 --occurrence=1 -xf "source/usr/src/$source.tar.xz" \
				"$source/drivers/usb/gadget/legacy/raw_gadget.c" &&
			echo 'obj-m := raw_gadget.o' >module/Makefile &&
			make -s -C "$headers" M="$PWD/module" modules && strip -d module/raw_gadget.ko &&
			depmod -b tree "$version" && guest_kernel "tree/boot/vmlinuz-$version" vmlinux &&
			rm -rf ./*.deb source && echo "$version" >complete
	)
}

# guest_kernel VMLINUZ OUT : the ELF file inside, which starts seconds sooner than one that unpacks itself.
guest_kernel() {
	local at
	at=$(LC_ALL=C grep -obUaP -m1 '\xfd7zXZ\x00' "$1" | head -n 1 | cut -d: -f1)
	tail -c +$((at + 1)) "$1" | xz -dc --single-stream >"$2" 2>/dev/null	# bytes follow the stream
	[ "$(head -c 4 "$2" | tail -c 3)" = ELF ] || cp "$1" "$2"
}

# guest_file ROOT FILE[=PLACE]
guest_file() {
	local root=$1 from=${2%%=*} to=bin/${2##*/} library
	[ "$2" = "$from" ] || to=${2#*=}
	mkdir -p "$root/$(dirname "$to")"
	cp -rL "$from" "$root/$to" || return 1
	[ -f "$from" ] || return 0
	for library in $(ldd "$from" 2>/dev/null | grep -o '/[^ )]*'); do
		[ -e "$root$library" ] && continue
		mkdir -p "$root$(dirname "$library")" && cp -L "$library" "$root$library" || return 1
	done
}

guest_make() {
	local dir=$1 init=$2 root=$1/root kernel=$GUEST/kernel version modules file
	shift 2
	mkdir -p "$GUEST" && (flock 9 && guest_fetch) 9>"$GUEST/lock" || return 1	# two guests begin at the same time
	version=$(cat "$kernel/complete") modules=$root/lib/modules/$version
	rm -rf "$root" && mkdir -p "$root"/{bin,sbin,dev,proc,sys,tmp,run,etc,root,var} "$modules" || return 1
	ln -s /run "$root/var/run"
	cp /bin/busybox "$root/bin/" && ln -s busybox "$root/bin/sh"
	cp "$kernel/tree/lib/modules/$version/modules."{builtin,builtin.modinfo,order} "$modules/"
	for file in $GUEST_MODULES; do
		modprobe -d "$kernel/tree" -S "$version" --show-depends "$file"
	done | awk '$1 == "insmod" { print $2 }' | sort -u | xargs cp -t "$modules" "$kernel/module/raw_gadget.ko" || return 1
	depmod -b "$root" "$version"
	for file in /bin/bash "$@"; do guest_file "$root" "$file" || return 1; done
	cp "$init" "$root/init" && chmod 755 "$root/init"
	(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1) >"$dir/initrd"
	rm -rf "$root"
}

# The guest's clock counts its instructions, 1 ns each, and jumps to the next timer where it has nothing to do. So a timeout in
# it says what the guest did, not how busy this machine is, and a wait costs nothing. That needs one processor at a time.
guest_run() {
	local dir=$1 status=0
	shift
	timeout "$GUEST_SECONDS" qemu-system-x86_64 -accel tcg,thread=single -icount shift=0,sleep=off -rtc clock=vm -cpu max -smp 1 \
		-m 1024 -nodefaults -no-user-config -display none -serial stdio -no-reboot -device isa-debug-exit,iobase=0xf4,iosize=1 \
		-kernel "$GUEST/kernel/vmlinux" -initrd "$dir/initrd" \
		-append "console=ttyS0 quiet panic=-1 no_timer_check nowatchdog rcupdate.rcu_cpu_stall_suppress=1 mitigations=off random.trust_cpu=on tsc=reliable $*" </dev/null || status=$?
	[ $status != 124 ] || return 124
	# isa-debug-exit makes 2n + 1 of the octet; /init writes its status and one, since QEMU's own failures end with 1.
	[ $((status & 1)) = 1 ] && [ $status -ge 3 ] && [ $status -lt 126 ] || {
		echo "the guest ended without a status; QEMU's is $status" >&2
		return 125
	}
	return $(((status >> 1) - 1))
}
