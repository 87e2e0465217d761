# The container engine of the student's machine, started inside it as on a real one. containerd comes first: dockerd
# gives its own 15 s to answer, which is too little on a busy machine under emulation.
mkdir -p /run/containerd /etc/docker
cat > /run/containerd/config.toml <<'CONFIG'
version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]
CONFIG
# crun does what runc does in a tenth of the instructions.
cat > /etc/docker/daemon.json <<'CONFIG'
{"default-runtime": "crun", "runtimes": {"crun": {"path": "/usr/bin/crun"}}, "storage-driver": "overlay2",
 "containerd": "/run/containerd/containerd.sock"}
CONFIG
# Emulated and busy, a container may take longer to start than the 60 s that Docker's SDK for Python waits.
sdk=/usr/lib/python3/dist-packages/docker/constants.py
sed -i 's/^DEFAULT_TIMEOUT_SECONDS = 60$/DEFAULT_TIMEOUT_SECONDS = 600/' "$sdk" && python3 -m py_compile "$sdk"
containerd --config /run/containerd/config.toml >/var/log/containerd.log 2>&1 &
while ! [ -S /run/containerd/containerd.sock ]; do sleep 0.2; done
exec dockerd >/var/log/dockerd.log 2>&1
