#!/bin/sh
# Entry point of the runtime image (runtime.Dockerfile): pack, test and leave the archive, by the
# contract of the images that this one replaces.
#
#   /tmp/environment.yml     the environment file
#   /tmp/project             what the test begins in (optional)
#   /tmp/run-test.sh         the test (optional: without it the archive is not tested, which is said)
#   ENVIRONMENT_NAME         its name
#   $HOME/NAME.tar.gz        the result, with NAME.sha256 and NAME.run.json; nothing where it fails
#
# ENVBUILD_TARGET is the target (default: host, the system of this image).  Arguments go to
# `envbuild pack`, whose exit status it is.  ENVBUILD_CACHE may name a folder that is kept.
set -u

here=$(dirname "$0")
name=${ENVIRONMENT_NAME-}
home=${HOME:-/root}
target=${ENVBUILD_TARGET:-host}

say() {
  printf 'envbuild: %s\n' "$*" >&2
}

refuse() {
  say "error: $1"
  [ -z "${2-}" ] || say "$2"
  exit 2
}

[ -n "$name" ] || refuse "ENVIRONMENT_NAME is not set" \
  "usage: podman run --rm -e ENVIRONMENT_NAME=NAME -v FILE:/tmp/environment.yml:ro -v FOLDER:/tmp/project -v SCRIPT:/tmp/run-test.sh:ro -v FOLDER:$home IMAGE [OPTION of envbuild pack]..."
case $name in
  *[!A-Za-z0-9._-]* | [.-]*) refuse "the name '$name' cannot be a file's name" \
    "letters, digits, '.', '_' and '-' can" ;;
esac
# An engine makes a folder where the file to be mounted does not exist.
[ -f /tmp/environment.yml ] || refuse "no environment file at /tmp/environment.yml" \
  "mount it there; if it was, its path outside is wrong"
[ -w "$home/." ] || refuse "cannot write to the home folder '$home'" \
  "mount one there for the result, or set HOME to where one is mounted"

if [ -f /tmp/run-test.sh ]; then
  set -- --test /tmp/run-test.sh "$@"
elif [ -e /tmp/run-test.sh ]; then
  refuse "/tmp/run-test.sh is no file" "the path of the script outside is wrong"
else
  say "warning: no test script at /tmp/run-test.sh: the archive will NOT be tested"
fi
mkdir -p /tmp/project || exit 1
# Without a sandbox, that is, for a target that this system satisfies.
[ "$target" = host ] || set -- --engine none "$@"
if [ -z "${SSL_CERT_FILE-}" ] && [ -f "$here/certificates.crt" ] && [ ! -f /etc/ssl/certs/ca-certificates.crt ] &&
  [ ! -f /etc/pki/tls/certs/ca-bundle.crt ]; then
  export SSL_CERT_FILE="$here/certificates.crt"
fi
# What is mounted as home gets the result and nothing else.
export ENVBUILD_CACHE="${ENVBUILD_CACHE:-/tmp/.envbuild-cache}"

# As process 1 a shell hears no signal that it does not ask for.
pid=
trap '[ -z "$pid" ] || kill -s TERM "$pid" 2>/dev/null' HUP INT TERM
"$here/envbuild" pack /tmp/environment.yml -n "$name" -t "$target" --project /tmp/project \
  -o "$home/$name.tar.gz" "$@" &
pid=$!
wait "$pid"
status=$?
while kill -0 "$pid" 2>/dev/null; do
  wait "$pid"
  status=$?
done

# Root's files in somebody's folder are made that somebody's.
if [ "$(id -u)" = 0 ]; then
  # shellcheck disable=SC2012,SC2046 # of one folder, in the form that POSIX gives
  set -- $(ls -nd "$home/.")
  owner=$3:$4
  for file in "$home/$name".tar.gz "$home/$name".sha256 "$home/$name".run.json "$home/$name".test.log; do
    [ -L "$file" ] || [ ! -f "$file" ] || chown "$owner" "$file" || say "warning: '$file' stays root's"
  done
fi
exit "$status"
