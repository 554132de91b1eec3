#!/usr/bin/env python3
"""check_statements.py NAME.intoto.jsonl PREFIX: is it in-toto and SLSA, and true of the files beside it?

PREFIX is the unpacked archive.  The rules are those of in-toto's Statement v1 and ResourceDescriptor, SLSA's
provenance v1 and the predicate test-result v0.1.
"""
import hashlib
import json
import os
import re
import sys

DESCRIPTOR = 'name uri digest content downloadLocation mediaType annotations'.split()
faults = []


def need(what, good):
    if not good:
        faults.append(what)


def keys(where, thing, allowed, required=()):
    need("%s may have only these keys" % where, set(thing) <= set(allowed))
    need("%s has these keys" % where, set(required) <= set(thing))


def descriptor(where, d):
    keys(where, d, DESCRIPTOR)
    need('%s says what it is' % where, {'uri', 'digest', 'content'} & set(d))
    for algorithm, value in d.get('digest', {}).items():
        need('%s: digest' % where, re.fullmatch({'sha256': '[0-9a-f]{64}', 'gitCommit': '[0-9a-f]{40}'}[algorithm],
                                                value))


def sha256(path):
    with open(path, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


def provenance(p, folder, papers):
    keys('the predicate', p, ('buildDefinition', 'runDetails'), ('buildDefinition', 'runDetails'))
    b, r = p['buildDefinition'], p['runDetails']
    keys('buildDefinition', b, 'buildType externalParameters internalParameters resolvedDependencies'.split(),
         ('buildType', 'externalParameters'))
    need('the type is a URI', re.match('https://', b['buildType']))
    for d in b['resolvedDependencies']:
        descriptor(d.get('name', '?'), d)
    byname = {d['name']: d for d in b['resolvedDependencies']}
    manifest = json.load(open(os.path.join(papers, 'manifest.json')))
    for package in manifest['packages']:
        d = byname.get(package['file'], {})
        need('%s is named with its sum' % package['file'], d.get('digest') == {'sha256': package['sha256']})
        need('%s has a URI' % package['file'], re.match('pkg:conda/|https?://', d.get('uri', '')))
    for paper in ('environment.yml', 'envbuild.lock', 'profile.yml', 'run-test.sh', 'pre-pack.sh'):
        path = os.path.join(papers, paper)
        if os.path.exists(path):
            need('%s has its sum' % paper, byname[paper]['digest']['sha256'] == sha256(path))
            need('%s is a parameter' % paper, b['externalParameters'][paper] == byname[paper])
    need('the options are the manifest\'s', b['externalParameters']['making'] == manifest['making'])
    for key in ('rules', 'dest_prefix'):
        need('%s as in the manifest' % key, b['externalParameters'].get(key) == manifest.get(key))
    need('the target', b['externalParameters']['target'] == manifest['target'])
    need('the version', b['externalParameters'].get('version') == manifest.get('version'))
    need('the image, or why there is no digest', 'digest' in byname['image'] or
         byname['image']['annotations']['root'] in ('/', 'a folder'))
    keys('runDetails', r, ('builder', 'metadata', 'byproducts'), ('builder',))
    keys('builder', r['builder'], ('id', 'version', 'builderDependencies'), ('id',))
    keys('metadata', r['metadata'], ('invocationId', 'startedOn', 'finishedOn'))
    for key in ('startedOn', 'finishedOn'):
        need(key, re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ', r['metadata'][key]))
    need('it ended after it began', r['metadata']['startedOn'] <= r['metadata']['finishedOn'])
    for d in r['byproducts']:
        descriptor(d['name'], d)
        need('%s has its sum' % d['name'], d['digest']['sha256'] == sha256(os.path.join(folder, d['name'])))


def test_result(p):
    keys('the test', p, 'result configuration url passedTests warnedTests failedTests'.split(),
         ('result', 'configuration'))
    need('the result', p['result'] == 'PASSED' and p['passedTests'])
    for d in p['configuration']:
        descriptor(d.get('name', '?'), d)


path, prefix = sys.argv[1:3]
folder = os.path.dirname(os.path.abspath(path))
statements = [json.loads(line) for line in open(path)]
for s in statements:
    keys('the statement', s, '_type subject predicateType predicate'.split(), '_type subject predicateType'.split())
    need('its type', s['_type'] == 'https://in-toto.io/Statement/v1')
    need('it has subjects', s['subject'])
    for d in s['subject']:
        descriptor('a subject', d)
        need('%s has its sum' % d['name'], d['digest']['sha256'] == sha256(os.path.join(folder, d['name'])))
kinds = [s['predicateType'] for s in statements]
need('the kinds', kinds in (['https://slsa.dev/provenance/v1'],
                            ['https://slsa.dev/provenance/v1', 'https://in-toto.io/attestation/test-result/v0.1']))
provenance(statements[0]['predicate'], folder, os.path.join(prefix, 'conda-meta', 'envbuild'))
if len(statements) > 1:
    test_result(statements[1]['predicate'])
print('%d statements' % len(statements))
for fault in faults:
    print('not so: ' + fault)
sys.exit(bool(faults))
