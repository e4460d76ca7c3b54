import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import { toWire } from '../../lib/domain/parameters.ts';
import { type DeepPartial, Trial, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { START_MS, sampleAgent, sampleSweep, snapshot } from '../../test/support/dashboard/sample.ts';
import { sampleDashboard } from '../../test/support/dashboard/sample-dashboard.tsx';
import { SampleSource } from '../../test/support/dashboard/sample-source.ts';

const EPOCHS = 8;
const ID = '1e1f2a3b4c5d6e7f';

/** Builds a trial of a population. The learning rate is 0.1 for index 0, 0.2 for index 1, and so on. */
function trial(index: number, epoch: number, loss: number, change: DeepPartial<Trial> = {}): Trial {
  return Trial.fromPartial({
    sweepId: '7',
    id: idOf(index),
    configId: `c${index}`,
    index,
    seed: index,
    parameters: toWire({ learning_rate: 0.1 + index / 10, weight_decay: 1e-5 * (index + 1), epochs: EPOCHS }),
    state: TrialState.SUCCEEDED,
    attempts: 1,
    agentId: 'agent-1',
    epoch,
    metrics: { test_loss: loss },
    startedAtMs: START_MS + 1_000,
    endedAtMs: START_MS + 6_000,
    leasedMs: 5_000,
    ...change,
  });
}

const idOf = (index: number) => `${'0123456789abcdef'[index]}${ID}`.slice(0, 16);
const origin = (parent: number, epoch: number, replaces: number) => {
  return { origin: { parent: idOf(parent), epoch, replaces: idOf(replaces) } };
};
const STOPPED = { state: TrialState.STOPPED, stopReason: 'pbt: worst' };
const RUNNING = { state: TrialState.RUNNING, endedAtMs: 0, leasedMs: 0 };

/**
 * The trials of a population of four members, which are compared after every second epoch. Trial 6 is the best trial,
 * and a grandchild of trial 2.
 */
const TRIALS = [
  trial(0, 6, 0.4, STOPPED),
  trial(1, 2, 0.9, STOPPED),
  trial(2, 8, 0.3),
  trial(3, 4, 0.8, STOPPED),
  trial(4, 8, 0.25, origin(2, 2, 1)),
  trial(5, 7, 0.35, { ...RUNNING, ...origin(4, 4, 3) }),
  trial(6, 8, 0.2, origin(4, 6, 0)),
];

const ANSWERS = {
  rungs: {
    rule: 'pbt, population 4, interval 2',
    rungs: [2, 4, 6].map((rung) => {
      return { rung, reached: 4, stopped: 1, running: 0, held: 0, best: 0.5 - rung / 20, bound: undefined };
    }),
  },
  updates: [
    snapshot(
      sampleSweep({ axes: ['learning_rate', 'weight_decay'], counts: { succeeded: 3, running: 1, stopped: 3 } }),
      TRIALS,
      [sampleAgent()],
    ),
  ],
};

/** `vitest -u` rewrites the frames in `frames/`. */
describe.each([
  { columns: 80, rows: 24 },
  { columns: 120, rows: 40 },
  { columns: 200, rows: 60 },
])('the lineage of a population on a terminal of $columns x $rows', (size) => {
  test('the lineage has one line per member, and shows the epoch at which each child starts and the path to the best trial', async () => {
    const at = await sampleDashboard(new SampleSource(ANSWERS), size);
    await at.press('7');
    const frame = at.frame();
    for (const line of frame) expect(stringWidth(line)).toBeLessThanOrEqual(size.columns);
    await expect(`${frame.map((line) => line.trimEnd()).join('\n')}\n`).toMatchFileSnapshot(
      `./frames/${size.columns}x${size.rows} lineage.txt`,
    );
    at.stop();
  });
});

test('on an ASCII terminal, the lineage has only ASCII characters', async () => {
  const style = { color: false, ascii: true, plain: true };
  const at = await sampleDashboard(new SampleSource(ANSWERS), { columns: 100, rows: 30 }, { style });
  await at.press('7');
  const lines = at.frame();
  expect(lines.filter((line) => /[^ -~]/.test(line))).toEqual([]);
  expect(lines.find((line) => /^ +0 {2}-/.test(line))).toMatch(/<1=/);
  at.stop();
});

test.each([
  { columns: 20, rows: 8 },
  { columns: 40, rows: 12 },
  { columns: 300, rows: 80 },
])('the lineage fits a terminal of $columns columns and $rows rows', async (size) => {
  const at = await sampleDashboard(new SampleSource(ANSWERS), size);
  await at.press('7');
  const frame = at.frame();
  expect(frame).toHaveLength(size.rows);
  for (const line of frame) expect(stringWidth(line)).toBeLessThanOrEqual(size.columns);
  at.stop();
});

test('a sweep without children shows no lineage', async () => {
  const updates = [snapshot(sampleSweep(), TRIALS.slice(0, 4), [sampleAgent()])];
  const at = await sampleDashboard(new SampleSource({ ...ANSWERS, updates }), { columns: 100, rows: 30 });
  await at.press('7');
  expect(at.frame().join('\n')).not.toContain('member');
  at.stop();
});
