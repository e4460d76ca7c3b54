/**
 * Tests GPU detection on a machine without GPUs. Fake tools print output that was recorded from the tools of real
 * drivers. `npm run bench:gpu` trains on real GPUs.
 */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { packageRoot } from '../../bin/package.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { trawl, trawlJson } from '../support/trawl.ts';

const TWO_CARDS = '0, NVIDIA H100 80GB HBM3, 81559\n1, NVIDIA H100 80GB HBM3, 81559\n';
const path = process.env.PATH;
let folder: string;

beforeEach(() => {
  folder = testFolder();
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'nvidia-smi'), `#!/bin/sh\nprintf '%s' '${TWO_CARDS}'\n`);
  chmodSync(join(bin, 'nvidia-smi'), 0o755);
  process.env.PATH = `${bin}:${path}`;
});
afterEach(() => {
  process.env.PATH = path;
});

test('an agent has one slot per GPU, and each worker sees only its own GPU', { timeout: 300_000 }, async () => {
  writeFileSync(
    join(folder, 'which.sh'),
    `echo '{"gpu": '"$CUDA_VISIBLE_DEVICES"', "grows": '"$([ "$TF_FORCE_GPU_ALLOW_GROWTH" = true ] && echo 1)"'}'; sleep 2\n`,
  );
  const text = 'command: [sh, which.sh]\nmetric: {name: gpu}\nparameters: {x: {values: [1, 2]}}\n';
  const { trials } = await trawlJson<{ trials: TrialJson[] }>(
    ...['up', sweepFile(folder, text), '--dir', join(folder, 'run'), '--workdir', folder],
  );
  expect(trials.map(({ metrics }) => metrics).sort((a, b) => Number(a.gpu) - Number(b.gpu))).toEqual([
    { gpu: 0, grows: 1 },
    { gpu: 1, grows: 1 },
  ]);
});

const WHICH =
  `echo '{"gpu": "'"$CUDA_VISIBLE_DEVICES"'", "hip": "'"$HIP_VISIBLE_DEVICES"'", "order": "'"$CUDA_DEVICE_ORDER"'", "loss": 1}' >> seen; ` +
  `echo '{"loss": 1}'; sleep 2\n`;

/**
 * Installs a program in place of a driver's tool. With the option -L, the program prints the fixture `list`; otherwise,
 * it prints the fixture `output`.
 */
function install(name: string, output: string, list = output): void {
  const fixtures = join(packageRoot(), 'agent', 'machine', 'fixtures');
  const file = join(folder, 'bin', name);
  writeFileSync(file, `#!/bin/sh\ncase "$1" in -L) cat ${fixtures}/${list} ;; *) cat ${fixtures}/${output} ;; esac\n`);
  chmodSync(file, 0o755);
}

/** Runs four trials, and returns each distinct set of GPU variables that their programs received. */
async function variablesOf(env: Record<string, string>): Promise<{ gpu: string; hip: string; order: string }[]> {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  writeFileSync(join(folder, 'which.sh'), WHICH);
  const text = 'command: [sh, which.sh]\nmetric: {name: loss}\nparameters: {x: {values: [1, 2, 3, 4]}}\n';
  const { code, stderr } = await trawl(
    'up',
    sweepFile(folder, text),
    '--dir',
    join(folder, 'run'),
    '--workdir',
    folder,
  );
  expect(code, stderr).toBe(0);
  const lines = readFileSync(join(folder, 'seen'), 'utf8').trim().split('\n');
  return [...new Set(lines)].sort().map((line) => JSON.parse(line));
}

test('programs receive only the visible GPUs, numbered as in nvidia-smi', { timeout: 300_000 }, async () => {
  install('nvidia-smi', 'nvidia-smi-query.txt', 'nvidia-smi-L.txt');
  expect(await variablesOf({ CUDA_VISIBLE_DEVICES: '3,GPU-x', CUDA_DEVICE_ORDER: 'FASTEST_FIRST' })).toMatchObject([
    { gpu: '3', order: 'PCI_BUS_ID' },
  ]);
});

test('programs receive no GPU if no GPU is visible', { timeout: 300_000 }, async () => {
  install('nvidia-smi', 'nvidia-smi-query.txt', 'nvidia-smi-L.txt');
  expect(await variablesOf({ NVIDIA_VISIBLE_DEVICES: 'none', CUDA_VISIBLE_DEVICES: '0,1' })).toMatchObject([
    { gpu: '' },
  ]);
});

test('each program receives one MIG instance', { timeout: 300_000 }, async () => {
  install('nvidia-smi', 'nvidia-smi-query.txt', 'nvidia-smi-L-mig.txt');
  expect(await variablesOf({ CUDA_VISIBLE_DEVICES: 'MIG-1e852099,MIG-cba663e8' })).toMatchObject([
    { gpu: 'MIG-1e852099-16ab-5e5f-8dd2-32c6ba4c4c59', order: 'PCI_BUS_ID' },
    { gpu: 'MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb', order: 'PCI_BUS_ID' },
  ]);
});

test('programs receive AMD GPUs if nvidia-smi finds no GPU', { timeout: 300_000 }, async () => {
  install('nvidia-smi', 'nvidia-smi-no-driver.txt');
  install('rocm-smi', 'rocm-smi.json');
  expect(await variablesOf({ ROCR_VISIBLE_DEVICES: '2,0', HIP_VISIBLE_DEVICES: '1,0' })).toMatchObject([
    { gpu: '0', hip: '0' },
    { gpu: '1', hip: '1' },
  ]);
});

test('with --require-gpu, a machine whose GPUs are unusable is rejected, and the error states the reason', {
  timeout: 300_000,
}, async () => {
  const text = 'trainer: noop\nparameters: {x: {values: [1]}}\n';
  const { stderr, code } = await trawl(
    ...['up', sweepFile(folder, text), '--dir', join(folder, 'run'), '--require-gpu'],
  );
  expect(code).toBe(3);
  expect(stderr).toContain('--require-gpu is set, but no GPU can be used');
  expect(stderr).toMatch(/tensorflow-gpu: .*(native part|computes on the CPU)/);
});
