import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { runFixture } from '../../../test/support/run-fixture.ts';
import { probeBackends } from '../../machine/probe.ts';

const isNative = (await probeBackends()).some(({ name, loads }) => name === 'tensorflow' && loads);

test.runIf(isNative)('after its first session is opened, libtensorflow writes nothing more to stderr', async () => {
  const { stdout, stderr } = await runFixture(new URL('./first-session.fixture.ts', import.meta.url));
  expect(stdout).toBe('true\n');
  expect(stderr).toMatch(/(^|\n)ready\n$/);
});

test.runIf(isNative)(
  'networks with the same seed have the same parameters after a step',
  { timeout: 120_000 },
  async () => {
    // In an earlier version, both moments used the same memory, and about a quarter of the networks had NaN parameters.
    const { stdout } = await runFixture(new URL('./repeated-steps.fixture.ts', import.meta.url), '40');
    expect(stdout).toBe('0\n');
  },
);

test.runIf(isNative)(
  'steps in a loop give the same losses as single steps within rounding, even when members leave the pack, and leak no tensor',
  { timeout: 120_000 },
  async () => {
    const { stdout } = await runFixture(new URL('./pack-steps.fixture.ts', import.meta.url));
    const { losses, steps, difference, left } = JSON.parse(stdout);
    expect({ losses, steps, left }).toEqual({ losses: 2 * (2 * 3 + 2 * 2 + 1 + 2), steps: 5, left: 0 });
    expect(difference).toBeLessThan(1e-5);
  },
);

test.runIf(isNative)(
  'when a member leaves its pack, its memory is freed; when the pack ends, the remaining memory is freed',
  { timeout: 120_000 },
  async () => {
    const { stdout } = await runFixture(new URL('./released-memory.fixture.ts', import.meta.url));
    const { expected, afterLeaving, afterEnd } = JSON.parse(stdout);
    for (const released of [afterLeaving, afterEnd]) expect(released / expected).toBeGreaterThan(0.9);
  },
);

const PROGRAM = new URL('./one-trial.fixture.ts', import.meta.url);
const TRIAL = { depth: 5, noise_std: 0.5, lambda_l1: 1e-5, weight_decay: 1e-5, train_size: 200, epochs: 1 };

const dataDir = await mkdtemp(join(tmpdir(), 'trawl-threads-test-'));

afterEach(() => vi.unstubAllEnvs());
afterAll(() => rm(dataDir, { recursive: true, force: true }));

async function reportsWith(threads: number): Promise<unknown> {
  vi.stubEnv('TRAWL_BACKEND', 'tensorflow');
  vi.stubEnv('TF_NUM_INTRAOP_THREADS', `${threads}`);
  vi.stubEnv('TF_NUM_INTEROP_THREADS', `${threads}`);
  return JSON.parse((await runFixture(PROGRAM, dataDir, JSON.stringify(TRIAL))).stdout);
}

test.runIf(isNative)(
  'a trial gives bitwise identical results on libtensorflow with one thread and with several',
  {
    timeout: 180_000,
  },
  async () => {
    const alone = await reportsWith(1);
    for (const threads of [2, 3]) expect(await reportsWith(threads)).toEqual(alone);
  },
);
