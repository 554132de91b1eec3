# shellcheck shell=bash
# podman and dockerd for a test, private to it; sourced after tests/lib.sh.
#
#   start_podman        sets CONTAINERS_CONF and CONTAINERS_STORAGE_CONF; says ok, fail or skip
#   start_docker        starts dockerd and containerd, sets DOCKER_HOST; the same
#   as_user CMD...      as an ordinary user (id $user) whose home is $T/user, with a podman of its own
#   engines_left        what they have left behind: containers, volumes, mounts; empty is good
#
# Whether each may be missing is decided here: on Debian 12, as root, neither may.
# Everything lies in $engines, and goes when the script ends.

user=65432
engines=$T/e
podman=
docker=

must_run() {
  [ "$(id -u)" = 0 ] && grep -q '^VERSION_ID="12"' /etc/os-release && grep -q '^ID=debian' /etc/os-release
}

# absent NAME REASON: no engine here
absent() {
  if must_run; then
    fail "$1 works" "$2"
  else
    skip "$1" "$2"
  fi
}

as_user() {
  setpriv --reuid $user --regid $user --clear-groups env HOME="$T/user" TMPDIR="$T/user/tmp" \
    XDG_RUNTIME_DIR="$short/$user/x" CONTAINERS_CONF="$T/user/containers.conf" \
    CONTAINERS_STORAGE_CONF="$T/user/storage.conf" ENVBUILD_CACHE="$T/user/cache" "$@"
}

# In a folder of an overlay, or of the network, no overlay can be made: then in memory.
engines_folder() {
  mkdir "$engines" "$engines/low" "$engines/up" "$engines/work" "$engines/at"
  if mount -t overlay -o "lowerdir=$engines/low,upperdir=$engines/up,workdir=$engines/work" overlay \
    "$engines/at" 2>/dev/null; then
    umount "$engines/at"
    return
  fi
  mount -t tmpfs -o mode=755 tmpfs "$engines" && defer "umount -l '$engines'"
}

# Where cgroups are hybrid and CAP_SYS_RESOURCE is missing, what podman takes for granted fails.
# Paths of more than 50 characters make podman wait 10 s for sockets that cannot be.
podman_files() { # DIR OWNER
  mkdir -p "$1" "$short/$2"
  chown "$2" "$short/$2"
  {
    printf '[containers]\n'
    [ "$2" != root ] || printf 'default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n'
    printf '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    # Locks in shared memory would be those of every podman of this machine: one waits for another.
    printf 'lock_type = "file"\ntmp_dir = "%s"\n' "$short/$2/libpod"
  } >"$1/containers.conf"
  printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$1/graph" "$short/$2/run" \
    >"$1/storage.conf"
  [ "$2" = root ] || printf 'rootless_storage_path = "%s"\n' "$1/graph" >>"$1/storage.conf"
}

engines_unmount() {
  for _ in 1 2 3; do
    sed -n "s,^[^ ]* \($1[^ ]*\) .*,\1,p" /proc/mounts | sort -r | while read -r at; do
      umount "$at" 2>/dev/null || umount -l "$at" 2>/dev/null
    done
  done
}

start_podman() {
  command -v podman >/dev/null || {
    absent podman "no program 'podman' (Debian package podman)"
    return 1
  }
  podman_files "$engines/podman" root
  export CONTAINERS_CONF=$engines/podman/containers.conf
  export CONTAINERS_STORAGE_CONF=$engines/podman/storage.conf
  defer "engines_unmount '$engines/podman'"
  podman info >"$T/podman.info" 2>&1 || {
    absent podman "$(tail -n 3 "$T/podman.info")"
    return 1
  }
  podman=podman
}

stop_docker() {
  kill "$docker_pid" 2>/dev/null
  wait "$docker_pid" 2>/dev/null
  engines_unmount "$engines/docker"
}

start_docker() {
  command -v dockerd >/dev/null || {
    absent docker "no program 'dockerd' (Debian package docker.io)"
    return 1
  }
  mkdir "$engines/docker"
  export DOCKER_HOST=unix://$engines/docker/socket
  # A session of its own: what it starts must not be taken for the test's.  It ends with the script.
  TMPDIR=$engines/docker setsid setpriv --pdeathsig TERM dockerd --data-root "$engines/docker/data" --exec-root "$engines/docker/exec" \
    --pidfile "$engines/docker/pid" --host "$DOCKER_HOST" --iptables=false --bridge=none \
    --storage-driver overlay2 >"$T/dockerd.log" 2>&1 </dev/null &
  docker_pid=$!
  defer stop_docker
  until docker version >/dev/null 2>&1; do # the runner's limit ends this
    kill -0 $docker_pid 2>/dev/null || {
      absent docker "$(tail -n 5 "$T/dockerd.log")"
      return 1
    }
    sleep 0.1
  done
  docker=docker
}

# What takes a moment to go is given that.
engines_left() {
  for _ in $(seq 50); do
    left=$([ -z "$podman" ] || podman ps --all --quiet
      [ -z "$docker" ] || docker ps --all --quiet
      [ -z "$docker" ] || docker volume ls --quiet
      grep -E "$engines/[^ ]*(merged|overlay-containers)" /proc/mounts)
    [ -n "$left" ] || return
    sleep 0.1
  done
  echo "$left"
}

short=$(mktemp -d /tmp/eb.XXXXXX)
chmod 755 "$short"
defer "engines_unmount '$short'; rm -rf '$short'"
if [ "$(id -u)" = 0 ]; then
  chmod 755 "$T"
  engines_folder
  podman_files "$T/user" "$user"
  mkdir "$T/user/tmp" "$T/user/cache"
  mkdir -m 700 "$short/$user/x" # podman takes no other
  chown -R $user:$user "$T/user" "$short/$user"
  defer "engines_unmount '$T/user'"
fi
