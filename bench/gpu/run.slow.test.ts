/** Runs steps of the command on the CPU: the measurement of speed, a sweep with packs, and the kill of a worker. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { packageRoot } from '../../bin/package.ts';
import { testFolder } from '../../test/support/folder.ts';
import type { StepReport } from './step-runner.ts';

test('with little work on wasm, every step that needs no GPU passes', { timeout: 600_000 }, async () => {
  const out = join(testFolder(), 'out');
  const program = join(packageRoot(), 'dist', 'bench', 'gpu', 'run.js');
  const args = ['--all', '--backend', 'wasm', '--small', '--only', 'speed,sweep,kill', '--out', out];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [program, ...args]).catch((error) => error);
  const { steps } = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as { steps: StepReport[] };
  expect(
    steps.map(({ name, state }) => [name, state]),
    `${stdout}\n${stderr}`,
  ).toEqual([
    ['speed', 'PASS'],
    ['sweep', 'PASS'],
    ['kill', 'PASS'],
  ]);
  const [speed, sweep, kill] = steps;
  expect(speed?.table?.rows.length).toBeGreaterThanOrEqual(3);
  expect(sweep?.reason).toMatch(/^4 trials succeeded in /);
  expect(kill?.reason).toMatch(
    /^2 trials succeeded exactly once; the kill ended the attempts of [12] trials of a pack of 2$/,
  );
});
