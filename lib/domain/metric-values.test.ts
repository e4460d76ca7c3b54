import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collected } from '../../test/support/collected.ts';
import { type MetricValue, mergedBySteps, type RankingRule, withReport } from './metric-values.ts';

type ReportOf = readonly [step: number, metrics: Readonly<Record<string, number>>];

function valuesOf(reports: readonly ReportOf[], rule?: RankingRule) {
  let values = new Map<string, MetricValue>();
  for (const [step, metrics] of reports) values = withReport(values, step, Object.entries(metrics), rule);
  return Object.fromEntries([...values].map(([name, { value, step }]) => [name, [value, step]]));
}

const BEST: RankingRule = { metric: 'loss', goal: 'minimize', at: 'best' };

describe('the value of a metric', () => {
  test('a metric has the value of its last step, even if other metrics are reported later', () => {
    const reports = [1, 2, 3, 4, 5, 6].map(
      (step): ReportOf => [step, step % 5 === 0 ? { train: step, val: 9 } : { train: step }],
    );
    expect(valuesOf(reports)).toEqual({ train: [6, 6], val: [9, 5] });
  });

  test('of two reports of a step, the later one counts, and a late report of a lower step replaces no value of a higher step', () => {
    const reports: readonly ReportOf[] = [
      [2, { a: 1 }],
      [2, { a: 2, b: 3 }],
      [1, { a: 4, c: 5 }],
    ];
    expect(valuesOf(reports)).toEqual({ a: [2, 2], b: [3, 2], c: [5, 1] });
  });

  test('with `at: best`, the ranking metric has its best value; the value is NaN only if every reported value is NaN', () => {
    const reports: readonly ReportOf[] = [
      [0, { loss: Number.NaN, acc: 1 }],
      [1, { loss: 3 }],
      [2, { loss: 2, acc: 0 }],
      [3, { loss: 4 }],
      [4, { loss: Number.NaN }],
    ];
    expect(valuesOf(reports, BEST)).toEqual({ loss: [2, 2], acc: [0, 2] });
    expect(valuesOf(reports, { ...BEST, goal: 'maximize' })).toEqual({ loss: [4, 3], acc: [0, 2] });
    expect(valuesOf([[1, { loss: Number.NaN }]], BEST)).toEqual({ loss: [Number.NaN, 1] });
  });

  test('a metric may have any name', () => {
    expect(valuesOf([[1, { constructor: 1, toString: 2 }]])).toEqual({ constructor: [1, 1], toString: [2, 1] });
  });
});

describe('reports of one step', () => {
  test('several reports of one step are merged into one report', async () => {
    const reports: { epoch: number; metrics: Record<string, number>; attempt: number }[] = [
      { epoch: 1, metrics: { a: 1 }, attempt: 1 },
      { epoch: 2, metrics: { a: 2 }, attempt: 1 },
      { epoch: 1, metrics: { a: 3, b: 4 }, attempt: 1 },
    ];
    const inOrder = reports.sort((a, b) => a.epoch - b.epoch);
    expect(await collected(mergedBySteps(inOrder))).toEqual([
      { epoch: 1, metrics: { a: 3, b: 4 }, attempt: 1 },
      { epoch: 2, metrics: { a: 2 }, attempt: 1 },
    ]);
  });

  test('merged reports give the same values as separate reports', async () => {
    const report = fc.tuple(
      fc.integer({ min: 0, max: 5 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'loss'), fc.integer({ min: 0, max: 9 })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(report), async (reports) => {
        const inOrder = reports.map(([epoch, metrics]) => ({ epoch, metrics, attempt: 1 }));
        const merged = await collected(mergedBySteps(inOrder.sort((a, b) => a.epoch - b.epoch)));
        expect(valuesOf(merged.map(({ epoch, metrics }) => [epoch, metrics]))).toEqual(valuesOf(reports));
        expect(merged.every(({ epoch }, at) => at === 0 || epoch > (merged[at - 1]?.epoch ?? -1))).toBe(true);
      }),
    );
  });
});
