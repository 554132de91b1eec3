#!/bin/bash
# envbuild why: in the solution, possible, impossible, a virtual package; for several targets, in
# words and as JSON; and what exit 3 says, as JSON, of commands that solve.
. "$(dirname "$0")/../lib.sh"
export no_proxy='*' HOME=$T ENVBUILD_NO_FSYNC=1 ENVBUILD_CACHE=$T/cache
need python3
unset ENVBUILD_CACHE_LOWER
cd "$T" || exit 1
field() { python3 -c "import json,sys; d=json.load(open('$T/out')); print($1)"; }
why() { "$ENVBUILD" why "$@"; }

mkdir -p channel/linux-64
python3 - <<'EOF'
import json
records = {}
def add(name, version, *depends, constrains=(), day=0):
    records['%s-%s-0.conda' % (name, version)] = {
        'name': name, 'version': version, 'build': '0', 'build_number': 0, 'subdir': 'linux-64',
        'depends': list(depends), 'constrains': list(constrains), 'size': 1,
        'timestamp': (1700000000 + 86400 * day) * 1000, 'sha256': '0' * 64}
add('python', '3.9.1', 'lib')
add('python', '3.12.1', 'lib >=2', '__glibc >=2.17')
add('pip', '24.0', 'python')
add('numpy', '1.26', 'python', 'lib', day=1)
add('numpy', '2.1', 'python >=3.12', 'lib >=2', '__glibc >=2.28,<3.0.a0', day=2)
add('pandas', '2.0', 'numpy <2', 'python')
add('app', '1.0', 'pandas', 'lib <2', '__glibc >=2.12')
add('lib', '1.5')
add('lib', '2.5')
add('extra', '1.0', 'lib >=2', 'more')
add('more', '1.0')
for i in range(12):
    add('user%02d' % i, '1.0', 'more')
add('meta', '1.0', *['user%02d' % i for i in range(12)])
add('torch', '2.0', '__cuda >=12', 'python')
add('torch', '1.0', '__cuda >=11.8', 'python')
with open('channel/linux-64/repodata.json', 'w') as f:
    json.dump({'info': {'subdir': 'linux-64'}, 'packages': {}, 'packages.conda': records}, f)
EOF
target() {
  printf 'name: %s\nsubdir: linux-64\nvirtual-packages: [__glibc=%s, __linux=3.10, __unix=0=0]\n' "$1" "$2" >"$1.yml"
}
target old 2.12
target new 2.28
cat >environment.yml <<EOF
name: demo
channels:
- $T/channel
dependencies:
- python
- app
- numpy
EOF

# --- in the solution
expect 0 "a package in the solution" why lib -t ./new.yml
cat >expected <<'EOF'
lib 1.5 0 is in the solution for new
environment.yml:5: python
  python 3.9.1 0 needs lib
environment.yml:6: app
  app 1.0 0 needs lib <2
environment.yml:7: numpy
  numpy 1.26 0 needs lib
the channels have 2.5 0 (2023-11-14), ruled out by
  app 1.0 0 needs lib <2
nothing newer goes with the request:
  these contradict each other:
    environment.yml:6: app
    a newer lib: lib >1.5
  environment.yml:6: app 1.0 needs lib <2, but a newer lib asks for lib >1.5
EOF
check "has its chains, and what keeps it back" diff expected "$T/out"
expect 0 "one that a line names, too" why numpy -t ./new.yml
cat >expected <<'EOF'
numpy 1.26 0 is in the solution for new
environment.yml:7: numpy
environment.yml:6: app
  app 1.0 0 needs pandas
  pandas 2.0 0 needs numpy <2
the channels have 2.1 0 (2023-11-16), ruled out by
  pandas 2.0 0 needs numpy <2
nothing newer goes with the request:
  these contradict each other:
    environment.yml:6: app
    a newer numpy: numpy >1.26
  environment.yml:6: app 1.0 needs pandas
    pandas 2.0 needs numpy <2, but a newer numpy asks for numpy >1.26
EOF
check "has the line first" diff expected "$T/out"
expect 0 "as JSON" why numpy -t ./new.yml --json
same "the chains are there" "$(field "[[c['line'], len(c['steps'])] for c in d['targets'][0]['chains']]")" \
  "[['environment.yml:7', 0], ['environment.yml:6', 2]]"
same "and what is newer" "$(field "d['targets'][0]['newest']['version'], d['targets'][0]['newest']['date'], d['targets'][0]['newest']['limits'][0]['by']")" \
  "2.1 2023-11-16 pandas 2.0 0"
sed 's/- app/- python=3.9/' environment.yml >pinned.yml
expect 0 "a line that holds it back" why python pinned.yml -t ./new.yml
says "is named" "^  pinned.yml:6: python=3.9$" "$T/out"

sed 's/- app/- meta/' environment.yml >many.yml
expect 0 "many ways" why more many.yml -t ./new.yml
same "are cut" "$(grep -c ' needs more$' "$T/out")" 8
says "which is said" "^and 4 more ways to it \(all with -v\)$" "$T/out"
expect 0 "with -v" why more many.yml -t ./new.yml -v
same "they are not" "$(grep -c ' needs more$' "$T/out")" 12

# --- not in the solution, but possible
expect 0 "what could be added" why more -t ./new.yml
cat >expected <<'EOF'
'more' is not in the solution for new; it could be had: 1 added, 0 changed, 0 removed
  + more 1.0 0
EOF
check "and what that would change" diff expected "$T/out"
sed '/- app/d; s/- numpy/- pandas/' environment.yml >loose.yml
expect 0 "another version" why 'lib<2' loose.yml -t ./new.yml --json
same "changes others" "$(field "d['targets'][0]['answer'], [(c['name'], c['from'], c['to']) for c in d['targets'][0]['changes']]")" \
  "possible [('lib', '2.5 0', '1.5 0'), ('python', '3.12.1 0', '3.9.1 0')]"

# --- impossible
expect 3 "what cannot be had" why extra -t ./new.yml
says "is of the command line" "the command line asks for extra|^  the command line: extra$"
says "against a line" "^  environment.yml:6: app$"
expect 3 "for two targets" why torch loose.yml -t ./old.yml -t ./new.yml
says "one reason" "the command line: torch 1.0 and 2.0 need __cuda >=12 or __cuda >=11.8, the target old has no __cuda"
says "and the other" "the target new has no __cuda"
says "and what would help" "^everything solves with __cuda 11.8$"
expect 3 "as JSON, too" why torch loose.yml -t ./old.yml -t ./new.yml --json
same "in one document" "$(field "[(t['target'], t['answer'], t['unsat']['remedy']['to']) for t in d['targets']]")" \
  "[('old', 'impossible', '11.8'), ('new', 'impossible', '11.8')]"
same "that names the command line as no line" "$(field "d['targets'][0]['unsat']['contradiction']")" \
  "[{'line': None, 'text': 'torch'}]"
expect 3 "possible for one target only" why 'numpy>=2' loose.yml -t ./new.yml -t ./old.yml
says "is told for the one" "'numpy>=2'|numpy 2.1" "$T/err"
expect 3 "what nobody has" why nunpy -t ./new.yml
says "is told as ever" "nothing provides 'nunpy', did you mean 'numpy'"

# --- a virtual package
expect 0 "a virtual package" why __glibc -t ./new.yml -t ./old.yml
cat >expected <<'EOF'
the target new has __glibc 2.28; the solution needs
  __glibc >=2.12: 1 package: app

the target old has __glibc 2.12; the solution needs
  __glibc >=2.12: 1 package: app
EOF
check "has those that need it" diff expected "$T/out"
expect 0 "the strictest first" why __glibc loose.yml -t ./new.yml --json
expect 0 "one that the target lacks" why __cuda -t ./old.yml
says "is not needed" "the target old has no __cuda; the solution does not need it" "$T/out"

# --- from a lock
"$ENVBUILD" lock -t ./new.yml -q || exit 1
mv channel away
expect 0 "with a current lock, the channel away" why lib -t ./new.yml
says "chains are told" "^environment.yml:6: app$" "$T/out"
says "and why no more" "whether there is a newer one is not known"
mv away channel
expect 0 "a lock alone" why numpy envbuild.lock -t ./new.yml
says "begins with what nothing needs" "^in the lock, needed by nothing there: app$" "$T/out"
expect 0 "what it has not" why 'numpy>=2' envbuild.lock -t ./new.yml
says "is told" "the lock for new has numpy 1.26 0, which is not 'numpy>=2'" "$T/out"

# --- the pip section
cat >>environment.yml <<'EOF'
- pip
- pip:
  - webapp >=2
EOF
expect 0 "before pip has chosen" why webapp -t ./new.yml
says "the line is named" "^environment.yml:10: webapp >=2$" "$T/out"
sed '/^- pip:/,$d' environment.yml >conda.yml
"$ENVBUILD" lock conda.yml -t ./new.yml -q || exit 1
python3 - <<'EOF'
text = open('envbuild.lock').read()
def url(name): return 'https://h.example/%s-2.0-py3-none-any.whl' % name
names = ('engine', 'webapp')
lines, out = text.split('\n'), []
for i, line in enumerate(lines):
    out.append(line)
    if line.lstrip().startswith('- conda:') and line.startswith('      ') and \
            not lines[i + 1].startswith('      '):
        out += ['      - pypi: ' + url(n) for n in names]
needs = {'engine': ['numpy>=1.20'], 'webapp': ["engine>=1 ; python_version >= '3'", "x ; extra == 'x'"]}
body = '\n'.join(out).rstrip('\n') + '\n'
for n in names:
    body += '- pypi: %s\n  name: %s\n  version: "2.0"\n  sha256: %s\n  requires_dist:\n%s' % (
        url(n), n, '1' * 64, ''.join('  - %s\n' % json for json in needs[n]))
open('envbuild.lock', 'w').write(body)
EOF
expect 0 "the lock with wheels is current" "$ENVBUILD" lock --check -t ./new.yml
expect 0 "a wheel that another needs" why engine -t ./new.yml
cat >expected <<'EOF'
engine 2.0 (PyPI) is in the solution for new
environment.yml:10: webapp >=2
  webapp 2.0 needs engine>=1
EOF
check "has its chain" diff expected "$T/out"
expect 0 "a package of conda that a wheel needs" why numpy -t ./new.yml
says "has it, too" "^  engine 2.0 needs numpy>=1.20$" "$T/out"

# --- exit 3 of other commands
cat >bad.yml <<EOF
name: bad
channels: [$T/channel]
dependencies:
- python
- numpy>=2
EOF
expect 3 "lock without a solution" "$ENVBUILD" lock bad.yml -t ./old.yml -o x.lock
says "says what fits" "^newest numpy that fits: 1.26 0 \(2023-11-15\)$"
says "and what would help" "^everything solves with __glibc 2.28$"
says "and what to do" "^envbuild: hint: ask for what fits, or choose a target that has this __glibc with -t$"
expect 3 "as JSON" "$ENVBUILD" lock bad.yml -t ./old.yml -o x.lock --json
same "the facts are there" "$(field "d['unsat']['target'], d['unsat']['contradiction'], d['unsat']['fits'][0]['version'], d['unsat']['remedy']")" \
  "old [{'line': 5, 'text': 'numpy>=2'}] 1.26 {'virtual_package': '__glibc', 'from': '2.12', 'to': '2.28'}"
check "no lock was written" test ! -e x.lock
expect 3 "why, of an environment without a solution" why python bad.yml -t ./old.yml --json
same "says so" "$(field "d['targets'][0]['answer'], d['targets'][0]['unsat']['contradiction']")" \
  "impossible [{'line': 5, 'text': 'numpy>=2'}]"

# --- mistakes
expect 2 "a spec that is none" why 'numpy >=' -t ./new.yml
says "is pointed at" "invalid spec"
expect 2 "a pattern" why 'num*' -t ./new.yml
says "is no name" "'num\*' is not the name of one package"
expect 2 "no spec at all" why
done_testing
