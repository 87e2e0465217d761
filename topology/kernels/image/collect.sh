# mmdebstrap customize hook, $1 is the new root: lay out what the host needs in /boot/out.
# $EARLY_MODULES: what the initrd must load to reach the disk.
set -eu
out=$1/boot/out
version=$(ls "$1/lib/modules")
mkdir "$out"
cp "$1"/boot/vmlinuz-* "$out/kernel"
cp "$1/bin/busybox" "$out/busybox"
number=10
for module in $EARLY_MODULES; do
    chroot "$1" modprobe --set-version "$version" --show-depends "$module"
done | awk '!seen[$2]++ { print $2 }' | while read -r path; do
    number=$((number + 1))
    cp "$1$path" "$out/$number-${path##*/}"
done
# Without byte code every start of the agent would compile its imports, 18 times slower under emulation.
chroot "$1" python3 -I -S -m compileall -q -j 0 -x 'lib2to3|/test/' "/usr/lib/$(readlink "$1/usr/bin/python3")"
