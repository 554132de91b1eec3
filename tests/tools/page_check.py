#!/usr/bin/env python3
"""page_check.py CHROMIUM MAKER WORK: what a browser makes of an audit's page (MAKER: tools/audit_page.c).

The script below is put into a copy of the page, and
allowed by its sum as the page's own is; what it finds is read from the document afterwards.  Prints
ok/fail lines for `checker` of tests/lib.sh.
"""
import base64
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import zlib

chromium, maker, work = sys.argv[1:]
MANY, FEW = 5000, 20  # findings besides those that the maker has in any case

SCRIPT = r"""
(function () {
  'use strict';
  var out = {}, violations = [];
  document.addEventListener('securitypolicyviolation', function (e) { violations.push(e.violatedDirective); });
  var table = document.getElementById('findings'), form = document.getElementById('filter');
  var heads = Array.from(table.tHead.rows[0].cells);
  function rows() { return Array.from(table.tBodies[0].rows); }
  function seen() { return rows().filter(function (r) { return !r.hidden; }); }
  function high() { return table.getBoundingClientRect().height; }
  function column(i) { return rows().map(function (r) { return r.cells[i].dataset.key || r.cells[i].textContent; }); }
  function press(i) { heads[i].querySelector('button').click(); }
  function same(a, b) { return a.length === b.length && a.every(function (x, k) { return x === b[k]; }); }
  function input(element, value) {
    element[element.type === 'checkbox' ? 'checked' : 'value'] = value;
    element.dispatchEvent(new Event('input', {bubbles: true}));
  }
  out.rows = rows().length;
  out.formShown = !form.hidden;
  out.first = rows()[0].cells[3].textContent;
  out.controls = heads.every(function (h) { return h.querySelector('button').tabIndex === 0; });
  var collator = new Intl.Collator('en', {numeric: true});
  out.sorted = heads.map(function (head, i) {
    var before = column(i), want = before.slice().sort(collator.compare), ok = [];
    press(i);
    ok.push(same(column(i), want), head.getAttribute('aria-sort') === 'ascending');
    press(i);
    ok.push(same(column(i), want.slice().reverse()), head.getAttribute('aria-sort') === 'descending');
    ok.push(heads.filter(function (h) { return h.getAttribute('aria-sort') !== 'none'; }).length === 1);
    return ok.every(Boolean);
  });
  press(4);
  out.numbers = column(4).filter(function (x) { return x.startsWith('libhdf5'); }).slice(0, 3);
  var began = performance.now();
  press(0);
  out.sortMs = performance.now() - began;
  out.levels = rows().map(function (r) { return r.className; }).filter(function (c, i, all) { return c !== all[i - 1]; });
  out.all = seen().length;
  var height = high();
  began = performance.now();
  input(form.elements.words, 'CORE.so 2.30');
  out.filterMs = performance.now() - began;
  out.words = seen().map(function (r) { return r.cells[4].textContent; });
  out.lower = high() < height / 2;
  out.told = document.getElementById('shown').textContent;
  input(form.elements.words, '');
  out.byLevel = {};
  form.querySelectorAll('[name=level]').forEach(function (box) {
    input(box, false);
    out.byLevel[box.value] = out.rows - seen().length;
    input(box, true);
  });
  out.rules = Array.from(form.elements.rule.options).length;
  input(form.elements.rule, '=foreign-rpath');
  out.rule = seen().length;
  var packages = Array.from(form.elements.package.options).map(function (o) { return o.value; });
  out.packages = packages.length;
  input(form.elements.package, packages.find(function (p) { return p.startsWith('=openssl'); }));
  out.both = seen().map(function (r) { return r.cells[3].textContent; });
  input(form.elements.rule, '');
  input(form.elements.package, packages.find(function (p) { return p.startsWith('=evil'); }));
  out.evil = seen().length;
  input(form.elements.package, '');
  out.back = seen().length;
  out.title = document.title;
  out.scripts = document.scripts.length;
  out.images = document.images.length;
  out.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  out.width = document.documentElement.clientWidth;
  out.links = document.querySelectorAll('[src], [href], link, iframe, object, embed, base').length;
  out.bars = document.querySelectorAll('svg rect').length;
  out.line = document.querySelector('svg line.target').getBoundingClientRect().left;
  out.exact = Array.from(document.querySelectorAll('svg rect')).map(function (r) { return r.getBoundingClientRect().right; });
  out.requests = performance.getEntriesByType('resource').length;
  /* The policy: neither a script nor a picture that a name might bring in. */
  var bad = document.createElement('script');
  bad.textContent = 'document.title = "owned"';
  document.body.appendChild(bad);
  var image = document.createElement('img');
  image.src = 'http://192.0.2.1/x.png';
  document.body.appendChild(image);
  setTimeout(function () {
    out.titleAfter = document.title;
    out.violations = violations;
    document.body.textContent = '';
    var result = document.createElement('pre');
    result.id = 'result';
    result.textContent = JSON.stringify(out);
    document.body.appendChild(result);
    if (parent !== window)
      parent.postMessage(result.textContent, '*');
  }, 50);
})();
"""


def result(good, name, detail=""):
    print("ok " + name if good else f"fail {name}: {detail}", flush=True)


def same(name, got, want):
    result(got == want, name, f"{got!r}, expected {want!r}")


def browse(url, width, *options):
    """The browser's stdout and what its console said."""
    home = os.path.join(work, "home")
    os.makedirs(home, exist_ok=True)
    run = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
         "--disable-crash-reporter", "--no-first-run", "--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND",
         "--user-data-dir=" + os.path.join(work, "profile"), f"--window-size={width},2000", "--enable-logging=stderr",
         *options, "file://" + url],
        capture_output=True, timeout=60, check=True, text=True, errors="replace",
        env={**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home})
    return run.stdout, [line for line in run.stderr.splitlines() if ":CONSOLE" in line]


def make(more):
    path = os.path.join(work, f"{more}.html")
    subprocess.run([maker, path, str(more)], check=True)
    return path


def with_script(page):
    """A copy of the page that tries itself."""
    with open(page, encoding="utf-8") as f:
        text = f.read()
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    text = text.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    text = text.replace("</body>", f"<script>{SCRIPT}</script>\n</body>", 1)
    with open(page.replace(".html", "-tried.html"), "w", encoding="utf-8") as f:
        f.write(text)
    return f.name


def framed(page, width):
    """A page that has it in a frame: windows have a least width."""
    with open(page.replace(".html", f"-{width}.html"), "w", encoding="utf-8") as f:
        f.write(f"""<!DOCTYPE html><body style="margin: 0"><pre id="result"></pre><script>
addEventListener('message', function (e) {{ document.getElementById('result').textContent = e.data; }});
</script><iframe src="{os.path.basename(page)}" style="width: {width}px; height: 1900px; border: 0"></iframe>""")
    return f.name


def findings(path, width):
    said, _ = browse(path, width, "--dump-dom", "--virtual-time-budget=5000")
    found = re.search(r'<pre id="result">(.*?)</pre>', said, re.S)
    if not found:
        result(False, f"the page is tried at {width}", said[-300:])
        sys.exit(0)
    text = found.group(1)
    for entity, char in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, char)
    return json.loads(text)


def colours(path):
    """(width, number of colours) of a PNG of 8 bits a channel."""
    with open(path, "rb") as f:
        data = f.read()
    at, body, width, kind = 8, b"", 0, 0
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at:at + 8])
        if name == b"IHDR":
            width, _, _, kind = struct.unpack(">IIBB", data[at + 8:at + 18])
        elif name == b"IDAT":
            body += data[at + 8:at + 8 + size]
        at += size + 12
    step = {2: 3, 6: 4}[kind]
    raw = zlib.decompress(body)
    # Filtered lines: one colour everywhere would leave a handful of different pixels at most.
    return width, len({raw[i:i + step] for i in range(1, min(len(raw), 4000000), step)})


def check_page(d, more):
    same("all rows are there", d["rows"], 9 + more)
    same("the worst first, as they came", d["first"], "lib/core.so")
    same("the filter shows itself", d["formShown"], True)
    same("keys reach what sorts", d["controls"], True)
    for name, good in zip(("level", "rule", "package", "file", "needs", "has", "finding"), d["sorted"]):
        result(good, f"sorted by {name}, and back, and said so")
    same("numbers sort as numbers", d["numbers"], [f"libhdf5.so.{n}" for n in sorted((i * 7919) % 10007 for i in range(more))[:3]])
    same("levels by weight", d["levels"], ["error", "warning", "info", "ignored"])
    same("all are shown", d["all"], 9 + more)
    same("words, in any case and order", d["words"], ["GLIBC_2.30libc.so.6"])
    same("what is not shown takes no room", d["lower"], True)
    same("what is shown is counted", d["told"], f"1 of {9 + more} shown")
    same("by level", d["byLevel"], {"error": 4, "warning": 2 + more, "info": 1, "ignored": 2})
    same("rules to choose from", d["rules"], 9)
    same("one rule", d["rule"], 2)
    same("packages to choose from", d["packages"], 7)
    same("rule and package", d["both"], ["lib/libcrypto.so"])
    same("a package with a hostile name", d["evil"], 2)
    same("all again", d["back"], 9 + more)
    result(d["sortMs"] < 2000 and d["filterMs"] < 1000, "it is quick", f"{d['sortMs']} ms, {d['filterMs']} ms")
    same("no name ran", (d["title"], d["scripts"], d["images"]), ("Audit for target rhel7", 2, 0))
    same("nothing of elsewhere", (d["links"], d["requests"]), (0, 0))
    same("nor could it", (d["titleAfter"], sorted(d["violations"])), (d["title"], ["img-src", "script-src-elem"]))
    same("a bar for each package", d["bars"], 5)
    result(abs(d["exact"][1] - d["line"]) <= 2 < d["exact"][0] - d["line"], "the line stands where the target is",
           f"{d['line']} beside {d['exact']}")


def check_picture(name, page, width, *options):
    path = os.path.join(work, f"{name}.png")
    _, console = browse(page, width, f"--screenshot={path}", *options)
    same(f"{name}: the console says nothing", console, [])
    wide, n = colours(path)
    result(wide == width and n > 50, f"{name}: a picture", f"{wide} wide, {n} colours")
    with open(path, "rb") as f:
        return f.read()


check_page(findings(with_script(make(MANY)), 1300), MANY)
small = make(FEW)
narrow = findings(framed(with_script(small), 400), 600)
same("400 pixels: nothing sticks out", (narrow["width"], narrow["wide"]), (400, 0))
result(all(narrow["sorted"]), "400 pixels: it still sorts", narrow["sorted"])
light = check_picture("light", small, 1300)
dark = check_picture("dark", small, 1300, "--blink-settings=preferredColorScheme=0")
result(light != dark, "the dark one is another")
check_picture("narrow", framed(small, 400), 600)
