#!/bin/sh
# A private nginx on a free loopback port.
#
#   tests/tools/nginx.sh start DIR ROOT [EXTRA]   serves ROOT; prints the port.  EXTRA is put into
#                                                 the server block.  DIR keeps pid, conf and logs:
#                                                 DIR/access.log has "METHOD URI STATUS BYTES PROTOCOL
#                                                 CONNECTION", a connection being a number.
#   tests/tools/nginx.sh log DIR                  prints the log, with all that was answered until now
#   tests/tools/nginx.sh forget DIR               empties it
#   tests/tools/nginx.sh stop DIR
set -eu

nginx=$(PATH=$PATH:/usr/sbin:/sbin command -v nginx) || {
  echo "no program 'nginx'" >&2
  exit 77
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

write_conf() { # DIR ROOT PORT EXTRA
  [ "$(id -u)" != 0 ] || echo "user root;"
  cat <<EOF
daemon on;
worker_processes 1;
pid $1/pid;
error_log $1/error.log;
events { worker_connections 64; }
http {
  log_format short '\$request_method \$uri \$status \$body_bytes_sent \$server_protocol \$connection';
  access_log $1/access.log short;
  client_body_temp_path $1/tmp;
  proxy_temp_path $1/tmp;
  fastcgi_temp_path $1/tmp;
  uwsgi_temp_path $1/tmp;
  scgi_temp_path $1/tmp;
  default_type application/octet-stream;
  server {
    listen 127.0.0.1:$3;
    root $2;
    location = /.settled { access_log off; return 204; }
    $4
  }
}
EOF
}

start() { # DIR ROOT EXTRA; another process may take the free port first, so a few tries
  mkdir -p "$1/tmp"
  for _ in 1 2 3 4 5; do
    port=$(free_port)
    write_conf "$1" "$2" "$port" "$3" >"$1/nginx.conf"
    if "$nginx" -p "$1" -e "$1/error.log" -c "$1/nginx.conf" >/dev/null 2>"$1/start.log"; then
      echo "$port"
      return
    fi
  done
  cat "$1/start.log" >&2
  return 1
}

# A request's line comes after its answer, but before the only worker turns to the next request.
settle() { # DIR; of one that is stopped nothing more is to come
  bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "GET /.settled HTTP/1.0\r\n\r\n" >&3 && read -r _ <&3' \
    "$(sed -n 's/^ *listen 127.0.0.1:\([0-9]*\);$/\1/p' "$1/nginx.conf" | head -n 1)" 2>/dev/null || :
}

log() { # DIR
  settle "$1"
  cat "$1/access.log"
}

forget() { # DIR
  settle "$1"
  : >"$1/access.log"
}

stop() { # DIR
  [ -f "$1/pid" ] || return 0
  pid=$(cat "$1/pid")
  kill -TERM "$pid" 2>/dev/null || return 0
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null || : # it may have ended just now
}

case ${1:-} in
start) start "$2" "$3" "${4:-}" ;;
log) log "$2" ;;
forget) forget "$2" ;;
stop) stop "$2" ;;
*)
  echo "usage: nginx.sh start DIR ROOT [EXTRA] | log DIR | forget DIR | stop DIR" >&2
  exit 2
  ;;
esac
