import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { coordinatorWithSweep } from '../../test/support/coordinator/coordinator-with-sweep.ts';

const FILE = `
trainer: noop
metric: {name: test_loss, goal: minimize}
parameters: {x: {values: [1, 2, 3, 4]}}
replicates: {min: 3, max: 8, until: decided}
hypotheses:
  - {name: clear, claim: "test_loss[x=2] > test_loss[x=1]"}
  - {name: unclear, claim: "test_loss[x=4] > test_loss[x=3]"}
`;

/** The losses for x = 1 and x = 2 differ clearly; the losses for x = 3 and x = 4 differ only by noise. */
const loss = ({ x }: Record<string, unknown>, seed: number): number => {
  if (x === 1 || x === 2) return Number(x) * 100 + seed;
  return seed * (x === 3 ? 1 : -1) * (seed % 2 === 0 ? 1 : -1);
};

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-adaptive-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test('only the configs of undecided hypotheses get more replicates, even if the coordinator restarts at any time', async () => {
  const sweep = await coordinatorWithSweep(folder(), FILE, 3);
  for (let pass = 0; sweep.sweep() !== undefined; pass++) {
    expect(pass).toBeLessThan(200);
    await sweep.schedule();
    const { search } = sweep.sweep() ?? {};
    const loaded = (await sweep.restarted()).core.sweeps.get('1');
    expect(loaded?.search?.state).toEqual(search?.state);
    await sweep.runOffers(loss);
  }
  const trials = sweep.trials();
  const seedsOf = (config: number) => trials.filter(({ x }) => x === config).map(({ seed }) => seed);
  expect([1, 2, 3, 4].map((x) => seedsOf(x).sort((a, b) => a - b))).toEqual([
    [0, 1, 2],
    [0, 1, 2],
    [0, 1, 2, 3, 4, 5, 6, 7],
    [0, 1, 2, 3, 4, 5, 6, 7],
  ]);
});
