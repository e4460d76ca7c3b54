import { expect, test } from 'vitest';
import type { Curve } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { wholeCurves } from './sweeps.ts';

const part = (trialId: string, epochs: number): Curve => ({
  trialId,
  reports: Array.from({ length: epochs }, (_, epoch) => ({
    trialId,
    attempt: 1,
    epoch,
    atMs: 1,
    metrics: { a: 1, b: 2 },
  })),
});

async function* parts(...curves: readonly Curve[]): AsyncGenerator<Curve> {
  yield* curves;
}

async function joined(curves: AsyncIterable<Curve>): Promise<[string, number][]> {
  const found: [string, number][] = [];
  for await (const { trialId, reports } of curves) found.push([trialId, reports.length]);
  return found;
}

test('consecutive parts of a curve are joined, and the limit on values applies to each curve', async () => {
  const curves = parts(part('a', 3), part('a', 2), part('b', 5), part('c', 1));
  expect(await joined(wholeCurves(curves, 10))).toEqual([
    ['a', 5],
    ['b', 5],
    ['c', 1],
  ]);
});

test('a curve with more values than the limit is rejected before the rest of it is read', async () => {
  const read: number[] = [];
  async function* endless(): AsyncGenerator<Curve> {
    for (let at = 0; ; at++) {
      read.push(at);
      yield part('a', 2);
    }
  }
  await expect(joined(wholeCurves(endless(), 10))).rejects.toThrow('the curves have more than 10 values');
  expect(read).toHaveLength(3);
});
