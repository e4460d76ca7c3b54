/** Runs the command with the recorded output of nvidia-smi, on a machine without a GPU. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../bin/package.ts';
import { testFolder } from '../../test/support/folder.ts';
import type { StepReport } from './step-runner.ts';

const RUN = join(packageRoot(), 'dist', 'bench', 'gpu', 'run.js');
const FIXTURES = join(packageRoot(), 'agent', 'machine', 'fixtures');

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], path: string, cache: string): Promise<Ended> {
  const env = { ...process.env, PATH: `${path}:${process.env.PATH}`, XDG_CACHE_HOME: cache };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [RUN, ...args], { env }, (_error, stdout, stderr) =>
      resolve({ status: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

test('with recorded output of nvidia-smi, every step ends, and each step that needs a GPU states what is missing', {
  timeout: 180_000,
}, async () => {
  const folder = testFolder();
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const script = `#!/bin/sh
case "$*" in
  -L) cat ${FIXTURES}/nvidia-smi-L.txt ;;
  *driver_version*) echo 'NVIDIA H100 80GB HBM3, 81559 MiB, 550.90.07' ;;
  *) cat ${FIXTURES}/nvidia-smi-query.txt ;;
esac
`;
  writeFileSync(join(bin, 'nvidia-smi'), script);
  chmodSync(join(bin, 'nvidia-smi'), 0o755);
  const out = join(folder, 'out');
  const { status, stdout } = await run(['--all', '--out', out], bin, join(folder, 'cache'));
  const { steps } = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as { steps: StepReport[] };
  const stateOf = (name: string) => steps.find((step) => step.name === name);
  expect(stateOf('machine')).toMatchObject({ state: 'PASS' });
  expect(stateOf('machine')?.reason).toMatch(/^NVIDIA H100 80GB HBM3, 81559 MiB, 550\.90\.07; /);
  expect(stateOf('install')).toMatchObject({ state: 'could not run' });
  expect(stateOf('install')?.reason).toContain('has no libtensorflow for GPUs');
  for (const name of ['speed', 'pytorch', 'pack', 'sweep', 'kill', 'oom', 'tests']) {
    expect(stateOf(name), name).toMatchObject({ state: 'could not run' });
    expect(stateOf(name)?.reason, name).toContain('tensorflow-gpu does not load: ');
  }
  expect(status).toBe(3);
  expect(stdout).toContain('oom      could not run: tensorflow-gpu does not load');
  expect(readFileSync(join(out, 'results.md'), 'utf8')).toContain('| The GPU runs out of memory | could not run |');
});

test('unknown steps, backends and limits are rejected with exit code 2', { timeout: 60_000 }, async () => {
  const commands = [
    ['--all', '--only', 'sped'],
    ['--backend', 'gpu'],
    ['--all', '--limit', 'x'],
  ];
  const results = [];
  for (const args of commands) {
    const { status, stderr } = await run(args, '', '/nonexistent');
    results.push([status, stderr.trim()]);
  }
  expect(results).toEqual([
    [2, expect.stringMatching(/^--only sped: expected one of machine, install, kernels, speed,/)],
    [2, '--backend gpu: expected one of tensorflow-gpu, tensorflow, wasm'],
    [2, '--limit x: expected a number of seconds'],
  ]);
});
