#!/usr/bin/env python3
"""check_sbom.py PREFIX [CHANNEL]: is conda-meta/envbuild/sbom.cdx.json of an unpacked archive CycloneDX 1.5?

The rules are those of bom-1.5.schema.json for what envbuild writes: which keys a thing may have, which it must
have, the forms of texts; a thing with a key that is not in the schema is wrong (additionalProperties: false).
With CHANNEL, an index, what it says of packages must be what the list says.
"""
import json
import os
import re
import sys
from urllib.parse import unquote

HASHES = {'MD5': 32, 'SHA-1': 40, 'SHA-256': 64, 'SHA-384': 96, 'SHA-512': 128}
TYPES = ('application framework library container platform operating-system device device-driver firmware file '
         'machine-learning-model data').split()
REFERENCES = ('vcs issue-tracker website advisories bom mailing-list social chat documentation support '
              'source-distribution distribution distribution-intake license build-meta build-system release-notes '
              'other').split()
BOM = ('$schema bomFormat specVersion serialNumber version metadata components services externalReferences '
       'dependencies compositions vulnerabilities annotations formulation properties signature').split()
METADATA = 'timestamp lifecycles tools authors component manufacture supplier licenses properties'.split()
COMPONENT = ('type mime-type bom-ref supplier author publisher group name version description scope hashes licenses '
             'copyright cpe purl swid modified pedigree externalReferences components evidence releaseNotes '
             'modelCard data properties signature').split()
PEDIGREE = 'ancestors descendants variants commits patches notes'.split()
faults = []


def need(what, good):
    if not good:
        faults.append(what)


def keys(where, thing, allowed, required=()):
    need('%s is a map' % where, isinstance(thing, dict))
    for key in thing:
        need("%s may have '%s'" % (where, key), key in allowed)
    for key in required:
        need("%s has '%s'" % (where, key), key in thing)


def text(where, value):
    need('%s is a text' % where, isinstance(value, str) and value)


def url(where, value):
    need('%s is a URL of others: %s' % (where, value), re.match(r'https?://[^@\s]+$', value))


def licenses(where, value):
    need('%s: licences are a list' % where, isinstance(value, list) and value)
    need('%s: an expression stands alone' % where, len(value) == 1 or all('license' in v for v in value))
    for v in value:
        keys(where + ' licence', v, ('license', 'expression', 'bom-ref'))
        need('%s: one of the two' % where, ('license' in v) != ('expression' in v))
        if 'license' in v:
            keys(where + ' licence', v['license'], ('bom-ref', 'id', 'name', 'text', 'url', 'licensing', 'properties'))
            need('%s: id or name' % where, ('id' in v['license']) != ('name' in v['license']))


def properties(where, value):
    for p in value:
        keys(where + ' property', p, ('name', 'value'), ('name', 'value'))
        text(where + ' property', p['name'])
        need("%s: '%s' is of envbuild's" % (where, p['name']), p['name'].startswith('envbuild:'))


def component(where, c):
    keys(where, c, COMPONENT, ('type', 'name', 'bom-ref'))
    need('%s: type' % where, c['type'] in TYPES)
    text(where + ' name', c['name'])
    for h in c.get('hashes', []):
        keys(where + ' hash', h, ('alg', 'content'), ('alg', 'content'))
        need('%s: a good hash' % where, re.fullmatch(r'[0-9a-f]{%d}' % HASHES.get(h['alg'], 0), h['content']))
    if 'licenses' in c:
        licenses(where, c['licenses'])
    for r in c.get('externalReferences', []):
        keys(where + ' reference', r, ('url', 'comment', 'type', 'hashes'), ('url', 'type'))
        need('%s: type of reference' % where, r['type'] in REFERENCES)
        url(where, r['url'])
    if 'pedigree' in c:
        keys(where + ' pedigree', c['pedigree'], PEDIGREE)
        for commit in c['pedigree'].get('commits', []):
            keys(where + ' commit', commit, ('uid', 'url', 'author', 'committer', 'message'))
            need('%s: a commit' % where, re.fullmatch(r'[0-9a-f]{40,64}', commit['uid']))
            if 'url' in commit:
                url(where, commit['url'])
    properties(where, c.get('properties', []))
    if c['type'] == 'library':
        purl(where, c)


def purl(where, c):
    """scheme:type/namespace/name@version?qualifiers, qualifiers sorted and encoded."""
    m = re.fullmatch(r'pkg:(conda|pypi)/([^@/?]+)@([^@/?]+)(?:\?(.+))?', c.get('purl', ''))
    need('%s has a purl: %s' % (where, c.get('purl')), m)
    if not m:
        return
    need('%s: purl of this name' % where, unquote(m.group(2)) == c['name'])
    need('%s: purl of this version' % where, unquote(m.group(3)) == c['version'])
    pairs = [q.split('=') for q in (m.group(4) or '').split('&') if q]
    need('%s: qualifiers are sorted' % where, [p[0] for p in pairs] == sorted({p[0] for p in pairs}))
    need('%s: nothing of this machine' % where, 'file:' not in unquote(c['purl']))
    for _, value in pairs:
        need('%s: encoded' % where, re.fullmatch(r'(?:[A-Za-z0-9._~:-]|%[0-9A-F]{2})+', value))
    if m.group(1) == 'conda':
        have = dict(pairs)
        need('%s: qualifiers' % where, {'build', 'subdir', 'type'} <= set(have) <=
             {'build', 'channel', 'subdir', 'type'} and have['type'] in ('conda', 'tar.bz2'))


def document(bom):
    keys('the document', bom, BOM, ('bomFormat', 'specVersion', 'serialNumber', 'version', 'metadata', 'components',
                                    'dependencies'))
    need('the format', bom['bomFormat'] == 'CycloneDX' and bom['specVersion'] == '1.5' and bom['version'] == 1)
    need('a UUID', re.fullmatch(r'urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}',
                                bom['serialNumber']))
    keys('metadata', bom['metadata'], METADATA, ('timestamp', 'component'))
    need('a time', re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ', bom['metadata']['timestamp']))
    for c in bom['metadata']['tools']['components']:
        keys('tool', c, COMPONENT, ('type', 'name'))
    component('the environment', bom['metadata']['component'])
    for c in bom['components']:
        component(c.get('name', '?'), c)
    refs = [c['bom-ref'] for c in bom['components']] + [bom['metadata']['component']['bom-ref']]
    need('each bom-ref once', len(refs) == len(set(refs)))
    need('each has its dependencies', sorted(d['ref'] for d in bom['dependencies']) == sorted(refs))
    for d in bom['dependencies']:
        keys('dependency', d, ('ref', 'dependsOn'), ('ref',))
        on = d.get('dependsOn', [])
        need('%s depends on what is there, once' % d['ref'], set(on) <= set(refs) and len(on) == len(set(on)))


def against_manifest(bom, manifest):
    conda = {c['name']: c for c in bom['components'] if c['purl'].startswith('pkg:conda/')}
    need('name', bom['metadata']['component']['name'] == manifest['name'])
    need('version', bom['metadata']['component'].get('version') == manifest.get('version'))
    need('the packages', sorted(conda) == sorted(p['name'] for p in manifest['packages']))
    for p in manifest['packages']:
        c = conda.get(p['name'], {})
        need('%s: version' % p['name'], c.get('version') == p['version'])
        need('%s: sha256' % p['name'], {'alg': 'SHA-256', 'content': p['sha256']} in c.get('hashes', []))
        need('%s: build' % p['name'], {'name': 'envbuild:build', 'value': p['build']} in c.get('properties', []))


def against_channel(bom, channel):
    for sub in os.listdir(channel):
        path = os.path.join(channel, sub, 'repodata.json')
        index = json.load(open(path)) if os.path.exists(path) else {}
        for record in list(index.get('packages', {}).values()) + list(index.get('packages.conda', {}).values()):
            for c in bom['components']:
                if c['name'] != record['name'] or not c['purl'].startswith('pkg:conda/'):
                    continue
                said = [v.get('expression') or v['license']['name'] for v in c.get('licenses', [])]
                need('%s: licence' % c['name'], said == [record['license']] if record.get('license') else not said)
                need('%s: md5' % c['name'], {'alg': 'MD5', 'content': record['md5']} in c['hashes'])
                wanted = {d.split()[0] for d in record['depends']}
                on = next(d.get('dependsOn', []) for d in bom['dependencies'] if d['ref'] == c['bom-ref'])
                have = {x['name'] for x in bom['components'] if x['bom-ref'] in on}
                need('%s: depends' % c['name'], have == {w for w in wanted if not w.startswith('__')})


papers = os.path.join(sys.argv[1], 'conda-meta', 'envbuild')
with open(os.path.join(papers, 'sbom.cdx.json')) as f:
    sbom = json.load(f)
document(sbom)
with open(os.path.join(papers, 'manifest.json')) as f:
    against_manifest(sbom, json.load(f))
if len(sys.argv) > 2:
    against_channel(sbom, sys.argv[2])
for fault in faults:
    print('not so: ' + fault)
sys.exit(bool(faults))
