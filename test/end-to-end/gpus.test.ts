/**
 * GPU detection on a machine without GPUs, with an nvidia-smi that prints the recorded output of a real one. `npm run bench:gpu`
 * trains on real GPUs.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
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

test('an agent has one slot per GPU, and each worker sees only its own GPU', { timeout: 120_000 }, async () => {
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

test('--require-gpu rejects a machine whose GPUs are unusable, with the reason', { timeout: 120_000 }, async () => {
  const text = 'trainer: noop\nparameters: {x: {values: [1]}}\n';
  const { stderr, code } = await trawl(
    ...['up', sweepFile(folder, text), '--dir', join(folder, 'run'), '--require-gpu'],
  );
  expect(code).toBe(3);
  expect(stderr).toContain('--require-gpu is set, but no GPU can be used');
  expect(stderr).toMatch(/tensorflow-gpu: .*(native part|computes on the CPU)/);
});
