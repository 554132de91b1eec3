#!/bin/bash
# Entry points of an archive work wherever it lies, before anything is relocated; what does not is
# listed.  And five moves, each completed by nothing but `activate`, also after a kill.
# timeout: 60
# memory
# shellcheck disable=SC2016
. "$(dirname "$0")/../lib.sh"
need python3 zstd tar
export ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1

cd "$T" || exit 1
python3 - "$ROOT/tests/tools" "$T/channel" <<'PY' || exit 1
import hashlib
import sys
sys.path.insert(0, sys.argv[1])
from make_package import Channel, member
OLD = "/opt/" + "_placehold" * 24
def held(path, data, mode="text"):
    return {"_path": path, "path_type": "hardlink", "sha256": hashlib.sha256(data).hexdigest(),
            "size_in_bytes": len(data), "prefix_placeholder": OLD, "file_mode": mode}
channel = Channel(sys.argv[2])
python = b'#!/bin/sh\nexec /usr/bin/env python3 -B "$@"\n'
script = b"#!" + OLD.encode() + b"/bin/python3.11\n# the second line\n'''usage: doc'''\nprint(__doc__)\n"
config = b"prefix=" + OLD.encode() + b"\n"
library = b"\0" + OLD.encode() + b"/lib\0"
many = [("share/many/%d" % i, b"%d %s\n" % (i, OLD.encode())) for i in range(400)]
members = [member("bin/python3.11", python, mode=0o755), member("bin/script", script, mode=0o755),
           member("lib/pkgconfig/x.pc", config), member("lib/libx.so", library)]
members += [member(path, data) for path, data in many]
listing = [{"_path": "bin/python3.11", "path_type": "hardlink", "sha256": hashlib.sha256(python).hexdigest(),
            "size_in_bytes": len(python)}, held("bin/script", script), held("lib/pkgconfig/x.pc", config),
           held("lib/libx.so", library, "binary")] + [held(path, data) for path, data in many]
channel.conda("python", members, version="3.11.0", record={"version": "3.11.0"}, index={"noarch": "generic"},
              listing=listing)
module = b"import os, sys\ndef main():\n    print(os.path.basename(sys.argv[0]), sys.argv[1:], __file__)\n    return 3\n"
channel.conda("tool", [member("site-packages/tool_module.py", module)], index={"noarch": "python"},
              link={"noarch": {"type": "python", "entry_points": ["tool = tool_module:main"]}})
PY
mv channel/noarch/python-1.0-0.conda channel/noarch/python-3.11.0-0.conda 2>/dev/null
"$ENVBUILD" channel index "$T/channel" -q
printf 'name: demo\nchannels: [file://%s]\ndependencies: [python, tool]\n' "$T/channel" >environment.yml
expect 0 "an archive" "$ENVBUILD" pack -q -t host --no-test --no-compile -o demo.tar
mkdir env && tar xf demo.tar -C env

# --- before any relocation -----------------------------------------------------------------------
export PYTHONDONTWRITEBYTECODE=1
runs() {
  PYTHONPATH=$PWD/$1/lib/python3.11/site-packages
  export PYTHONPATH
  expect 3 "$2" "${@:3}"
  says "$2: says what it should" "^tool \['a b', '\*', ''\] .*tool_module.py$" out
}
same "the entry point begins as /bin/sh" "$(head -n 1 env/bin/tool)" "#!/bin/sh"
runs env "by its path" env/bin/tool 'a b' '*' ''
ln -s "$PWD/env/bin/tool" tool
runs env "by a link to it, elsewhere" ./tool 'a b' '*' ''
runs env "by PATH" env PATH="$PWD/env/bin:$PATH" tool 'a b' '*' ''
runs env "by a relative PATH" env PATH="env/bin:$PATH" tool 'a b' '*' ''
runs env "read by Python" python3 env/bin/tool 'a b' '*' ''
mv env "it's \$HOME \"and\" \`id\`"
runs "it's \$HOME \"and\" \`id\`" "at an odd path" "it's \$HOME \"and\" \`id\`/bin/tool" 'a b' '*' ''
mv "it's \$HOME \"and\" \`id\`" env
check "nothing was written" test ! -e env/conda-meta/envbuild/prefix
same "what has to be relocated is listed" "$(env/bin/conda-unpack --list | grep -v share/many)" "script bin/script
binary lib/libx.so
text lib/pkgconfig/x.pc"
same "and counted in the manifest" "$(tr -d ' \n' <env/conda-meta/envbuild/manifest.json |
  grep -o '"needs_relocation":{[^}]*}')" '"needs_relocation":{"text":402,"binary":1}'
expect 0 "the prefix is as its records say" "$ENVBUILD" verify env

# --- five moves -----------------------------------------------------------------------------------
long=$(printf 'l%.0s' $(seq $((140 - ${#T}))))
at="env"
for to in s "with a space" "$long" middle env; do
  [ "$at" = "$to" ] || mv "$at" "$to"
  at=$to
  check "activate at '$to'" bash -c '. "$1/bin/activate" && [ "$CONDA_PREFIX" = "$2" ] && [ "$(script)" = "usage: doc" ]' \
    bash "$at" "$T/$at"
  check "every file holds '$to'" "$at/bin/conda-unpack" --check
  same "a text" "$(cat "$at/lib/pkgconfig/x.pc")" "prefix=$T/$at"
  runs "$at" "the entry point at '$to'" "$at/bin/tool" 'a b' '*' ''
done
check "one path is longer than 127 characters" test "$(printf '%s' "$T/$long" | wc -c)" -gt 127

# --- killed in the middle of it -------------------------------------------------------------------
killed=0
for round in $(seq 60); do
  to=k$((round % 3))
  mv "$at" "$to" && at=$to
  python3 - "$at/bin/conda-unpack" "$round" <<'PY'
import random, subprocess, sys, time
random.seed(int(sys.argv[2]))
p = subprocess.Popen([sys.argv[1], "--activate"])
time.sleep(random.random() * 0.01)
p.kill()
p.wait()
PY
  [ -e "$at/conda-meta/envbuild/prefix.pending" ] || continue
  killed=$((killed + 1))
  [ "$killed" -lt 4 ] || break
  # One of them is moved on before.
  [ "$killed" != 2 ] || { mv "$at" elsewhere && at=elsewhere; }
  check "activate completes what kill $killed left" bash -c '. "$1/bin/activate"' bash "$at"
  check "all of it" "$at/bin/conda-unpack" --check
  check "nothing is left over" test "$(find "$at" -name '*.tmp' -o -name prefix.pending)" = ""
done
expect 0 "for a path that will be" "$at/bin/conda-unpack" --prefix /opt/later
expect 5 "--check says that this is another" "$at/bin/conda-unpack" --check
check "activate brings it back" bash -c '. "$1/bin/activate"' bash "$at"
check "all of it" "$at/bin/conda-unpack" --check
check "kills came in the middle" test "$killed" -gt 0
done_testing
