# shellcheck shell=sh
# Sourced: containers_in DIR makes buildah, podman and skopeo keep everything below DIR, and work where
# cgroups are hybrid and CAP_SYS_RESOURCE is missing, without a mount (vfs, chroot).

containers_in() {
  mkdir -p "$1/run"
  cat >"$1/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "$1/run/libpod"
CONF
  cat >"$1/storage.conf" <<CONF
[storage]
driver = "vfs"
runroot = "$1/run"
graphroot = "$1/storage"
CONF
  cat >"$1/policy.json" <<CONF
{"default": [{"type": "insecureAcceptAnything"}]}
CONF
  cat >"$1/registries.conf" <<CONF
unqualified-search-registries = []
CONF
  export CONTAINERS_CONF="$1/containers.conf" CONTAINERS_STORAGE_CONF="$1/storage.conf"
  export CONTAINERS_REGISTRIES_CONF="$1/registries.conf"
  export BUILDAH_ISOLATION=chroot XDG_RUNTIME_DIR="$1/run"
}
