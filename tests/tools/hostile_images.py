#!/usr/bin/env python3
"""hostile_images.py DIR OUTSIDE: images that must not do harm, one a file or folder.

DIR/refused/NAME    must be refused with exit status 5
DIR/harmless/NAME   may be taken: what it tries leads nowhere
DIR/usage/NAME      is no image that could be meant (exit status 2)

OUTSIDE: a folder that links name, in which nothing may change.
"""
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

out, outside = sys.argv[1:3]
for kind in ("refused", "harmless", "usage"):
    os.makedirs(os.path.join(out, kind))
SYM, HARD, DIR = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
CHR, BLK, FIFO = tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE


def member(name, data=b"", kind=tarfile.REGTYPE, link="", mode=0o644):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.size = kind, link, mode, len(data)
    return info, data


def tar(*members):
    to = io.BytesIO()
    with tarfile.open(fileobj=to, mode="w", format=tarfile.GNU_FORMAT) as t:
        t.addfile(member("etc", kind=DIR, mode=0o755)[0])
        for info, data in members:
            t.addfile(info, io.BytesIO(data))
    return to.getvalue()


def promise(size):
    """A tar whose last header promises so many bytes, none of which are there."""
    info = member("a")[0]
    info.size = size
    return tar()[:512] + info.tobuf(tarfile.GNU_FORMAT)


def put(kind, name, data):
    with open(os.path.join(out, kind, name), "wb") as f:
        f.write(data)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def layout(kind, name, layers, lie=lambda d: None):
    """An OCI layout of these tars; lie() changes its documents before the digests are taken."""
    top = os.path.join(out, kind, name)
    os.makedirs(os.path.join(top, "blobs/sha256"))
    blobs = [gzip.compress(layer, 1, mtime=0) for layer in layers]
    d = {"config": {"architecture": "amd64", "os": "linux",
                    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha(x) for x in layers]}},
         "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                     "digest": "sha256:" + sha(b), "size": len(b)} for b in blobs],
         "blobs": blobs, "drop": set(), "index": None, "manifest": None}
    lie(d)

    def blob(data):
        if sha(data) not in d["drop"]:
            with open(os.path.join(top, "blobs/sha256", sha(data)), "wb") as f:
                f.write(data)
        return {"digest": "sha256:" + sha(data), "size": len(data)}

    for i, b in enumerate(d["blobs"]):
        named = d["layers"][i]["digest"][7:] if i < len(d["layers"]) else sha(b)
        if named not in d["drop"] and len(named) == 64 and "/" not in named:
            with open(os.path.join(top, "blobs/sha256", named), "wb") as f:
                f.write(b)
    config = {"mediaType": "application/vnd.oci.image.config.v1+json",
              **blob(json.dumps(d["config"]).encode())}
    manifest = d["manifest"] or {"schemaVersion": 2, "config": config, "layers": d["layers"],
                                 "mediaType": "application/vnd.oci.image.manifest.v1+json"}
    index = {"schemaVersion": 2, "manifests": [
        {"mediaType": "application/vnd.oci.image.manifest.v1+json",
         **blob(json.dumps(manifest).encode())}]}
    index = d["index"](index) if d["index"] else index
    for file, text in (("oci-layout", {"imageLayoutVersion": "1.0.0"}), ("index.json", index)):
        with open(os.path.join(top, file), "w", encoding="utf-8") as f:
            json.dump(text, f)


def docker(kind, name, layers, manifest=None, config=None, extra=(), form=tarfile.PAX_FORMAT):
    names = [f"{i}/layer.tar" for i in range(len(layers))]
    config = config or {"architecture": "amd64", "os": "linux", "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + sha(x) for x in layers]}}
    manifest = manifest if manifest is not None else [
        {"Config": "c.json", "RepoTags": ["a:1"], "Layers": names}]
    to = io.BytesIO()
    with tarfile.open(fileobj=to, mode="w", format=form) as t:
        for info, data in [*extra, *(member(n, x) for n, x in zip(names, layers)),
                           member("c.json", json.dumps(config).encode()),
                           member("manifest.json", json.dumps(manifest).encode())]:
            t.addfile(info, io.BytesIO(data))
    put(kind, name, to.getvalue())


# --- one tar ---------------------------------------------------------------------------------
R, H = "refused", "harmless"
put(R, "parent", tar(member("../evil", b"x")))
put(R, "parent-inside", tar(member("a/../../evil", b"x")))
put(R, "absolute", tar(member(outside + "/evil", b"x")))
put(R, "absolute-link", tar(member(outside + "/evil", kind=SYM, link="x")))
put(R, "dot-dot-end", tar(member("a/..", kind=DIR)))
put(R, "dot-dot-whiteout", tar(member("a/.wh...", b"")))
put(R, "dot-whiteout", tar(member("a/.wh..", b"")))
put(R, "empty-whiteout", tar(member("a/.wh.", b"")))
put(R, "whiteout-with-a-slash", tar(member(".wh.a/../../b", b"")))
put(R, "whiteout-folder", tar(member(".wh.etc/passwd", b"")))
put(R, "long-component", tar(member("a" * 256, b"x")))
put(R, "long-path", tar(member("a/" * 3000 + "a", b"x")))
put(R, "deep", tar(member("a/" * 300 + "a", b"x")))
put(R, "through-file", tar(member("lib", b"x"), member("lib/evil", b"x")))
put(R, "in-circles", tar(member("a", kind=SYM, link="b"), member("b", kind=SYM, link="a"),
                         member("a/c", b"x")))
put(R, "hard-outside", tar(member("a", kind=HARD, link="../../../../../../../../etc/passwd")))
put(R, "hard-absolute", tar(member("a", kind=HARD, link=outside + "/there")))
put(R, "hard-through-link", tar(member("l", kind=SYM, link=outside),
                                member("a", kind=HARD, link="l/there")))
put(R, "hard-to-nothing", tar(member("a", kind=HARD, link="b")))
put(R, "hard-to-folder", tar(member("a", kind=HARD, link="etc")))
put(R, "link-to-nothing", tar(member("a", kind=SYM, link="")))
put(R, "no-bytes", b"")
put(R, "no-archive", b"hello, world\n" * 100)
put(R, "cut", tar(member("a", b"x" * 50000))[:20000])
put(R, "cut-header", tar(member("a", b"x"))[:700])
put(R, "cut.gz", gzip.compress(tar(member("a", os.urandom(50000))))[:20000])
put(R, "size-lies", promise(100) + b"x" * 50)
put(R, "size-huge", promise(1 << 62) + bytes(4096))
put(R, "folders.gz", gzip.compress(tar(*[member("/".join(["a" * 240] * 16), kind=DIR)] * 18000), 1))
put(R, "bomb.gz", gzip.compress(promise(1 << 36) + bytes(1 << 20), 1))
to = io.BytesIO()
sparse = member("a", b"1\n1125899906842624\n0\n".ljust(512, b"\0"))
sparse[0].pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "a",
                         "GNU.sparse.realsize": str(1 << 50)}
with tarfile.open(fileobj=to, mode="w", format=tarfile.PAX_FORMAT) as t:
    t.addfile(member("etc", kind=DIR)[0])
    t.addfile(sparse[0], io.BytesIO(sparse[1]))
put(R, "sparse", to.getvalue())

put(H, "write-through-link", tar(member("l", kind=SYM, link=outside), member("l/evil", b"x")))
put(H, "write-through-parent", tar(member("l", kind=SYM, link="../" * 30 + outside),
                                   member("l/there", b"x")))
put(H, "write-over-link", tar(member("l", kind=SYM, link=outside + "/there"), member("l", b"x")))
put(H, "folder-over-link", tar(member("l", kind=SYM, link=outside), member("l", kind=DIR, mode=0),
                               member("l/there", b"x")))
put(H, "whiteout-through-link", tar(member("l", kind=SYM, link=outside),
                                    member("l/.wh.there", b""), member("l/.wh..wh..opq", b"")))
put(H, "hard-to-link", tar(member("l", kind=SYM, link=outside + "/there"),
                           member("a", kind=HARD, link="l"), member("a", b"x")))
put(H, "devices", tar(member("a", kind=CHR), member("b", kind=BLK), member("c", kind=FIFO)))
put(H, "setuid", tar(member("a", b"x", mode=0o6755), member("b", kind=DIR, mode=0o2755)))
put(H, "closed", tar(member("d", kind=DIR, mode=0), member("d/a", b"x", mode=0)))
put(H, "twice", tar(member("a", b"1"), member("a", kind=DIR), member("a/b", b"2"),
                    member("a", kind=SYM, link=outside), member("a", b"3")))

# --- layers ----------------------------------------------------------------------------------
base, upper = tar(member("a", b"1")), tar(member("a", b"2"))
layout(R, "o-layer-digest", [base, upper], lambda d: d["blobs"].__setitem__(0, d["blobs"][1]))
layout(R, "o-diff-id", [base], lambda d: d["config"]["rootfs"]["diff_ids"].__setitem__(
    0, "sha256:" + sha(upper)))
layout(R, "o-diff-ids-few", [base, upper], lambda d: d["config"]["rootfs"]["diff_ids"].pop())
layout(R, "o-diff-ids-many", [base], lambda d: d["config"]["rootfs"]["diff_ids"].append(
    "sha256:" + sha(upper)))
layout(R, "o-diff-id-word", [base], lambda d: d["config"]["rootfs"]["diff_ids"].__setitem__(
    0, "sha256:../../../../etc/passwd"))
layout(R, "o-layer-gone", [base], lambda d: d["drop"].add(sha(d["blobs"][0])))
layout(R, "o-path-digest", [base], lambda d: d["layers"][0].__setitem__(
    "digest", "sha256:" + "../" * 20 + "etc/passwd"))
layout(R, "o-short-digest", [base], lambda d: d["layers"][0].__setitem__("digest", "sha256:12"))
layout(R, "o-index-digest", [base], lambda d: d.__setitem__(
    "index", lambda i: {**i, "manifests": [{**i["manifests"][0], "digest": "sha256:" + "0" * 64}]}))
layout(R, "o-index-word", [base], lambda d: d.__setitem__("index", lambda i: "hello"))
layout(R, "o-index-empty", [base], lambda d: d.__setitem__("index", lambda i: {}))
layout(R, "o-whiteout-up", [base, tar(member("etc/.wh...", b""))])
layout(R, "o-upper-absolute", [base, tar(member("/evil", b"x"))])
layout(R, "o-cut-layer", [base], lambda d: d["blobs"].__setitem__(0, d["blobs"][0][:-30]))
layout("usage", "o-other-machine", [base], lambda d: d["config"].__setitem__(
    "architecture", "s390x"))
layout("usage", "o-windows", [base], lambda d: d["config"].__setitem__("os", "windows"))
layout(H, "o-link-below", [tar(member("l", kind=SYM, link=outside)),
                           tar(member("l/there", b"x"), member("l/.wh.there", b""),
                               member("l/.wh..wh..opq", b""))])

docker(R, "d-no-list", [base], {"Config": "c.json"})
docker(R, "d-empty-list", [base], [])
docker(R, "d-layer-gone", [base], [{"Config": "c.json", "Layers": ["1/layer.tar"]}])
docker(R, "d-layer-up", [base], [{"Config": "c.json", "Layers": ["../../etc/passwd"]}])
docker(R, "d-config-up", [base], [{"Config": "/etc/passwd", "Layers": ["0/layer.tar"]}])
docker(R, "d-config-gone", [base], [{"Config": "d.json", "Layers": ["0/layer.tar"]}])
docker(R, "d-layer-out", [base], [{"Config": "c.json", "Layers": ["x"]}],
       extra=[member("x", kind=SYM, link=outside + "/there")])
docker(R, "d-layer-circle", [base], [{"Config": "c.json", "Layers": ["x"]}],
       extra=[member("x", kind=SYM, link="y"), member("y", kind=SYM, link="x")])
docker(R, "d-diff-id", [base], config={"os": "linux", "architecture": "amd64", "rootfs": {
    "diff_ids": ["sha256:" + sha(upper)]}})
packed = gzip.compress(base, 1, mtime=0)
thin = member("x", ("1\n0\n%d\n" % len(packed)).encode().ljust(512, b"\0") + packed)
thin[0].pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x",
                       "GNU.sparse.realsize": str(1 << 40)}
docker(R, "d-sparse-layer", [base], [{"Config": "c.json", "Layers": ["x"]}], extra=[thin])
docker("usage", "d-two-images", [base, upper], [
    {"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["0/layer.tar"]},
    {"Config": "c.json", "RepoTags": ["b:1"], "Layers": ["1/layer.tar"]}])
docker("usage", "d-many-images", [base], [
    {"Config": "c.json", "RepoTags": ["a:%d" % i], "Layers": ["0/layer.tar"]} for i in range(4000)])
docker(H, "d-layer-link", [base], [{"Config": "c.json", "Layers": ["1/layer.tar"]}],
       extra=[member("1/layer.tar", kind=SYM, link="../0/layer.tar")])
# 16 million looks, if each is obeyed
docker(H, "d-opaque-again", [base, tar(*(member("d/%d" % i) for i in range(4000)),
                                       *[member("d/.wh..wh..opq")] * 4000)])
docker(R, "d-long-links.gz", [base], [], form=tarfile.GNU_FORMAT, extra=[
    member("l%d" % i, kind=SYM, link="x" * 1000000) for i in range(300)])
with open(os.path.join(out, R, "d-long-links.gz"), "r+b") as f:
    text = gzip.compress(f.read(), 1)
    f.seek(0)
    f.write(text)
    f.truncate()
