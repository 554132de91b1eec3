#!/bin/bash
# timeout: 120
# What stands in an archive and beside it: list of parts, audit, attestation, signatures.
# shellcheck source=tests/lib.sh disable=SC2016
. "$(dirname "$0")/../lib.sh"
need python3 zstd bzip2 gpg gpgconf ssh-keygen gcc
export ENVBUILD_CACHE=$T/cache
tools=$ROOT/tests/tools
"$tools/papers_channel.py" "$T/channel" && "$ENVBUILD" channel index -q "$T/channel" || exit 1
cat >environment.yml <<EOF2
name: site
channels: [file://$T/channel]
dependencies: [one, four, moved]
EOF2
echo 'one | grep -qx one && echo passed' >run-test.sh
pack() {
  "$ENVBUILD" pack --offline --test run-test.sh "$@"
}

# --- inside --------------------------------------------------------------------------------------
expect 0 "pack with a version" pack --version 2024.1-rc_1
mkdir "$T/in" && tar xf site.tar.gz -C "$T/in"
papers=$T/in/conda-meta/envbuild
same "the papers" "$(cd "$papers" && ls)" "audit.json
envbuild.lock
environment.yml
files
host
manifest.json
profile.yml
relocation
run-test.sh
sbom.cdx.json
variables.csh
variables.fish
variables.sh"
check "the list of parts is CycloneDX 1.5 and says what the channel says" "$tools/check_sbom.py" "$T/in" "$T/channel"
said() {
  python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"
}
of() {
  said "$papers/sbom.cdx.json" "[c for c in d['components'] if c['name'] == '$1'][0]$2"
}
same "an expression of SPDX" "$(of one '["licenses"]')" "[{'expression': 'MIT AND (Zlib OR BSD-3-Clause)'}]"
same "with an exception" "$(of two '["licenses"]')" "[{'expression': 'Apache-2.0 WITH LLVM-exception'}]"
same "another licence has a name" "$(of four '["licenses"]')" "[{'license': {'name': 'gpl'}}]"
same "where it was built from" "$(of one '["pedigree"]["commits"]')" \
  "[{'uid': '$(printf 'a%.0s' $(seq 40))', 'url': 'https://example.org/one-feedstock'}]"
same "and in which run" "$(of one '["properties"][2]')" "{'name': 'envbuild:flow_run_id', 'value': 'azure_1.1'}"
check "no credentials" sh -c '! grep -rq secret "$1"' sh "$papers"
same "what is none says nothing" "$(of three '.get("pedigree")')$(of four '.get("pedigree")')" NoneNone
same "a purl" "$(of two '["purl"]')" 'pkg:conda/two@1.0?build=0&subdir=noarch&type=tar.bz2'
same "the root of the graph" "$(said "$papers/sbom.cdx.json" '[len(x["dependsOn"]) for x in d["dependencies"] if x["ref"] == "environment"]')" "[3]"
same "the audit" "$(said "$papers/audit.json" 'd["audit_version"], d["target"], d["findings"], d["ignored"]')" "(1, 'host', [], [])"
same "the version is in the manifest" "$(said "$papers/manifest.json" 'd["version"]')" 2024.1-rc_1
same "and in NAME.run.json" "$(said site.run.json 'd["version"]')" 2024.1-rc_1
cp site.tar.gz first.tar.gz
mkdir "$T/two" && cp environment.yml envbuild.lock run-test.sh "$T/two"
ENVBUILD_CACHE=$T/cold expect 0 "once more, from the lock, elsewhere, with a cold cache" sh -c \
  'cd "$1" && exec "$ENVBUILD" pack --test run-test.sh --version 2024.1-rc_1 -j1' sh "$T/two"
check "the same bytes" cmp "$T/two/site.tar.gz" first.tar.gz
expect 2 "a version that cannot be part of a file's name" pack --version 1/2
says "and why" "version '1/2' cannot be part of a file's name"
printf 'pack: {version: 1.10}\n' >envbuild.yml
expect 0 "a version in envbuild.yml" pack
same "as it is written there" "$(said site.run.json 'd["version"]')" 1.10
rm envbuild.yml
same "without --attest and --sign-with there is neither" "$(ls site.*)" "site.run.json
site.sha256
site.tar.gz
site.test.log"

# --- the attestation ---------------------------------------------------------------------------------
expect 0 "pack --attest" pack --attest --version 3
rm -rf "$T/in" && mkdir "$T/in" && tar xf site.tar.gz -C "$T/in"
check "in-toto statements, true of what is beside" "$tools/check_statements.py" site.intoto.jsonl "$T/in"
same "provenance and the test" "$(wc -l <site.intoto.jsonl)" 2
same "NAME.run.json names it" "$(said site.run.json 'd["attestation"], d["signature"]')" "('site.intoto.jsonl', None)"
expect 0 "verify" "$ENVBUILD" verify site.tar.gz
cp site.intoto.jsonl good.jsonl
sed 's/\("subject":\[{"name":"site.tar.gz","digest":{"sha256":"\)..../\1beef/' good.jsonl >site.intoto.jsonl
expect 5 "a statement about other bytes" "$ENVBUILD" verify site.tar.gz
says "is named" "'./?site.intoto.jsonl' is of another archive|'site.intoto.jsonl' is of another archive"
head -c 300 good.jsonl >site.intoto.jsonl
expect 5 "a statement that is cut off" "$ENVBUILD" verify site.tar.gz
expect 0 "untested" "$ENVBUILD" pack --offline --no-test --attest
same "has no result" "$(grep -c test-result site.intoto.jsonl)" 0
rm -rf "$T/in" && mkdir "$T/in" && tar xf site.tar.gz -C "$T/in"
check "and is well otherwise" "$tools/check_statements.py" site.intoto.jsonl "$T/in"

# --- the target: what it lacks, and its image ------------------------------------------------------
mkdir target && cat >target/environment.yml <<EOF2
name: old
channels: [file://$T/channel]
dependencies: [binary]
EOF2
cat >target/site12.yml <<EOF2
name: site12
subdir: linux-64
virtual-packages: [__glibc=2.12, __linux=2.6.32, __unix=0=0]
libraries: {libc.so.6: [GLIBC_2.2.5]}
EOF2
old() {
  rm -rf "$T/in"
  "$ENVBUILD" pack --offline --no-test --attest target -t target/site12.yml "$@" && mkdir "$T/in" &&
    tar xf old.tar.gz -C "$T/in"
}
export ENVBUILD_DATA=$T/data
# A root whose C library has nothing newer than glibc 2.12.
mkdir -p "$T/older/lib64"
printf 'GLIBC_2.2.5 { global: first; };\nGLIBC_2.12 { global: last; } GLIBC_2.2.5;\n' >"$T/versions"
echo 'void first(void) {} void last(void) {}' >"$T/libc.c"
check "an older C library" gcc -shared -nostdlib -Wl,-soname,libc.so.6 -Wl,--version-script="$T/versions" \
  -o "$T/older/lib64/libc.so.6" "$T/libc.c"
expect 7 "a binary that the target's hosts cannot load" old --image "$T/older" --report audit.json --report audit.xml
says "is named" "error: 'bin/program' of package 'binary-1.0-0' needs GLIBC_[0-9.]* of libc.so.6"
says "with what to do" "hint: "
check "there is no archive" test ! -e old.tar.gz
broken='sorted({(x["path"], x["package"]) for x in d["findings"] if x["level"] == "error"}, key=str)'
same "but a report, where it was asked for" "$(said audit.json "$broken")" "[('bin/program', 'binary-1.0-0')]"
same "and another" "$(python3 -c '
import xml.etree.ElementTree as E
print(*{x.get("classname") for x in E.parse("audit.xml").iter("testcase") if x.find("failure") is not None})')" binary-1.0-0
expect 0 "without it" old --image "$T/older" --exclude bin/program
same "nothing is recorded" "$(said "$papers/audit.json" '(d["counts"]["binaries"], d["findings"])')" "(0, [])"
expect 7 "under another name, with one more" old --image "$T/older" --rename bin/program=other --add /bin/true=bin/added \
  --report audit.json
same "each is reported as it is packed" "$(said audit.json "$broken")" \
  "[('bin/added', None), ('bin/other', 'binary-1.0-0')]"
expect 0 "as it was" old --image /
expect 7 "the same, audited as it lies there" "$ENVBUILD" audit "$T/in" -t target/site12.yml --image "$T/older"
says "tells all on stdout" "^  error: 'bin/program' of package 'binary-1.0-0' needs GLIBC_" "$T/out"
says "the floor too" "^it needs glibc [0-9.]* \(binary-1.0-0\)" "$T/out"
same "and nothing twice: on stderr is the error alone" "$(grep -Evc '^envbuild: (error|hint): ' "$T/err")" 0
expect 7 "as JSON" "$ENVBUILD" audit "$T/in" -t target/site12.yml --image "$T/older" --json --report same.json
check "the document is that of a report" cmp "$T/out" same.json
dependency='[x for x in d["predicate"]["buildDefinition"]["resolvedDependencies"] if x["name"] == "image"][0]'
image() {
  head -n 1 old.intoto.jsonl >"$T/first" && said "$T/first" "$dependency$1"
}
same "a folder has no digest" "$(image '["annotations"], d.get("digest")')" "({'root': '/'}, None)"
library=$(ldd /bin/true | sed -n 's/.*libc.so.6 => \([^ ]*\) .*/\1/p')
mkdir -p "$T/root/lib64" "$T/root$(dirname "$library")" && cp "$library" "$T/root$library" &&
  cp /lib64/ld-linux-x86-64.so.2 "$T/root/lib64/"
check "import an image" "$ENVBUILD" image import -q site12 "$T/root"
expect 0 "in an image" old
digest=$("$ENVBUILD" image show site12 | sed -n 's/.*sha256:\([0-9a-f]*\).*/\1/p')
expect 0 "for two targets" "$ENVBUILD" pack --offline --no-test target -t target/site12.yml -t host --image / --report two.html
same "each has its report" "$(echo two*.html)" "two-host.html two-site12.html"
same "its digest is told" "$(image '["digest"]')" "{'sha256': '$digest'}"
check "the statement is well" "$tools/check_statements.py" old.intoto.jsonl "$T/in"
expect 0 "made again in it" "$ENVBUILD" verify old.tar.gz --rebuild --offline
export ENVBUILD_DATA=$T/nothing
expect 2 "not without it" "$ENVBUILD" verify old.tar.gz --rebuild --offline
says "the usual sentence" "target 'site12' has no image here"
expect 0 "but in a root that is given" "$ENVBUILD" verify old.tar.gz --rebuild --offline --image /
sed -i 's/binary/broken/' target/environment.yml && rm target/envbuild.lock
expect 0 "a binary for another machine that nothing loads is packed" old --image /
same "and recorded" "$(said "$papers/audit.json" '{(x["rule"], x["level"], x["path"]) for x in d["findings"]}')" \
  "{('wrong-architecture', 'info', 'lib/broken.so')}"
check "without a path of this machine" sh -c '! grep -rq "$1" "$2"' sh "$T/cache" "$T/in"

# --- signatures ------------------------------------------------------------------------------------
# A socket's path has at most 107 bytes.
GNUPGHOME=$(mktemp -d /tmp/gXXXX)
export GNUPGHOME
defer 'gpgconf --kill all; rm -rf "$GNUPGHOME"'
gpg --batch --quiet --passphrase '' --quick-gen-key 'Ann <ann@example.com>' ed25519 sign never 2>/dev/null
gpg --batch --quiet --passphrase '' --quick-gen-key 'Bob <bob@example.com>' ed25519 sign never 2>/dev/null
gpg --batch --armor --export ann@example.com >ann.asc
gpg --batch --export bob@example.com >bob.gpg
gpg --batch --export >both.gpg
fingerprint=$(gpg --batch --with-colons --list-keys ann@example.com | awk -F: '/^fpr/ { print $10; exit }')
gpg_sign='gpg --batch --detach-sign --armor -u ann@example.com'
ssh-keygen -q -t ed25519 -N '' -C ann -f ann && ssh-keygen -q -t ed25519 -N '' -C bob -f bob || exit 1
echo "ann@example.com $(cut -d' ' -f1,2 ann.pub)" >ann.allowed
echo "bob@example.com $(cut -d' ' -f1,2 bob.pub)" >bob.allowed
cat ann.allowed bob.allowed >both.allowed
verify() {
  "$ENVBUILD" verify site.tar.gz --signer "$1"
}
tamper() { # SIGNER
  cp site.sha256 keep
  echo >>site.sha256
  expect 5 "$2: sums that were changed" verify "$1"
  cp keep site.sha256
  cp site.intoto.jsonl keep
  sed -i 's/PASSED/PASSING/' site.intoto.jsonl
  expect 5 "$2: an attestation that was changed" verify "$1"
  cp keep site.intoto.jsonl
  cp site.sha256.sig keep
  cp site.intoto.jsonl.sig site.sha256.sig
  expect 5 "$2: the signature of another file" verify "$1"
  : >site.sha256.sig
  expect 5 "$2: an empty signature" verify "$1"
  rm site.sha256.sig
  expect 5 "$2: no signature" verify "$1"
  says "is named" "'site.sha256' is not signed: there is no 'site.sha256.sig'"
  cp keep site.sha256.sig
  mv site.intoto.jsonl.sig keep
  expect 5 "$2: an attestation that is not signed" verify "$1"
  mv keep site.intoto.jsonl.sig
  cp site.tar.gz keep
  printf x >>site.tar.gz
  expect 5 "$2: an archive that was changed" verify "$1"
  cp keep site.tar.gz
  expect 0 "$2: as it was" verify "$1"
}

expect 0 "sign with gpg" pack --attest --sign-with "$gpg_sign"
check "gpg knows it" gpg --batch --quiet --verify site.sha256.sig site.sha256
expect 0 "ann's" verify ann.asc
says "is told" "signed by Ann <ann@example.com>, $fingerprint"
expect 0 "by her address" verify both.gpg:ann@example.com
expect 0 "by her fingerprint" verify "ann.asc:$fingerprint"
expect 5 "not bob's key" verify bob.gpg
says "is told" "signature of 'site.sha256' is not that of a key in '.*bob.gpg'"
expect 5 "not bob, though his key is there" verify both.gpg:bob@example.com
expect 5 "not by a part of her address" verify both.gpg:example.com
expect 5 "not by a part of her fingerprint" verify "ann.asc:${fingerprint#????????}"
expect 5 "not by a key of ssh" verify ann.allowed
tamper ann.asc gpg
"$ENVBUILD" verify site.tar.gz --signer ann.asc --json >"$T/json"
same "as JSON" "$(said "$T/json" 'd["good"], d["signed_by"]')" "(True, 'Ann <ann@example.com>, $fingerprint')"

expect 0 "sign with ssh-keygen" pack --attest --sign-with 'ssh-keygen -q -Y sign -f ann -n envbuild'
check "ssh-keygen knows it" sh -c \
  'ssh-keygen -Y verify -f ann.allowed -I ann@example.com -n envbuild -s site.sha256.sig <site.sha256'
expect 0 "ann's" verify ann.allowed
says "is told" "signed by ann@example.com"
expect 0 "by her name" verify both.allowed:ann@example.com
expect 5 "not bob's key" verify bob.allowed
expect 5 "not bob, though his key is there" verify both.allowed:bob@example.com
expect 5 "not by a key of gpg" verify ann.asc
tamper ann.allowed ssh
expect 0 "another namespace" pack --sign-with 'ssh-keygen -q -Y sign -f ann -n git'
expect 5 "is not ours" verify ann.allowed

# cosign is not here: how it is called, and that its answer counts.
printf -- '-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n' >cosign.pub
mkdir "$T/bin"
cat >"$T/bin/cosign" <<'EOF2'
#!/bin/sh
echo "$*" >>"$COSIGN_SAID"
case $1 in
sign-blob) printf 'signature of %s\n' "$(cat)" ;;
verify-blob) shift 4 && [ "$(cat "$1")" = "signature of $(cat "$2")" ] ;;
esac
EOF2
chmod +x "$T/bin/cosign"
export COSIGN_SAID=$T/cosign
expect 1 "without cosign" verify cosign.pub
says "that is said" "there is no program 'cosign'"
PATH=$T/bin:$PATH expect 0 "a stand-in for cosign" pack --sign-with 'cosign sign-blob --yes --key cosign.key -'
PATH=$T/bin:$PATH expect 0 "is asked" verify cosign.pub
says "as it should be" '^verify-blob --key .*/cosign.pub --signature [^ ]*/signature [^ ]*/data$' "$T/cosign"
echo x >>site.sha256.sig
PATH=$T/bin:$PATH expect 5 "and heard" verify cosign.pub

# --- what cannot be signed or checked ------------------------------------------------------------------
sum=$(sha256sum site.*)
expect 1 "a command that fails" pack --sign-with 'echo half; exit 3'
says "is told" "command of --sign-with ended with status 3"
expect 1 "one that writes nothing" pack --sign-with 'cat >/dev/null'
says "is told" "wrote no signature"
expect 1 "one that is not there" pack --sign-with 'no-such-program'
same "nothing of that was released" "$(sha256sum site.*)" "$sum"
expect 0 "the command finds the file by its name, too" pack --sign-with 'cat "$ENVBUILD_FILE"'
check "with the bytes of NAME.sha256" cmp site.sha256 site.sha256.sig
expect 2 "keys that are not there" verify nobody.asc
expect 2 "a file that holds none" verify environment.yml
expect 2 "a mere public key, without a name" verify ann.pub
expect 0 "unsigned again" pack
same "no old signature stays" "$(ls site.*)" "site.run.json
site.sha256
site.tar.gz
site.test.log"
expect 5 "and that is noticed" verify ann.asc
done_testing
