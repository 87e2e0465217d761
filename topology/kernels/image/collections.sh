# mmdebstrap customize hook, $1 is the new root: of the collections in Debian's package ansible, 250 MB, the few that
# build fabrics, and settings that save work under emulation.
set -eu
place=usr/lib/python3/dist-packages/ansible_collections
(
    cd "$1/var/cache/apt"
    APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -q -o APT::Sandbox::User=root download ansible
    dpkg-deb --fsys-tarfile ansible_*.deb | tar -x -C "$1" "./$place/community/docker" "./$place/ansible/posix"
    rm ansible_*.deb
)
chroot "$1" python3 -m compileall -q -j 0 -x '/tests/' "/$place"
mkdir -p "$1/etc/ansible"
cat > "$1/etc/ansible/ansible.cfg" <<'SETTINGS'
[defaults]
interpreter_python = /usr/bin/python3
localhost_warning = False
retry_files_enabled = False
[connection]
pipelining = True
SETTINGS
