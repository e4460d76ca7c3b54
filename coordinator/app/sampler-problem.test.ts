import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startSampler } from '../search/optuna/process.ts';
import { parseSweep } from '../sweepfile/parse.ts';
import type { SweepControl } from '../transport/sweep-service.ts';
import { withSamplerCheck } from './check-sampler.ts';
import { samplerProblem } from './sampler-problem.ts';

const TEXT = 'trainer: noop\nmethod: optuna\nrun_cap: 5\nparameters: {x: {min: 0.0, max: 1.0}}\n';
const SPEC = parseSweep(TEXT, 'x.yaml');

/** Returns the path of a fake Python interpreter, which runs the shell commands each time the sampler is started. */
function interpreter(commands: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-python-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, 'python');
  writeFileSync(path, `#!/bin/sh\n${commands}\n`);
  chmodSync(path, 0o755);
  return path;
}

test('a missing interpreter is a problem', async () => {
  expect(await samplerProblem(SPEC, { python: '/no/such/python', start: startSampler })).toMatch(
    /there is no program "\/no\/such\/python" to run the sampler; install Python/,
  );
});

test('if Optuna is not installed, the problem names the command that installs it', async () => {
  const python = interpreter(`echo '{"kind": "optuna", "error": "/usr/bin/python9"}' >&4`);
  expect(await samplerProblem(SPEC, { python, start: startSampler })).toBe(
    `Optuna is not installed for ${python}; install it with: /usr/bin/python9 -m pip install optuna`,
  );
});

test('if the process ends without an answer, the problem includes the last line of the output of the process', async () => {
  const python = interpreter('echo "ImportError: no cmaes" >&2; exit 1');
  expect(await samplerProblem(SPEC, { python, start: startSampler })).toBe(
    'the Python process of the sampler exited with code 1: ImportError: no cmaes',
  );
});

test('no problem is reported for a sampler that makes a suggestion, a slow sampler, or a sweep without a sampler', async () => {
  const python = interpreter(`echo '{"number": 0, "values": {"x": 0.5}, "attributes": ""}' >&4`);
  expect(await samplerProblem(SPEC, { python, start: startSampler })).toBeUndefined();
  expect(
    await samplerProblem(SPEC, { python: interpreter('sleep 20'), start: startSampler, timeoutMs: 50 }),
  ).toBeUndefined();
  const random = parseSweep(TEXT.replace('optuna', 'random'), 'x.yaml');
  expect(await samplerProblem(random, { python: '/no/such/python', start: startSampler })).toBeUndefined();
});

test('a sweep whose sampler cannot run is not submitted', async () => {
  const submitted: string[] = [];
  const control = {
    submit: async ({ text }) => {
      submitted.push(text);
      return '1';
    },
  } as Partial<SweepControl> as SweepControl;
  const options = { python: '/no/such/python', start: startSampler };
  const checked = withSamplerCheck(control, { checkSampler: () => {} }, options);
  const request = { requestId: 'r', fileName: 'x.yaml', source: undefined };
  await expect(checked.submit({ ...request, text: TEXT })).rejects.toThrow('method optuna: there is no program');
  expect(await checked.submit({ ...request, text: TEXT.replace('optuna', 'random') })).toBe('1');
  expect(submitted).toHaveLength(1);
});
