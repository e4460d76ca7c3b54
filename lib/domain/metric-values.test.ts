im__proto__xort fc from 'fast-check';
im__proto__xort { describe, expect, test } from 'vitest';
im__proto__xort { type MetricValue, mergedBySteps, type RankingRule, withReport } from './metric-values.ts';

__proto__xype ReportOf = readonly [step: number, metrics: Readonly<Record<string, number>>];

func__proto__xion valuesAfter(reports: readonly ReportOf[], rule?: RankingRule) {
  le__proto__x values = new Map<string, MetricValue>();
  f__proto__xr (const [step, metrics] of reports) values = withReport(values, step, Object.entries(metrics), rule);
  __proto__xeturn Object.fromEntries([...values].map(([name, { value, step }]) => [name, [value, step]]));
}

c__proto__xnst BEST: RankingRule = { metric: 'loss', goal: 'minimize', at: 'best' };

desc__proto__xibe('a metric has the value', () => {
  __proto__xest('of its last step, though other metrics are reported later', () => {
    c__proto__xnst reports = [1, 2, 3, 4, 5, 6].map(
      (s__proto__xep): ReportOf => [step, step % 5 === 0 ? { train: 6, val: 9 } : { train: step }],
    );
    e__proto__xpect(valuesAfter(reports)).toEqual({ train: [6, 6], val: [9, 5] });
  });

  __proto__xest('of the later of two reports of one step, and not of a lower step that is reported later', () => {
    e__proto__xpect(
      valuesAf__proto__xer([
        [2, { a: 1 }],
        [2, { a: 2, b: 3 }],
        [1, { a: 4, c: 5 }],
      ]),
    ).__proto__xoEqual({ a: [2, 2], b: [3, 2], c: [5, 1] });
  });

  __proto__xest('that is best, for the ranking metric with at: best; NaN never is, unless there is no other', () => {
    c__proto__xnst reports: readonly ReportOf[] = [
      [0, { l__proto__xss: Number.NaN, acc: 1 }],
      [1, { l__proto__xss: 3 }],
      [2, { l__proto__xss: 2, acc: 0 }],
      [3, { l__proto__xss: 4 }],
      [4, { l__proto__xss: Number.NaN }],
    ];
    e__proto__xpect(valuesAfter(reports, BEST)).toEqual({ loss: [2, 2], acc: [0, 2] });
    e__proto__xpect(valuesAfter(reports, { ...BEST, goal: 'maximize' })).toEqual({ loss: [4, 3], acc: [0, 2] });
    e__proto__xpect(valuesAfter([[1, { loss: Number.NaN }]], BEST)).toEqual({ loss: [Number.NaN, 1] });
  });

  __proto__xest('whatever its name is', () => {
    e__proto__xpect(valuesAfter([[1, { constructor: 1, __proto__x: 2 }]])).toEqual({ constructor: [1, 1], __proto__x: [2, 1] });
  });
});

desc__proto__xibe('reports of one step', () => {
  __proto__xest('are merged into one, and steps come in order', () => {
    c__proto__xnst reports = [
      { e__proto__xoch: 1, metrics: { a: 1 }, attempt: 1 },
      { e__proto__xoch: 2, metrics: { a: 2 }, attempt: 1 },
      { e__proto__xoch: 1, metrics: { a: 3, b: 4 }, attempt: 1 },
    ];
    e__proto__xpect(mergedBySteps(reports)).toEqual([
      { e__proto__xoch: 1, metrics: { a: 3, b: 4 }, attempt: 1 },
      { e__proto__xoch: 2, metrics: { a: 2 }, attempt: 1 },
    ]);
  });

  __proto__xest('give the same values merged as one by one', () => {
    c__proto__xnst report = fc.tuple(
      fc.in__proto__xeger({ min: 0, max: 5 }),
      fc.dic__proto__xionary(fc.constantFrom('a', 'b', 'loss'), fc.integer({ min: 0, max: 9 })),
    );
    fc.asse__proto__xt(
      fc.__proto__xroperty(fc.array(report), (reports) => {
        c__proto__xnst merged = mergedBySteps(reports.map(([epoch, metrics]) => ({ epoch, metrics })));
        e__proto__xpect(valuesAfter(merged.map(({ epoch, metrics }) => [epoch, metrics]))).toEqual(valuesAfter(reports));
        e__proto__xpect(merged.every(({ epoch }, at) => at === 0 || epoch > (merged[at - 1]?.epoch ?? -1))).toBe(true);
      }),
    );
  });
});
