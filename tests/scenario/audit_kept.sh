#!/bin/bash
# What an audit keeps of an environment in a folder: a change is seen, whatever was done to hide it; kills,
# and folders that were made to trip it.
# timeout: 100
. "$(dirname "$0")/../lib.sh"
need gcc python3 zstd bzip2
export ENVBUILD_DATA=$T/data ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1 LC_ALL=C.UTF-8
chmod 755 "$T"
cd "$T" || exit 1
tree=$ENVBUILD_TOOLS/audit_tree
PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/tools/audit_trees.py" make "$T/made" || exit 1

# --- what is kept ----------------------------------------------------------------------------
read_now() { # how many files were read
  "$tree" prefix made/conda "$ENVBUILD_CACHE" >now.json 2>now.err || cat now.err
  sed -n 's/.* files, \([0-9]*\) of them read$/\1/p' now.err
}
fresh() { "$tree" prefix made/conda >fresh.json 2>/dev/null; cmp fresh.json now.json; }
local=$(stat -f -c %T .)
case $local in
ext2/ext3 | xfs | btrfs | tmpfs | overlayfs | zfs | f2fs) ;;
*) skip "what is kept" "times on $local are not this machine's" && done_testing && exit ;;
esac
kept() { # kept N NAME: N files are read, and what comes of it is right
  sleep 0.15
  same "$2" "$(read_now)" "$1"
  check "$2: and nothing else differs" fresh
}
sleep 0.15
all=$(read_now)
check "the first time all is read" test "$all" -ge 15
kept 0 "the second time nothing"
kept 0 "nor later"
mk=made/conda/share/tools.mk
touch -r $mk before
sed -i.old 's/app_1/app_2/' $mk && rm $mk.old && touch -r before $mk
kept 1 "a file with another in its place, of the same size and time"
says "is seen" "app_2/_build_env" now.json
sed 's/app_2/app_3/' $mk >text && cat text >$mk && touch -r before $mk
kept 1 "a file that was written to, size and time set back"
says "is seen, too" "app_3/_build_env" now.json
kept 0 "it is kept then"
chmod 755 $mk
kept 1 "a file of another mode"
printf '#!/no/where\n' >made/conda/bin/late
kept 1 "a new file"
says "is there" '"bin/late".*"/no/where"' now.json
rm made/conda/bin/late
kept 0 "a file that went"
check "is not there" sh -c '! grep -q bin/late now.json'
mv made/conda/share/data.txt made/conda/share/moved.txt
kept 1 "a file under another name"
says "is nobody's" '"share/moved.txt","package":""' now.json
mv made/conda/share/moved.txt made/conda/share/data.txt
kept 1 "back at its place"
says "it is the package's again" '"share/data.txt","package":"other-1.0-0"' now.json
sed -i 's/"share\/data.txt"/"share\/else.txt"/g' made/conda/conda-meta/other-1.0-0.json
kept 0 "a record that says otherwise"
says "counts" '"share/data.txt","package":""' now.json
sed -i 's/own==2.0//; s/^Version: 2.0/Version: 3.0/' made/conda/lib/python3.11/site-packages/own-2.0.dist-info/METADATA
kept 1 "what pip says"
says "counts, too" '"dist":"own==3.0"' now.json
kept 0 "it is all kept"
mkdir made/conda/conda-meta/.envbuild-transaction
for _ in 1 2; do
  kept 0 "an environment that is half changed"
  says "it is said each time" "did not come to its end" now.err
done
rmdir made/conda/conda-meta/.envbuild-transaction
cp made/conda/conda-meta/other-1.0-0.json record
echo '{' >made/conda/conda-meta/other-1.0-0.json
for _ in 1 2; do
  sleep 0.15
  read_now >/dev/null
  says "of a record that is none it is said, too" "which packages .* has is not known" now.err
done
cat record >made/conda/conda-meta/other-1.0-0.json
sleep 0.15
read_now >/dev/null
says "when it is one again it counts" '"share/data.txt","package":"",' now.json
kept 0 "and is kept"
touch -d '1 hour' $mk
kept 1 "a file whose time is yet to come"
kept 1 "is never taken for known"
touch -r before $mk
kept 1 "with a time that has passed it is read once more"
kept 0 "and kept"
# Size and time as before, at once.
wrong=0
for i in 1 2 3 4 5 6 7 8 9; do
  printf 'CC = /x%d/_build_env/bin/cc\n' "$i" >$mk && touch -r before $mk
  read_now >/dev/null
  printf 'CC = /y%d/_build_env/bin/cc\n' "$i" >$mk && touch -r before $mk
  read_now >/dev/null
  grep -q "/y$i/_build_env" now.json || wrong=$((wrong + 1))
done
same "a change right after an audit is seen each time" $wrong 0
sleep 0.15
read_now >/dev/null
file=$(echo cache/audit/*/*)
check "there is one file of it" test -f "$file"
damage() { # damage NAME COMMAND...
  cp "$file" whole
  "${@:2}"
  check "$1: all is read" test "$(read_now)" -ge 15
  says "$1: it is said" "damaged: all files of .*made/conda' are read" now.err
  check "$1: and right" fresh
}
damage "a kept file that is cut" truncate -s 1000 "$file"
damage "one with a flipped bit" python3 -c '
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(700); b = f.read(1); f.seek(700); f.write(bytes([b[0] ^ 1]))' "$file"
damage "one of another place" sh -c ''"$tree"' prefix made two >/dev/null 2>&1; cp two/audit/*/* '"$file"
expect 0 "the cache knows of it" "$ENVBUILD" cache info
says "and counts it" "audits +1," "$T/out"
sed -i 's/_build_env/_build_enw/' "$file"
expect 5 "it is verified" "$ENVBUILD" cache verify
says "and thrown away" "audit/.* is damaged and was removed"
touch -d '2 days ago' cache/audit
read_now >/dev/null
touch -d '2 days ago' "$file"
expect 0 "it goes by its age" "$ENVBUILD" cache clean --older 1d
check "it is gone" test ! -e "$file"
chmod 555 cache/audit
for i in 1 2 3 4; do "$tree" prefix made/conda cache >"at$i.json" 2>/dev/null & pids="$pids $!"; done
for pid in $pids; do wait "$pid"; done
"$tree" prefix made/conda >fresh.json 2>/dev/null
check "four at once say the same" sh -c 'for i in 1 2 3 4; do cmp fresh.json at$i.json || exit 1; done'
chmod 755 cache/audit

# --- images ----------------------------------------------------------------------------------
# Of two images that were made alike all that stat tells is the same.
mkdir mnt
image() { # image N TEXT
  mkdir -p "tree$1/conda-meta" "tree$1/bin" && : >"tree$1/conda-meta/history"
  printf '#!%s\n' "$2" >"tree$1/bin/x"
  mksquashfs "tree$1" "$1.sqfs" -quiet -no-progress -noappend -all-time 1000000 -mkfs-time 1000000 >/dev/null
}
if image 1 /no/one && image 2 /no/two && mount -t squashfs -o loop,ro 1.sqfs mnt 2>/dev/null; then
  defer 'umount mnt 2>/dev/null'
  stat -c '%d %i %s %Y %Z' mnt/bin/x >stat.1
  expect 0 "an image" "$tree" prefix mnt cache
  umount mnt && mount -t squashfs -o loop,ro 2.sqfs mnt
  check "another like it at its place" test "$(stat -c '%d %i %s %Y %Z' mnt/bin/x)" = "$(cat stat.1)"
  expect 0 "is read" "$tree" prefix mnt cache
  says "again" '"/no/two"' "$T/out"
  umount mnt
else
  skip "another image at the place of one" "squashfs cannot be mounted here"
fi

# --- a kill ----------------------------------------------------------------------------------
killed() { # killed SIGNAL: runs that are, at several moments
  for wait in 0.005 0.01 0.02 0.03 0.05; do
    "$ENVBUILD" audit made/conda >/dev/null 2>&1 &
    pid=$!
    sleep $wait
    kill "-$1" $pid 2>/dev/null
    wait $pid 2>/dev/null
  done
}
killed TERM
same "runs that were ended leave nothing" "$(find cache/work cache/tmp -mindepth 1 | wc -l)" 0
killed KILL
expect 7 "after runs that were killed" "$ENVBUILD" audit made/conda
check "what was kept is whole" "$ENVBUILD" cache verify -q

# --- hostile ---------------------------------------------------------------------------------
bad=$T/bad
mkdir -p "$bad/conda-meta" "$bad/bin" "$bad/loop" "$bad/shut"
: >"$bad/conda-meta/history"
ln -s . "$bad/loop/again" && ln -s two "$bad/one" && ln -s one "$bad/two" && ln -s / "$bad/root"
mkfifo "$bad/bin/fifo"
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind("bad/bin/socket")'
truncate -s 6G "$bad/sparse"
printf '\177ELF\2\1\1' >"$bad/short" && truncate -s 5G "$bad/short"
printf '#!%01000d' 0 >"$bad/bin/long" && printf '#!' >"$bad/bin/empty" && : >"$bad/bin/nothing"
printf '#!/bin/sh\n' >"$bad/bin/two
lines" && chmod 755 "$bad"/bin/[let]*
printf 'x' >"$bad/shut/inside" && printf 'x' >"$bad/unread"
python3 - "$bad" <<'PY'
import os, sys
os.chdir(sys.argv[1])
for _ in range(700):
    os.mkdir("deeper")
    os.chdir("deeper")
with open("end", "w") as f:
    f.write("x")
PY
expect 0 "loops, fifos, sockets, large and odd files" "$tree" prefix "$bad"
python3 - "$T/out" >got <<'PY'
import json, sys
with open(sys.argv[1], "rb") as f:
    tree = {x["path"]: x for x in json.loads(f.read().decode("utf-8", "replace"))["files"]}
print(len(tree["bin/long"]["interpreter"]), tree["bin/two\nlines"]["interpreter"], tree["bin/empty"]["interpreter"],
      tree["loop/again"]["link"], tree["root"]["link"], "bin/fifo" in tree, "bin/socket" in tree,
      "elf" in tree["short"], sum(p.endswith("/end") for p in tree))
PY
same "are looked at, or passed over" "$(cat got)" "254 /bin/sh  . / False False True 0"
says "too deep a folder is named" "the folder '.*deeper.*' is not audited"
expect 0 "the command goes through" "$ENVBUILD" audit -q "$bad"
chmod 000 "$bad/shut" "$bad/unread"
as_user() { "$@"; }
if [ "$(id -u)" = 0 ]; then
  as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
  as_user test -x "$tree" || as_user() { false; }
fi
if as_user true; then
  mkdir own-cache && chmod 777 own-cache
  expect 0 "an ordinary user" as_user "$tree" prefix "$bad" own-cache
  says "hears which folder cannot be read" "the folder '.*bad/shut' is not audited: Permission denied"
  says "and which file" "'.*bad/unread' is not audited: Permission denied"
  chmod 744 "$bad/loop"
  expect 0 "and the audit goes through" as_user env ENVBUILD_CACHE="$T/own-cache" "$ENVBUILD" audit --json -t rhel7 "$bad"
  chmod 755 "$bad/loop"
  same "but is not clean" "$(python3 -c 'import json, sys
print(*(f["level"] + ":" + f["path"] for f in json.load(sys.stdin)["findings"] if f["rule"] == "not-audited"
        and "deeper" not in f["path"]))' <out)" "warning:loop warning:shut warning:unread"
  as_user env ENVBUILD_CACHE="$T/own-cache" "$ENVBUILD" audit -q --report own-cache/seen.html -t rhel7 "$bad" >/dev/null
  says "nor does the page say so" "Nothing that could be read stands against" own-cache/seen.html
  chmod 700 "$bad/conda-meta"
  expect 0 "without records" as_user "$tree" prefix "$bad" own-cache
  says "owners are not known" "which packages '.*bad' has is not known"
  chmod 755 "$bad/conda-meta"
else
  skip "an ordinary user" "no other user can run this"
fi
chmod 755 "$bad/shut" "$bad/unread"
# A large file that is cut while it is looked at.
mkdir cut
(while [ ! -e cut/stop ]; do
  head -c 8192 "$ENVBUILD" >cut/large && truncate -s 64M cut/large && sleep 0.01 && truncate -s 4096 cut/large && sleep 0.003
done) &
writer=$!
lost=0
for _ in $(seq 40); do "$tree" prefix cut >/dev/null 2>"$T/err" || lost=$((lost + 1)); done
: >cut/stop
wait $writer
same "a large file that is cut meanwhile ends nothing" $lost 0
# Files that come and go meanwhile.
(while [ ! -e stop ]; do for i in 1 2 3 4 5 6 7 8; do echo x >"$bad/bin/f$i"; mkdir -p "$bad/d$i"; done
  rm -rf "$bad"/bin/f? "$bad"/d?; done) &
writer=$!
lost=0
for _ in 1 2 3 4 5 6 7 8; do "$tree" prefix "$bad" >/dev/null 2>>"$T/err" || lost=$((lost + 1)); done
: >stop
wait $writer
same "what comes and goes meanwhile is no error" $lost 0
check "nor is it told" sh -c '! grep -q "bin/f\|/d[1-8]" err'
done_testing
