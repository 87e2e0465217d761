# In namespaces of its own (network, processes, mounts): munged, slurmctld and slurmd, one node with two processors.
# Usage: sh slurm_sandbox.sh FOLDER COMMAND…
set -e
folder=$1
shift
ip link set dev lo up
ip addr add 10.99.0.1/32 dev lo # without any address but 127.0.0.1 getaddrinfo(3) finds none to listen to
mount --make-rprivate /
for place in /run /etc/munge /var/log/munge /var/lib/munge; do mount -t tmpfs none $place; done
mkdir -p -m 755 /run/munge "$folder/state" "$folder/spool"
chmod 700 /etc/munge /var/log/munge /var/lib/munge
head -c 1024 /dev/urandom >/etc/munge/munge.key
chmod 400 /etc/munge/munge.key
node=$(hostname -s)
export SLURM_CONF="$folder/slurm.conf"
cat >"$SLURM_CONF" <<CONFIG
ClusterName=sandbox
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
ReturnToService=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000
PartitionName=main Nodes=$node Default=YES MaxTime=INFINITE State=UP
CONFIG
munged --foreground --force </dev/null >"$folder/munged.log" 2>&1 &
until [ -S /run/munge/munge.socket.2 ]; do sleep 0.1; done
slurmctld -D </dev/null >"$folder/slurmctld.log" 2>&1 &
slurmd -D </dev/null >"$folder/slurmd.log" 2>&1 &
until timeout 5 sinfo --noheader --format=%t 2>/dev/null | grep -q idle; do sleep 0.5; done
"$@"
