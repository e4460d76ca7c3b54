import { expect, test } from 'vitest';
import type { SweepQueries } from '../store/sweep-queries.ts';
import { RungReader } from './rung-reader.ts';

type Entry = Awaited<ReturnType<SweepQueries['rungEntries']>>[number];

const ENTRIES: readonly Entry[] = [
  { trialId: 'a', rung: 1, value: 0.5, state: 'succeeded' },
  { trialId: 'a', rung: 2, value: 0.4, state: 'succeeded' },
  { trialId: 'b', rung: 1, value: 0.9, state: 'stopped' },
  { trialId: 'c', rung: 1, value: 0.6, state: 'running' },
  { trialId: 'c', rung: 2, value: 0.3, state: 'running' },
];

/** Returns a reader of `ENTRIES`, and an object with the current time and the number of reads. Each read takes 1 ms. */
function sampleReader(page: number) {
  const at = { now: 0, reads: 0 };
  const asha = { type: 'asha', minIter: 1, maxIter: undefined, eta: 2 } as const;
  const isAfter = (entry: Entry, after: Pick<Entry, 'trialId' | 'rung'>) =>
    entry.trialId > after.trialId || (entry.trialId === after.trialId && entry.rung > after.rung);
  const sweeps = {
    policy: async () => ({ earlyTerminate: asha, ranking: { goal: 'minimize' } }),
    rungEntries: async (_: string, after: Pick<Entry, 'trialId' | 'rung'>, limit: number) => {
      at.reads++;
      at.now++;
      return ENTRIES.filter((entry) => isAfter(entry, after)).slice(0, limit);
    },
  };
  const reader = new RungReader({ sweeps: sweeps as unknown as SweepQueries }, { page, now: () => at.now });
  return { reader, at };
}

test.each([1, 2, 3, 5, 100])('the summary of the rungs does not depend on the page size (%i entries)', async (page) => {
  expect((await sampleReader(page).reader.of('1')).rungs).toEqual([
    { rung: 1, reached: 3, stopped: 1, running: 0, held: 0, best: 0.5, bound: 0.5 },
    { rung: 2, reached: 2, stopped: 0, running: 1, held: 0, best: 0.3, bound: 0.3 },
  ]);
});

test('concurrent calls share one read, and its result is reused for 20 times the duration of the read', async () => {
  const { reader, at } = sampleReader(100);
  const [first, second] = await Promise.all([reader.of('1'), reader.of('1')]);
  expect(second).toBe(first);
  at.now += 19;
  expect(await reader.of('1')).toBe(first);
  expect(at.reads).toBe(1);
  at.now += 1;
  await reader.of('1');
  expect(at.reads).toBe(2);
});
