import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { runFixture } from '../../../test/support/run-fixture.ts';
import { probeBackends } from '../../machine/probe.ts';

const PROGRAM = new URL('./one-trial.fixture.ts', import.meta.url);
const TRIAL = { depth: 5, noise_std: 0.5, lambda_l1: 1e-5, weight_decay: 1e-5, train_size: 200, epochs: 1 };

/** wasm has one thread whatever is asked for. */
const native = (await probeBackends()).some(({ name, loads }) => name === 'tensorflow' && loads);
const dataDir = await mkdtemp(join(tmpdir(), 'trawl-threads-test-'));

afterEach(() => vi.unstubAllEnvs());
afterAll(() => rm(dataDir, { recursive: true, force: true }));

async function reportsWith(threads: number): Promise<unknown> {
  vi.stubEnv('TRAWL_BACKEND', 'tensorflow');
  // As many within an operation as operations at the same time: more of both than a slot has.
  vi.stubEnv('TF_NUM_INTRAOP_THREADS', `${threads}`);
  vi.stubEnv('TF_NUM_INTEROP_THREADS', `${threads}`);
  return JSON.parse((await runFixture(PROGRAM, dataDir, JSON.stringify(TRIAL))).stdout);
}

test.runIf(native)(
  'on libtensorflow a trial has the same bits with one thread and with several',
  {
    timeout: 180_000,
  },
  async () => {
    const alone = await reportsWith(1);
    for (const threads of [2, 3]) expect(await reportsWith(threads)).toEqual(alone);
  },
);
