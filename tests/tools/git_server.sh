# shellcheck shell=bash
# Sourced by tests of git lines in pip sections, after lib.sh: repositories in $T/git, served by nginx
# over smart http at $url/open/NAME.git, with a password at $url/private/, over dumb http at $url/dumb/.
#
#   project CODE      Python that calls make_wheels.project(FOLDER, NAME, VERSION, ...) in $T/work
#   repository NAME   $T/work/NAME becomes $T/git/NAME.git, branch main
#   lines LINE...     ./environment.yml with these lines in its pip section
#   commit_of NAME    what ./envbuild.lock has of NAME.git
#
# The working folder is $T/project afterwards.
need python3 nginx git
nginx=$ROOT/tests/tools/nginx.sh
backend=$(git --exec-path)/git-http-backend
fcgiwrap=$(PATH=$PATH:/usr/sbin command -v fcgiwrap) || skip_all "no program 'fcgiwrap'"

export ENVBUILD_CACHE=$T/cache HOME=$T/home GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
mkdir -p "$HOME" "$T/project" "$T/git" "$T/work"
# what a user may have set must not count
printf '[core]\n\tautocrlf = true\n\thooksPath = %s/hooks\n' "$T" >"$HOME/.gitconfig"

"$fcgiwrap" -s "unix:$T/fcgi" 2>"$T/fcgi.log" &
wrapper=$!
defer "kill $wrapper 2>/dev/null"
place() { # NAME MORE: git over http below /NAME
  cat <<EOF
  location /$1/ { fastcgi_pass unix:$T/fcgi; fastcgi_param SCRIPT_FILENAME $backend; $2
    fastcgi_param GIT_PROJECT_ROOT $T; fastcgi_param GIT_HTTP_EXPORT_ALL ""; fastcgi_param PATH_INFO \$uri;
    fastcgi_param QUERY_STRING \$query_string; fastcgi_param REQUEST_METHOD \$request_method;
    fastcgi_param CONTENT_TYPE \$content_type; fastcgi_param HTTP_CONTENT_ENCODING \$http_content_encoding; }
EOF
}
ln -s git "$T/open" && ln -s git "$T/private"
serve="$(place open '')
$(place private "auth_basic p; auth_basic_user_file $T/htpasswd;")
  location /dumb/ { alias $T/git/; }"
printf 'user:{PLAIN}qz-s3cr3t-zq\n' >"$T/htpasswd"
port=$("$nginx" start "$T/nginx" "$T/git" "$serve") || skip_all "no nginx"
defer "'$nginx' stop '$T/nginx'"
url=http://127.0.0.1:$port

repository() { # NAME: from $T/work/NAME, which holds a project
  (
    cd "$T/work/$1" && git init -q -b main . && git config core.autocrlf false && git add -A && git commit -q -m one
    git clone -q --bare . "$T/git/$1.git" && git remote add origin "$T/git/$1.git"
    git -C "$T/git/$1.git" update-server-info
  )
}
project() { # CODE: Python that calls project(FOLDER, NAME, VERSION, ...)
  (cd "$T/work" && PYTHONPATH=$ROOT/tests/tools python3 -c "from make_wheels import project
url = '$url'
$1")
}
cd "$T/project" || exit 1
lines() {
  {
    printf 'name: gitted\nchannels: [file://%s/channel]\n' "$ENVBUILD_SHARED_DATA"
    printf 'dependencies:\n  - python=3.6.6\n  - pip\n  - pip:\n    - --no-index\n'
    for line; do echo "    - $line"; done
  } >environment.yml
}
commit_of() { # NAME REPOSITORY: as the lock has it
  sed -n "s,^- pypi: git+.*/$1\.git[^#]*#\(.*\),\1,p" envbuild.lock | sort -u
}
