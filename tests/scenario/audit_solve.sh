#!/bin/bash
# The solver that learns: what the audit finds of a build is held against it, and the environment is
# solved again, until it loads on the target or nothing is left.
# timeout: 120
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/tools/elf_channel.sh"
rhel7_project

library libdemo.so.1 'size_t work(void) { return strlen(""); }'
library libdemo.so.1.new 'int work(void) { return renameat2(-1, "", -1, "", 0) + 1; }'
library liblib.so.1.new 'int lib(void) { return renameat2(-1, "", -1, "", 0); }'
library liblib.so.1 'int lib(void) { return (int)strlen("a"); }'
program demo 'extern int work(void); int run(void) { return work(); }' "$T/libdemo.so.1" -Wl,-rpath,'$ORIGIN/../lib'
packages <<'LIST'
demo 2.0 0 [] lib/libdemo.so.1=libdemo.so.1.new bin/demo=demo
demo 1.0 0 [] lib/libdemo.so.1=libdemo.so.1 bin/demo=demo
only 2.0 0 [] lib/libonly.so.1=libdemo.so.1.new
chain 2.0 0 [lib_2.*] lib/libchain.so=libdemo.so.1
chain 1.0 0 [lib_1.*] lib/libchain.so=libdemo.so.1
lib 2.0 0 [] lib/liblib.so.1=liblib.so.1.new
lib 1.0 0 [] lib/liblib.so.1=liblib.so.1
many 4.0 0 [] lib/libmany.so=libdemo.so.1.new
many 3.0 0 [] lib/libmany.so=libdemo.so.1.new
many 2.0 h_1 [] lib/libmany.so=libdemo.so.1.new
many 2.0 h_0 [] lib/libmany.so=libdemo.so.1
fine 1.0 0 []
LIST
echo '"$CONDA_PREFIX/bin/demo"' >run-test.sh

# ask STATUS NAME DEPENDENCIES COMMAND OPTION...: with a lock of before where there is one
ask() {
  printf 'name: ask\nchannels: [file://%s]\ndependencies: [%s]\n' "$T/channel" "$3" >environment.yml
  expect "$1" "$2" "$ENVBUILD" "${@:4}"
}
anew() { # the same without
  rm -f envbuild.lock ask.*
  ask "$@"
}
locked() { grep -oE '[a-z]+-[0-9.]+-[a-z0-9_]+\.conda' envbuild.lock | sort -u | tr '\n' ' '; }
rounds() { # what the rounds in JSON on stdout say, one a line
  python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
d = d.get("targets", [d])[0]
for r in d["audit"]["rounds"]:
    print(" ".join("%s-%s-%s:%s:%s" % (x["name"], x["version"], x["build"], x["needs"], x["learned"]) for x in r["rejected"]),
          "|", " ".join("%s:%s>%s" % (c["name"], c["from"], c["to"]) for c in r["changes"]))' "$T/out"
}

# --- pack ----------------------------------------------------------------------------------------
anew 0 "a package that needs GLIBC_2.28 without saying so, with an older build beside it" demo \
  pack -t rhel7 --test run-test.sh
says "what was found is one line" "^envbuild: audit: demo-2.0-0 cannot load on rhel7: 'lib/libdemo.so.1' needs GLIBC_2.28 of libc.so.6, hosts have GLIBC_2.17$"
says "what came of it another" "^envbuild: audit: solved again without it: demo 2.0-0 -> 1.0-0$"
same "and that is all" "$(grep -c 'cannot load\|solved again' "$T/err")" 2
same "the lock has the older build" "$(locked)" "demo-1.0-0.conda "
check "the archive is there, and was tested in the target's root" grep -q '"tested": true' ask.run.json
check "its papers tell of the round" python3 -c '
import json
[r] = json.load(open("ask.run.json"))["audit"]["rounds"]
assert r["rejected"][0]["needs"] == "GLIBC_2.28" and r["changes"][0]["to"] == "1.0-0", r'
expect 0 "the lock is current" "$ENVBUILD" lock --check -t rhel7
cp envbuild.lock "$T/learned.lock"
cpu=$( (TIMEFORMAT='%U %S' && time "$ENVBUILD" pack -t rhel7 --test run-test.sh 2>"$T/err") 2>&1 |
  awk '{ print int(($1 + $2) * 1000) }')
says "once more it is unchanged" "unchanged: ask.tar.gz"
check "in a tenth of a second, without an audit ($cpu ms)" test "$cpu" -lt 100
check "(that is so)" test "$(grep -cE '^(envbuild:| ) +audit' "$T/err")" = 0
ask 0 "from the lock, all the same" demo pack -t rhel7 --no-test --force
same "it is audited before it is built, and nothing is solved" "$(grep -cE '^  (audit|solve) ' "$T/err")" 1
anew 0 "the older glibc of the archive is new enough elsewhere" demo pack -t host --no-test
same "where nothing is learned" "$(locked)" "demo-2.0-0.conda "
anew 0 "as JSON" demo pack -t rhel7 --no-test --json
same "the rounds are told" "$(rounds)" \
  "demo-2.0-0:GLIBC_2.28:__glibc >=2.28 | demo:2.0-0>1.0-0"

# --- nothing is left -----------------------------------------------------------------------------
anew 7 "with no older build" only pack -t rhel7 --no-test
says "package and symbol version are named" "error: 'lib/libonly.so.1' of package 'only-2.0-0' needs GLIBC_2.28 of libc.so.6"
says "the solver's reason" "environment.yml:3: only 2.0 build 0 needs __glibc >=2.28 \(found by the audit: its lib/libonly.so.1 needs GLIBC_2.28 of libc.so.6\), the target rhel7 has 2.17"
says "and the nearest target" "the nearest target it would run on is rocky8 \(glibc 2.28\)"
check "there is neither a lock nor an archive" test ! -e envbuild.lock -a ! -e ask.tar.gz
anew 7 "with a report" only pack -t rhel7 --no-test --report "$T/report.json"
check "it is of what could not load" grep -q GLIBC_2.28 "$T/report.json"
mkdir targets
sed -e 's/name: rocky8/name: nearer/' -e 's/__glibc=2.28/__glibc=2.27/' "$ROOT/images/targets/rocky8.yml" >targets/nearer.yml
sed 's/name: rocky8/name: ours/' "$ROOT/images/targets/rocky8.yml" >targets/ours.yml
sed -e 's/name: rhel7/name: empty/' -e 's/__glibc=2.17/__glibc=2.28/' "$ROOT/images/targets/rhel7.yml" >targets/empty.yml
anew 7 "of the project's targets, too" only pack -t rhel7 --no-test
says "the one that has what is needed, not one that only says so" "the nearest target it would run on is ours \(glibc 2.28\)"
rm -r targets
anew 7 "what no target has" "only, fine" pack -t rhel7 --no-test --json
check "as JSON, with the remedy" python3 -c '
import json, sys
u = json.load(open(sys.argv[1]))["unsat"]
assert u["remedy"] == {"virtual_package": "__glibc", "from": "2.17", "to": "2.28"}, u' "$T/out"

# --- chains, several rounds ----------------------------------------------------------------------
anew 0 "an older dependency brings an older dependent" chain pack -t rhel7 --no-test
same "both" "$(locked)" "chain-1.0-0.conda lib-1.0-0.conda "
says "in one round" "solved again without it: lib 2.0-0 -> 1.0-0, chain 2.0-0 -> 1.0-0$"
rm -r "$T/cache"
anew 0 "build after build" "many, demo" pack -t rhel7 --no-test --json
same "in three rounds, of which the first rules out two packages" "$(rounds)" \
  "demo-2.0-0:GLIBC_2.28:__glibc >=2.28 many-4.0-0:GLIBC_2.28:__glibc >=2.28 | demo:2.0-0>1.0-0 many:4.0-0>3.0-0
many-3.0-0:GLIBC_2.28:__glibc >=2.28 | many:3.0-0>2.0-h_1
many-2.0-h_1:GLIBC_2.28:__glibc >=2.28 | many:2.0-h_1>2.0-h_0"
anew 0 "what is known of other builds counts at once" "many" pack -t rhel7 --no-test
says "in two lines" "solved again without it and 2 other builds whose facts are known: many 4.0-0 -> 2.0-h_0$"
same "which is one round" "$(grep -c 'solved again' "$T/err")" 1

tried() { find "$T/cache/pkgs" -name libmany.so | wc -l; }
same "(the cache has what was tried)" "$(tried)" 4
rm -r "$T/cache"
anew 0 "with --low-disk" "many" pack -t rhel7 --no-test --low-disk
same "what was tried leaves the cache as well as what was taken" "$(tried)" 0

# --- what is not solved again ---------------------------------------------------------------------
anew 7 "--no-audit-solve: what cannot load is an error at once" demo pack -t rhel7 --no-test --no-audit-solve
says "which names it" "error: 'lib/libdemo.so.1' of package 'demo-2.0-0' needs GLIBC_2.28"
check "before anything is built" test "$(grep -c '^  link' "$T/err")" = 0
anew 7 "so does lock" demo lock -t rhel7 --no-audit-solve
check "which writes nothing" test ! -e envbuild.lock
anew 7 "and pack without an image" demo pack -t rhel6 --no-test --no-audit-solve
ask 2 "both options at once" demo pack -t rhel7 --audit-solve --no-audit-solve
says "are a mistake" "exclude each other"
ENVBUILD_DATA=$T/none anew 0 "a lock whose packages cannot load" demo lock -t rhel7
same "(it has the newest)" "$(locked)" "demo-2.0-0.conda "
cp envbuild.lock "$T/bad.lock"
ask 7 "under --locked" demo pack -t rhel7 --no-test --locked
check "is not touched" cmp envbuild.lock "$T/bad.lock"
expect 7 "as the input" "$ENVBUILD" pack "$T/bad.lock" -n ask -t rhel7 --no-test -o "$T/x.tar.gz"
ask 0 "else" demo pack -t rhel7 --no-test
says "is solved anew, with a note" "solving anew for rhel7: packages of the lock cannot load there"
check "and gives the lock that was learned" cmp envbuild.lock "$T/learned.lock"
anew 0 "what is left out of the archive cannot stand in its way" demo pack -t rhel7 --no-test --exclude lib --exclude bin
same "the newest stays" "$(locked)" "demo-2.0-0.conda "

# --- lock ----------------------------------------------------------------------------------------
anew 0 "lock, where the target's image is at hand" demo lock -t rhel7 --json
same "learns too" "$(rounds)" "demo-2.0-0:GLIBC_2.28:__glibc >=2.28 | demo:2.0-0>1.0-0"
check "and writes what pack writes" cmp envbuild.lock "$T/learned.lock"
anew 0 "lock with an older one" "demo <2, fine" lock -t rhel7
ask 0 "lock --update" "demo, fine" lock -t rhel7 --update demo
same "learns too" "$(locked)" "demo-1.0-0.conda fine-1.0-0.conda "
says "(it tried)" "demo-2.0-0 cannot load on rhel7"
anew 7 "lock, where nothing is left" only lock -t rhel7
check "writes nothing" test ! -e envbuild.lock
rm -rf "$T/cache"
anew 0 "lock without an image" demo lock -t rocky9 -t rhel6
same "fetches no packages" "$(find "$T/cache/pkgs" -name '*.conda' -o -name paths.json 2>/dev/null | wc -l)" 0
check "and says nothing of an audit" test "$(grep -cE '^(envbuild:| ) +audit' "$T/err")" = 0
anew 0 "with --audit-solve" demo lock -t rhel6 --audit-solve
same "goes by the profile's list" "$(locked)" "demo-1.0-0.conda "
anew 2 "pack without an image" demo pack -t rhel6 --no-test
same "too" "$(locked)" "demo-1.0-0.conda "
rm -rf "$T/cache"
anew 0 "lock, offline, where packages would have to be fetched" fine lock -t rhel7 --offline
says "says that there was no audit" "audit: not made for rhel7: 1 packages are not in the cache"
done_testing
