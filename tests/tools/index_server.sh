# shellcheck shell=bash
# Sourced by tests of pip sections, after lib.sh: distributions on an index served by nginx, at
# http://127.0.0.1:$port/simple, and below /private/ with a password.
#
#   lines LINE...     ./environment.yml with these lines in its pip section
#
# The working folder is $T/project afterwards.
need python3 nginx
nginx=$ROOT/tests/tools/nginx.sh

export ENVBUILD_CACHE=$T/cache
mkdir "$T/project" && cd "$T/project" || exit 1
PYTHONPATH=$ROOT/tests/tools python3 - <<'EOF' || exit 1
from make_wheels import wheel, sdist, index
wheel("dists", "alpha", "1.0", requires=["beta>=1,<3", "gamma[fast]", 'winonly; sys_platform == "win32"', "six>=1.5"],
      entry="alpha")
for version in "1.0", "2.0", "3.0":
    wheel("dists", "beta", version)
wheel("dists", "gamma", "1.1", extras=["fast"], requires=['delta; extra == "fast"', 'never; extra == "slow"'])
sdist("dists", "delta", "0.5", entry="delta")
wheel("dists", "toonew", "1.0", tag="py3-none-manylinux_2_99_x86_64")
wheel("dists", "toonew", "0.9", tag="py3-none-manylinux1_x86_64")
wheel("dists", "six", "99.0")
wheel("dists", "liar", "1.0")
wheel("dists", "newsix", "1.0", requires=["six>=90"])
index("../www", "dists", lies=["liar-1.0-py3-none-any.whl"])
EOF
printf 'user:{PLAIN}s3cr3t-of-it\n' >"$T/htpasswd"
port=$("$nginx" start "$T/nginx" "$T/www" "location /private/ { alias $T/www/; auth_basic p; \
  auth_basic_user_file $T/htpasswd; }") || skip_all "no nginx"
defer "'$nginx' stop '$T/nginx'"

lines() {
  cat >environment.yml <<EOF
name: pipped
channels: [file://$ENVBUILD_SHARED_DATA/channel]
dependencies:
  - python=3.6.6
  - pip
  - six
  - pip:
    - --index-url http://127.0.0.1:$port/simple
EOF
  for line; do echo "    - $line" >>environment.yml; done
}
