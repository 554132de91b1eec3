#!/bin/sh
# A private docker-registry (distribution) on a free loopback port.  It takes REGISTRY_... of the environment
# for its configuration, so that it gets none.
#
#   tests/tools/registry.sh start DIR [AUTH]   prints the port.  AUTH is put into its configuration.
#                                              DIR keeps pid, configuration, data and DIR/log, which
#                                              has a line with "METHOD PATH PROTOCOL" STATUS BYTES
#                                              for each request.
#   tests/tools/registry.sh stop DIR
set -eu

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

write_conf() { # DIR PORT AUTH
  cat <<CONF
version: 0.1
log:
  level: error
storage:
  filesystem:
    rootdirectory: $1/data
  redirect:
    disable: true
http:
  addr: 127.0.0.1:$2
$3
CONF
}

answers() { # PORT
  python3 - "$1" <<'PYTHON'
import http.client, sys
connection = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=5)
connection.request('GET', '/v2/')
sys.exit(0 if connection.getresponse().status in (200, 401) else 1)
PYTHON
}

start() { # DIR AUTH; another process may take the free port first, so a few tries
  mkdir -p "$1/data"
  for _ in 1 2 3 4 5; do
    port=$(free_port)
    write_conf "$1" "$port" "$2" >"$1/config.yml"
    env -i PATH="$PATH" HOME="$1" setsid docker-registry serve "$1/config.yml" >"$1/log" 2>&1 &
    pid=$!
    echo "$pid" >"$1/pid"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
      kill -0 "$pid" 2>/dev/null || break
      if answers "$port" 2>/dev/null; then
        echo "$port"
        return
      fi
      sleep 0.1
    done
    stop "$1"
  done
  cat "$1/log" >&2
  return 1
}

# It has nothing to put away, and one that nobody has waited for yet is over, too; in a session of its
# own it is no part of the test then.
stop() { # DIR
  [ -f "$1/pid" ] || return 0
  pid=$(cat "$1/pid")
  kill -KILL "$pid" 2>/dev/null || return 0
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    grep -q ') [RSDT] ' "/proc/$pid/stat" 2>/dev/null || return 0
    sleep 0.1
  done
}

case ${1:-} in
start) start "$2" "${3:-}" ;;
stop) stop "$2" ;;
*)
  echo "usage: registry.sh start DIR [AUTH] | stop DIR" >&2
  exit 2
  ;;
esac
