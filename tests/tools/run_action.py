#!/usr/bin/env python3
"""run_action.py ACTION.json [INPUT=VALUE]...: runs the steps of a composite action as a runner does.

ACTION.json is action.yml by yaml_json. The environment is the workflow's. Each output of the action is
printed as "NAME=VALUE"; the status is that of the first step that fails. Known are the expressions that
action.yml has: names, texts in quotes, ||, &&, == and !=, brackets.
"""
import json
import os
import re
import subprocess
import sys
import tempfile


class Runner:
    def __init__(self, action, inputs, path):
        self.inputs = {name: inputs.pop(name, spec.get('default') or '')
                       for name, spec in action['inputs'].items()}
        if inputs:
            sys.exit('no input %s' % ', '.join(inputs))
        self.outputs, self.env, self.action_path = {}, dict(os.environ), path

    def name(self, text):
        parts = text.split('.')
        if parts[0] == 'inputs':
            return self.inputs[parts[1]]
        if parts[0] == 'env':
            return self.env.get(parts[1], '')
        if parts[0] == 'steps' and parts[2] == 'outputs':
            return self.outputs[parts[1]].get(parts[3], '')
        if text == 'github.action_path':
            return self.action_path
        sys.exit('no name %s' % text)

    def value(self, text):
        """Of an expression: its words become Python's."""
        words = re.findall(r"'[^']*'|[\w.-]+|\|\||&&|==|!=|[()]|\S", text)
        known = {'||': 'or', '&&': 'and', '==': '==', '!=': '!=', '(': '(', ')': ')'}
        return eval(' '.join(known.get(w) or repr(w[1:-1] if w[0] == "'" else self.name(w))
                             for w in words), {})

    def fill(self, text):
        return re.sub(r'\$\{\{(.*?)\}\}', lambda m: str(self.value(m.group(1)) or ''), text)

    def step(self, step):
        condition = step.get('if', "'yes'")
        if not self.value(re.sub(r'^\$\{\{(.*)\}\}$', r'\1', condition)):
            return 0
        if step['shell'] != 'bash':
            sys.exit('no shell %s' % step['shell'])
        with tempfile.TemporaryDirectory() as folder:
            script, output, path = (os.path.join(folder, n) for n in ('script', 'output', 'path'))
            with open(script, 'w') as f:
                f.write(self.fill(step['run']))
            for name in (output, path):
                open(name, 'w').close()
            env = dict(self.env, GITHUB_OUTPUT=output, GITHUB_PATH=path)
            env.update({k: self.fill(v) for k, v in step.get('env', {}).items()})
            status = subprocess.run(['bash', '--noprofile', '--norc', '-eo', 'pipefail', script],
                                    env=env, check=False).returncode
            with open(path) as f:
                self.env['PATH'] = ':'.join(f.read().split()[::-1] + [self.env['PATH']])
            with open(output) as f:
                self.outputs[step.get('id')] = dict(line.rstrip('\n').split('=', 1) for line in f)
        return status


def main():
    with open(sys.argv[1]) as f:
        action = json.load(f)
    if action['runs']['using'] != 'composite':
        sys.exit('no composite action')
    runner = Runner(action, dict(a.split('=', 1) for a in sys.argv[2:]),
                    os.environ.get('ACTION_PATH', ''))
    for step in action['runs']['steps']:
        status = runner.step(step)
        if status:
            sys.exit(status)
    for name, spec in action['outputs'].items():
        print('%s=%s' % (name, runner.fill(spec['value'])))


main()
