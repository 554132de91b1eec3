#!/bin/bash
# timeout: 120
# Mirrors: who is asked, in which order, and what is said when nobody has it.
. "$(dirname "$0")/../lib.sh"
export PATH=$PATH:/usr/sbin:/sbin no_proxy='*' HOME=$T
need python3 nginx sha256sum
net=$ENVBUILD_TOOLS/net
[ -x "$net" ] || skip_all "the test tool 'net' is not built"

mkdir -p "$T/www/m"
head -c 300000 /dev/urandom >"$T/www/big"
cp "$T/www/big" "$T/www/m/big"
big=$(sha256sum <"$T/www/big" | cut -d' ' -f1)
port=$("$ROOT/tests/tools/nginx.sh" start "$T/nginx" "$T/www") || skip_all "nginx does not start"
defer "'$ROOT/tests/tools/nginx.sh' stop '$T/nginx'"
good=http://127.0.0.1:$port
start_liar "$T/www"
closed=http://127.0.0.1:$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

get() { # get STATUS NAME ARG...
  get_status=$1 get_name=$2
  shift 2
  : >"$T/liar.log"
  "$ROOT/tests/tools/nginx.sh" forget "$T/nginx"
  expect "$get_status" "$get_name" "$net" get -w 20 -r 1 -s 3 -x "$big" "$@"
}
asked() { cut -d' ' -f1,2 "$T/liar.log"; }
from() { cut -d' ' -f1,6 "$T/out"; }
mirrored() { "$ROOT/tests/tools/nginx.sh" log "$T/nginx" | cut -d' ' -f2,3; }

get 0 "an origin that has it" -M "$LIAR=$good/m" "$LIAR/big"
same "is the one that gives it" "$(from)" "200 $LIAR/big"
same "the mirror is not asked" "$(mirrored)" ""

get 0 "an origin that is not there" -M "$closed=$good/m" "$closed/big" "$closed/big?2"
same "its mirror gives it" "$(from | sort -u)" "200 $good/m/big"
says "which is said" "warning: cannot fetch '$closed/big': connection refused; '$good/m/big' is asked instead"
same "once" "$(grep -c warning "$T/err")" 1

get 0 "an origin that stays busy" -M "$LIAR/busy/99=$good/m" "$LIAR"/busy/99/big
same "is asked twice" "$(asked)" "/busy/99/big 503
/busy/99/big 503"
same "before the mirror" "$(mirrored)" "/m/big 200"

start=$(date +%s%N)
get 0 "an origin that asks for a minute" -M "$LIAR/later/9/60=$good/m" "$LIAR/later/9/60/big"
took=$((($(date +%s%N) - start) / 1000000))
if [ "$took" -lt 20000 ]; then ok "does not get it"; else fail "does not get it" "$took ms"; fi

ln "$T/www/big" "$T/www/m/rare"
get 0 "an origin that lacks one file" -j 1 -M "$LIAR=$good/m" "$LIAR/rare" "$LIAR/big"
same "is asked first for others" "$(from)" "200 $good/m/rare
200 $LIAR/big"
if grep -q warning "$T/err"; then fail "without a warning" "$(cat "$T/err")"; else ok "without a warning"; fi

get 0 "another file at the origin" -j 1 -M "$LIAR/other=$good/m" "$LIAR"/other/big?{1,2}
same "is not taken" "$(from | sort -u)" "200 $good/m/big"
same "nor asked for again" "$(asked)" "/other/big?1 200"
says "what was wrong is said" "warning: from '$LIAR/other/big': sha256 is [0-9a-f]+, not $big; '$good/m/big'"
get 0 "wrong at the origin and at the first mirror" \
  -M "$LIAR/other=$LIAR/html" -M "$LIAR/other=$good/m" "$LIAR/other/big"
same "the second has it" "$(from)" "200 $good/m/big"
get 0 "too large at the origin" -m 300000 -M "$LIAR/over=$good/m" "$LIAR/over/big"
same "the mirror has it" "$(from)" "200 $good/m/big"
get 0 "an origin that dies after a third" -M "$LIAR/dies=$good/m" "$LIAR/dies/big"
same "the mirror has it from the beginning" "$(cut -d' ' -f1-3,5 "$T/out")" "200 300000 $big 1"
get 0 "an origin that stalls" -M "$LIAR/stall=$good/m" "$LIAR/stall/big"
same "the mirror has it, too" "$(from)" "200 $good/m/big"
get 0 "an origin that redirects to itself" -M "$LIAR/loop=$good/m" "$LIAR/loop/big"
get 0 "the longest of two" -M "$closed=$closed/x" -M "$closed/a=$good/m" "$closed/a/big"
same "is the one that counts" "$(from)" "200 $good/m/big"
get 4 "a neighbour's mirror" -M "$closed/chan=$good/m" "$closed/channel/big"

get 4 "nobody has it" -M "$closed=$good/none" -M "$closed=$LIAR/busy/99" "$closed/big"
says "all are named" "^cannot fetch '$LIAR/busy/99/big': HTTP 503 service unavailable; cannot fetch '$closed/big': connection refused; cannot fetch '$good/none/big': HTTP 404 not found$"
get 5 "nobody has it, and one has something else" -M "$closed=$LIAR/other" -M "$closed=$good/none" "$closed/big"
says "that comes first" "^from '$LIAR/other/big': sha256 is .*; cannot fetch '$closed/big': .*; cannot fetch '$good/none/big'"
get 0 "a missing file, where allowed" -a -M "$LIAR=$good/m" "$LIAR/nothing"
same "the origin's word is an answer" "$(cut -d' ' -f1 "$T/out") $(mirrored)" "404 "
get 0 "a missing file, and no origin" -a -M "$closed=$good/m" "$closed/nothing"
same "the mirror's word is an answer, too" "$(cut -d' ' -f1 "$T/out") $(mirrored)" "404 /m/nothing 404"
get 0 "a file that the first mirror lacks" -a -M "$closed=$good/none" -M "$closed=$good/m" "$closed/big"
same "comes from the second" "$(from)" "200 $good/m/big"

get 0 "a folder as mirror" -M "$closed=file://$T/www/m" "$closed/big"
get 0 "a folder as mirror, and writers without room" -f -M "$closed=file://$T/www/m" \
  "$good/big" "$closed/big" "$LIAR/flaky/2/big" "file://$T/www/big"
get 0 "also offline" -o -M "$closed=file://$T/www/m" "$closed/big"
get 4 "offline with a mirror on the network" -o -M "$closed=$good/m" "$closed/big"
get 0 "a mirror of a folder" -M "file://$T/none=$good/m" "file://$T/none/big"

secret=${LIAR/http:\/\//http://me:secret@}
get 0 "a mirror with a password" -M "$closed=$secret/auth" "$closed/big"
same "is told without it" "$(grep -c secret "$T/out" "$T/err" | cut -d: -f2 | tr '\n' ' ')" "0 0 "
get 0 "a mirror with a token" -M "$closed=$LIAR/t/tk-secret" "$closed/big"
same "is told without it as well" "$(grep -c secret "$T/out" "$T/err" | cut -d: -f2 | tr '\n' ' ')" "0 0 "
get 4 "the origin's password" -M "$closed=$LIAR/auth" "${closed/http:\/\//http://me:secret@}/big"
says "does not go to a mirror" "cannot fetch '$LIAR/auth/big': HTTP 401"
done_testing
