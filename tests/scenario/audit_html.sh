#!/bin/bash
# Reports of an audit as those who get them see them: the page in a browser, JUnit's XML and JSON in a
# parser, with names of files that are as hostile as they can be.
# timeout: 120
. "$(dirname "$0")/../lib.sh"
need python3

maker=$ENVBUILD_TOOLS/audit_page
for kind in html xml json txt; do
  check "make .$kind" "$maker" "$T/a.$kind" 40
  check "and once more" "$maker" "$T/b.$kind" 40
  check ".$kind: the same bytes" cmp "$T/a.$kind" "$T/b.$kind"
done
check "no path of this machine" sh -c '! grep -q /home/ann "$1"/a.html "$1"/a.xml "$1"/a.json "$1"/a.txt' sh "$T"

cat >"$T/parse.py" <<'PY'
import json
import sys
import xml.etree.ElementTree as ElementTree

root = ElementTree.parse(sys.argv[1] + "/a.xml").getroot()
with open(sys.argv[1] + "/a.json", encoding="utf-8") as f:
    d = json.load(f)

def same(name, got, want):
    print(f"ok {name}" if got == want else f"fail {name}: {got!r}, expected {want!r}")

suites, cases = root.findall("testsuite"), list(root.iter("testcase"))
counts = {"tests": len(cases), "failures": len(list(root.iter("failure"))), "errors": 0}
same("JUnit: its sums", {k: int(root.get(k)) for k in counts}, counts)
for s in suites:
    same(f"JUnit: those of {s.get('name')}", [int(s.get(k)) for k in ("tests", "failures", "errors", "skipped")],
         [len(s.findall("testcase")), len(s.findall("testcase/failure")), 0, len(s.findall("testcase/skipped"))])
same("JUnit: a suite for each package, and what is of none", len(suites), d["counts"]["packages"] + 1)
same("JUnit: a case for each file and rule, and one of a clean package", len(cases),
     len({(x["path"], x["rule"]) for x in d["findings"] + d["ignored"]}) + 1)
same("JUnit: no two are called the same", len({(c.get("classname"), c.get("name")) for c in cases}), len(cases))
text = "".join(root.itertext()) + "".join(v for x in root.iter() for v in x.attrib.values())
same("JUnit: a script is text", "<script>document.title='owned'</script>" in text, True)
same("JUnit: what XML cannot hold is replaced", [c for c in text if (c < " " and c not in "\t\n") or c in "\x85\uffff"], [])
same("JUnit: and seen", "bin/a\ufffd\ufffd[31m\ufffd\ufffd]]>\ufffd\ufffdb" in text, True)
levels = [x["level"] for x in d["findings"]]
same("JSON: its counts", [d["counts"][k] for k in ("errors", "warnings", "infos", "ignored")],
     [levels.count("error"), levels.count("warning"), levels.count("info"), len(d["ignored"])])
same("JSON: who sets the floor", (d["needs_glibc"], len(d["floors"])),
     ({"package": "numpy-1.19.2-py36_0", "version": "2.30"}, 5))
same("JSON: keys in their order", json.dumps(d, sort_keys=True), json.dumps(d))
PY
checker "what parsers say" python3 "$T/parse.py" "$T"

# --- in a browser --------------------------------------------------------------------------------
mkdir "$T/browser"
if chromium --headless --no-sandbox --disable-gpu --user-data-dir="$T/browser/profile" --dump-dom about:blank >"$T/blank" 2>"$T/err"; then
  checker "what a browser says" "$ROOT/tests/tools/page_check.py" chromium "$maker" "$T/browser"
else
  skip "the page in a browser" "chromium does not start here: $(tail -n 1 "$T/err" | cut -c 1-200)"
fi
done_testing
