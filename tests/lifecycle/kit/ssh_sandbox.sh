# In namespaces of its own (network, processes, mounts): sshd, and two users, one and two, who count as two machines.
# Usage: sh ssh_sandbox.sh FOLDER COMMAND…; the command has a HOME whose ssh knows both.
set -e
folder=$1
shift
ip link set dev lo up
mount --make-rprivate /
mount -t tmpfs none /run
mkdir -p -m 755 /run/sshd "$folder/home/.ssh"
for file in passwd shadow; do cp /etc/$file "$folder/$file"; done
ssh-keygen -q -t ed25519 -N '' -f "$folder/home/.ssh/id_ed25519"
ssh-keygen -q -t ed25519 -N '' -f "$folder/host"
echo "[127.0.0.1]:2222 $(cut -d' ' -f1,2 "$folder/host.pub")" >"$folder/home/.ssh/known_hosts"
for name in one two; do
    echo "$name:x:0:0::$folder/$name:/bin/sh" >>"$folder/passwd"
    echo "$name:*:19000:0:99999:7:::" >>"$folder/shadow"
    mkdir -p "$folder/$name/.ssh"
    cp "$folder/home/.ssh/id_ed25519.pub" "$folder/$name/.ssh/authorized_keys"
    printf 'Host %s\n HostName 127.0.0.1\n User %s\n Port 2222\n' $name $name >>"$folder/home/.ssh/config"
done
for file in passwd shadow; do mount --bind "$folder/$file" /etc/$file; done
cat >"$folder/sshd_config" <<CONFIG
Port 2222
ListenAddress 127.0.0.1
HostKey $folder/host
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
StrictModes no
PidFile none
CONFIG
/usr/sbin/sshd -f "$folder/sshd_config" -D -e </dev/null >"$folder/sshd.log" 2>&1 &
HOME=$folder/home "$@"
