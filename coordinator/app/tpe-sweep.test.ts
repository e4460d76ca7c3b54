import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { coordinatorWithSweep } from '../../test/support/coordinator/coordinator-with-sweep.ts';
import { onRecord } from '../core/attempt-records.ts';
import { onOpen } from '../core/attempts.ts';
import type { Change } from '../core/step.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-tpe-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const FILE = `
trainer: noop
method: tpe
seed: 5
run_cap: 60
metric: {name: test_loss, goal: minimize}
parameters:
  kind: {values: [near, far]}
  x: {min: -5.0, max: 5.0}
  offset: {min: 0.0, max: 1.0}
when: [{if: {kind: near}, set: {offset: 0}}]
`;

const createdIn = (changes: readonly Change[]) =>
  changes.flatMap((change) => (change.kind === 'created' ? change.trial : []));

const loss = ({ kind, x, offset }: Record<string, unknown>) =>
  Number(x) > 4 ? undefined : (Number(x) - 1) ** 2 + (kind === 'near' ? 0 : 1 + Number(offset));

describe('sweeps with method tpe', () => {
  test('a TPE sweep creates the same trials even if the coordinator restarts', async () => {
    const sweep = await coordinatorWithSweep(dir, FILE, 2);
    let compared = 0;
    while (sweep.sweep() !== undefined) {
      const state = sweep.sweep()?.search?.state;
      const other = await sweep.restarted();
      const loaded = other.core.sweeps.get('1');
      expect(loaded?.search?.state).toEqual(state);
      if (loaded?.search !== undefined) await loaded.search.source.prepare(loaded.search.state);
      const next = loaded?.search?.source.next(loaded.search.state, () => false);
      const { changes } = await sweep.schedule();
      const [first] = createdIn(changes);
      if (first !== undefined) {
        expect(next).toMatchObject({ kind: 'trial', trial: first });
        compared++;
      }
      await sweep.runOffers(loss);
    }
    expect(compared).toBeGreaterThan(20);
    expect(sweep.trials()).toHaveLength(60);
  });

  test('a suggestion depends on a result that is not stored yet when the next trial is claimed', async () => {
    const trialsAfter = async (folder: string, wait: (settled: Promise<void>) => Promise<void>) => {
      const { runtime, schedule, sweep, trials } = await coordinatorWithSweep(folder, FILE, 1);
      await schedule();
      for (let ended = 0; ended < 30; ended++) {
        const [trial] = sweep()?.offers ?? [];
        if (trial === undefined) throw new Error('no trial is offered');
        const key = { sweepId: '1', trialId: trial.id, attempt: 1 };
        const { step } = onOpen(runtime.core, { key, agentId: 'a', incarnation: 'i', slot: 0 }, 1);
        await wait(runtime.settle(step));
        expect(createdIn((await schedule()).changes)).toHaveLength(1);
        const metrics = { test_loss: ended % 7 };
        const report = { kind: 'report', key, seq: 1, at: 1, epoch: 1, metrics } as const;
        const end = { kind: 'ended', key, seq: 2, at: 1, end: { outcome: 'succeeded' } } as const;
        for (const record of [report, end]) {
          await wait(runtime.settle(onRecord(runtime.core, { agentId: 'a', record }, 1).step));
        }
      }
      await runtime.flush();
      return trials().map(({ x }) => x);
    };
    const stored = await trialsAfter(join(dir, 'stored'), (settled) => settled);
    const unstored = await trialsAfter(join(dir, 'unstored'), async () => {});
    expect(new Set(stored).size).toBe(32);
    expect(unstored).toEqual(stored);
  });

  test.each([
    ['none arrives', 0, 1],
    ['one arrives during the first read', 1, 2],
    ['one arrives during each read', 6, 3],
  ])('results are read again if further ones arrive, at most three times: %s', async (_, results, reads) => {
    const { runtime, schedule, sweep } = await coordinatorWithSweep(dir, FILE, 6);
    await schedule();
    const { search, offers } = sweep() ?? {};
    if (search === undefined || offers === undefined) throw new Error('the sweep does not run');
    const keys = [...offers].slice(0, 6).map(({ id }) => ({ sweepId: '1', trialId: id, attempt: 1 }));
    for (const [slot, key] of keys.entries()) {
      await runtime.settle(onOpen(runtime.core, { key, agentId: 'a', incarnation: 'i', slot }, 1).step);
    }
    const { source } = search;
    let prepared = 0;
    const prepare = async (state: typeof search.state) => {
      await source.prepare(state);
      const key = keys[prepared++];
      if (key === undefined || prepared > results) return;
      const record = { kind: 'ended', key, seq: 1, at: 1, end: { outcome: 'succeeded' } } as const;
      runtime.settle(onRecord(runtime.core, { agentId: 'a', record }, 1).step);
    };
    Object.assign(search, { source: Object.assign(Object.create(source), { prepare }) });
    await runtime.prepareSources();
    expect(prepared).toBe(reads);
    await runtime.flush();
  });

  test('a TPE sweep finds good points: the later half of its trials is better than the first ten trials', async () => {
    const sweep = await coordinatorWithSweep(dir, FILE, 2);
    while (sweep.sweep() !== undefined) {
      await sweep.schedule();
      await sweep.runOffers(loss);
    }
    const losses = sweep.trials().map(({ test_loss }) => Number(test_loss ?? 100));
    const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
    expect(median(losses.slice(30))).toBeLessThan(median(losses.slice(0, 10)) / 3);
    expect(sweep.trials().filter(({ kind, offset }) => kind === 'near' && offset !== 0)).toEqual([]);
  });

  test('a TPE sweep creates at most two trials per slot in advance', async () => {
    const sweep = await coordinatorWithSweep(dir, FILE, 3);
    for (let pass = 0; pass < 5; pass++) {
      await sweep.schedule();
      const counts = sweep.sweep()?.counts;
      expect((counts?.pending ?? 0) + (counts?.offered ?? 0)).toBe(6);
      await sweep.runOffers(loss);
    }
  });

  test('a TPE sweep without run_cap has at most 10,000 trials', async () => {
    const sweep = await coordinatorWithSweep(dir, FILE.replace('run_cap: 60\n', ''), 1);
    await sweep.schedule();
    expect(sweep.sweep()?.planned).toBe(10_000);
    expect((await sweep.restarted()).core.sweeps.get('1')?.planned).toBe(10_000);
  });

  test('a TPE sweep ends when a small space has no further points', async () => {
    const sweep = await coordinatorWithSweep(
      dir,
      'trainer: noop\nmethod: bayes\nparameters: {a: {values: [1, 2]}, b: {min: 1, max: 3}}\n',
      2,
    );
    for (let pass = 0; sweep.sweep() !== undefined && pass < 100; pass++) {
      await sweep.schedule();
      await sweep.runOffers(({ a, b }) => Number(a) * Number(b));
    }
    expect(sweep.sweep()).toBeUndefined();
    expect(
      sweep
        .trials()
        .map(({ a, b }) => `${a} ${b}`)
        .sort(),
    ).toEqual(['1 1', '1 2', '1 3', '2 1', '2 2', '2 3']);
  });

  test('a TPE sweep with 60 trials and 3 replicates suggests 20 configs', async () => {
    const sweep = await coordinatorWithSweep(dir, FILE.replace('run_cap: 60', 'run_cap: 60\nreplicates: 3'), 3);
    while (sweep.sweep() !== undefined) {
      await sweep.schedule();
      await sweep.runOffers(loss);
    }
    expect(new Set(sweep.trials().map(({ x }) => x)).size).toBe(20);
  });
});
