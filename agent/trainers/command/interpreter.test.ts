import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { pythonInterpreter } from './interpreter.ts';
import { recordedCommand } from './invocation.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-interpreter-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function program(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

test.each<
  [
    string,
    (paths: { python: string; script: string; env: string; tool: string; shell: string }) => [string, string[]],
    string | undefined,
  ]
>([
  ['the interpreter itself', ({ python }) => [python, ['train.py']], 'python3'],
  ['the interpreter through env', () => ['/usr/bin/env', ['A=1', 'python3', 'train.py']], 'python3'],
  ['a script that names the interpreter', ({ script }) => [script, []], 'python3'],
  ['a script that names env', ({ env }) => [env, []], 'python3'],
  ['a tool without Python', ({ tool }) => [tool, []], undefined],
  ['a shell script, which can start anything', ({ shell }) => [shell, ['python3']], undefined],
  ['a program that does not exist', () => ['/nowhere/x', []], undefined],
])(
  'the Python interpreter that a command names is found; it is undefined if the command names none: %s',
  async (_, commandOf, expected) => {
    const python = program('python3', '#!/bin/sh\n');
    const [path, rest] = commandOf({
      python,
      script: program('tool.py', `#! ${python} -u\nprint(1)\n`),
      env: program('torchrun', '#!/usr/bin/env python3\n'),
      tool: program('tool', '\x7fELF\0\0'),
      shell: program('run.sh', '#!/bin/sh\n'),
    });
    const found = pythonInterpreter(path, rest, dir, dir);
    expect(found).toBe(expected === undefined ? undefined : join(dir, expected));
  },
);

test('a recorded command contains the values of parameters, but not the values of environment variables', () => {
  const trial = {
    parameters: { lr: 0.1 },
    floatParameters: [],
    seed: 7,
    trialId: 't',
    environment: { TOKEN: 'secret' },
    folders: { artifacts: '/a', parameters: '/p' },
  };
  // biome-ignore lint/suspicious/noTemplateCurlyInString: macros have this form
  const command = ['python3', '--token=${envvar:TOKEN}', '${args}', '${seed}'];
  // biome-ignore lint/suspicious/noTemplateCurlyInString: macros have this form
  expect(recordedCommand(command, trial)).toEqual(['python3', '--token=${envvar:TOKEN}', '--lr=0.1', '7']);
  const long = recordedCommand(['python3', 'x'.repeat(10_000), 'y'.repeat(10_000)], trial);
  expect(long).toEqual(['python3', 'x'.repeat(10_000), '...']);
});
