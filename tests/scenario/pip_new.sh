#!/bin/bash
# memory
# timeout: 600
# The same with a pip that looks back and isolates builds: 23.0.1 of Debian as a package of conda.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need python3 nginx git
nginx=$ROOT/tests/tools/nginx.sh
wheels=/usr/share/python-wheels
for name in pip-23 setuptools-66 wheel-0.38; do
  ls "$wheels/$name"*.whl >/dev/null 2>&1 || skip_all "no $wheels/$name*.whl (python3-pip-whl, python3-setuptools-whl, python3-wheel-whl)"
done

export ENVBUILD_CACHE=$T/cache
mkdir "$T/project" && cd "$T/project" || exit 1
PYTHONPATH=$ROOT/tests/tools python3 - "$wheels" <<'EOF' || exit 1
import glob, os, shutil, sys, zipfile
from make_package import Channel, bzip2, info_members, member, tar_bytes
from make_wheels import index, sdist, wheel
channel = Channel("../channel")
source = zipfile.ZipFile(glob.glob(sys.argv[1] + "/pip-23*.whl")[0])
version = source.filename.split("-")[-4]
members = [member("site-packages/" + n, source.read(n)) for n in source.namelist() if not n.endswith("/")]
info = info_members("pip", members, version=version,
                    index={"noarch": "python", "depends": ["python >=3.7", "setuptools", "wheel"]})
channel.put("pip-%s-0.tar.bz2" % version, bzip2(tar_bytes(info + members)))

wheel("dists", "choosy", "2.0", requires=["six>=90"])
wheel("dists", "choosy", "1.0", requires=["six>=1", "chosen[more]"])
wheel("dists", "chosen", "1.5", extras=["more"], requires=['deep>=1; extra == "more"'])
sdist("dists", "deep", "1.0")
wheel("dists", "tinyback", "1.0", requires=["wheel>=0.38", "setuptools>=60"], files={"tinyback.py": """
import base64, hashlib, setuptools, wheel, zipfile
assert wheel.__version__ >= "0.38" and setuptools.__version__ >= "60"

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "deep-1.0-py3-none-any.whl"
    files = {"deep.py": open("deep.py").read(), "deep-1.0.dist-info/METADATA":
             "Metadata-Version: 2.1\\nName: deep\\nVersion: 1.0\\n", "deep-1.0.dist-info/WHEEL":
             "Wheel-Version: 1.0\\nGenerator: tinyback\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
             "deep-1.0.dist-info/entry_points.txt": "[console_scripts]\\ndeep = deep:main\\n"}
    files["deep-1.0.dist-info/RECORD"] = "".join("%s,,\\n" % f for f in files) + "deep-1.0.dist-info/RECORD,,\\n"
    with zipfile.ZipFile(folder + "/" + name, "w") as z:
        for path, text in files.items():
            z.writestr(path, text)
    return name
"""})
for pattern in "setuptools-66*", "wheel-0.38*":
    shutil.copy(glob.glob("%s/%s.whl" % (sys.argv[1], pattern))[0], "dists")
index("../www", "dists")
EOF
# a build isolated by pyproject.toml takes what it needs from the index, though conda brings older ones
python3 - <<'EOF' || exit 1
import hashlib, io, os, tarfile
path = "../www/files/deep-1.0.tar.gz"
text = b'[build-system]\nrequires = ["tinyback"]\nbuild-backend = "tinyback"\n'
with tarfile.open(path) as old:
    members = [(m, old.extractfile(m).read()) for m in old.getmembers()]
info = tarfile.TarInfo("deep-1.0/pyproject.toml")
info.size = len(text)
with tarfile.open(path, "w:gz") as new:
    for m, data in members + [(info, text)]:
        new.addfile(m, io.BytesIO(data))
page = "../www/simple/deep/index.html"
with open(page, "w") as f:
    digest = hashlib.sha256(open(path, "rb").read()).hexdigest()
    f.write('<a href="../../files/deep-1.0.tar.gz#sha256=%s">deep-1.0.tar.gz</a>\n' % digest)
EOF
"$ENVBUILD" channel index -q "$T/channel" || exit 1
port=$("$nginx" start "$T/nginx" "$T/www") || skip_all "no nginx"
defer "'$nginx' stop '$T/nginx'"
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
(PYTHONPATH=$ROOT/tests/tools python3 -c 'from make_wheels import project; project("../repo", "repo", "3.0")' &&
  cd ../repo && git init -q -b main . && git add -A && git commit -q -m one) || exit 1
cat >environment.yml <<EOF
name: new
channels: [file://$T/channel, file://$ENVBUILD_SHARED_DATA/channel]
dependencies:
  - python=3.7.0
  - pip=23
  - six
  - pip:
    - --index-url http://127.0.0.1:$port/simple
    - choosy
    - git+file://$T/repo
EOF
expect 0 "pack" "$ENVBUILD" pack --no-test
check "pip looks back to what conda's six allows" grep -q 'choosy-1.0' envbuild.lock
check "an isolated build had tools of its own, not stubs of conda's" grep -q 'envbuild-wheel: deep-1.0' envbuild.lock
mkdir "$T/moved" && tar xf new.tar.gz -C "$T/moved"
same "it runs where it was unpacked" "$(bash -c ". '$T/moved/bin/activate' && deep && python -m pip check")" \
  "deep 1.0
No broken requirements found."
same "pip knows the commit" "$(bash -c ". '$T/moved/bin/activate' && python -m pip freeze" | grep '^repo')" \
  "repo @ git+file://$T/repo@$(git -C ../repo rev-parse HEAD)"
check "no direct_url.json of others" sh -c "! ls '$T'/moved/lib/python3.7/site-packages/{choosy,deep,chosen}*/direct_url.json"
check "every file belongs to one record" python3 "$ROOT/tests/tools/check_records.py" "$T/moved"
cp new.tar.gz first.tar.gz
expect 0 "pack as locked, offline" "$ENVBUILD" pack --no-test --locked --offline
check "the same bytes" cmp first.tar.gz new.tar.gz
done_testing
