# mmdebstrap customize hook, $1 is the new root: leave it as an ext4 file system in /boot/rootfs.
# It runs where ownership is right (as root, or inside mmdebstrap's user namespace), and a plain bind mount hides
# the /proc, /sys and /dev that are mounted on the root meanwhile.
set -eu
rm -rf "$1"/boot/*
image=$1.ext4
view=$1.view
trap 'rm -f "$image"; rmdir "$view" 2>/dev/null || true' EXIT
mkdir "$view"
# "unchanged", as nothing else works in a chroot; so what is mounted may be seen outside and is unmounted again.
unshare --mount --propagation unchanged sh -eu -s "$1" "$view" "$image" <<'INNER'
mount --bind "$1" "$2"
trap 'umount -R "$2"' EXIT
# mmdebstrap copies these from the building machine; a fabric knows no resolver.
: > "$2/etc/resolv.conf"
echo hopcheck > "$2/etc/hostname"
mkdir -p "$2/etc/netns"
# Hidden, not removed: mmdebstrap still needs what it keeps there.
mount -t tmpfs tmpfs "$2/tmp"
for hidden in var/cache/apt var/lib/apt/lists; do mount -t tmpfs -o mode=755 tmpfs "$2/$hidden"; done
kilobytes=$(du -sk "$2" | cut -f1)
truncate -s "$((kilobytes * 106 / 100 + 24 * 1024))K" "$3"
# No journal, no checksums: the guest only reads it, and checksums cost emulated instructions.
mkfs.ext4 -q -F -b 4096 -m 0 -i 8192 -O ^has_journal,^resize_inode,^metadata_csum -L hopcheck -d "$2" "$3"
INNER
mv "$image" "$1/boot/rootfs"
