import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SweepState } from '../../proto/gen/trawl/v1/types.ts';
import { sampleSweep } from '../../test/support/dashboard/sample.ts';
import { percentText, progressText } from '../text/trials-to-come.ts';
import { hasNoEstimate, sweepProgress } from './progress.ts';
import { noCounts } from './trial-state.ts';

test('a killed sweep is incomplete, because cancelled trials are not finished', () => {
  const killed = sampleSweep({ state: SweepState.KILLED, counts: { succeeded: 10, failed: 2, cancelled: 51 } });
  expect([progressText(killed), percentText(killed)]).toEqual(['12/63', '19%']);
});

test('a finished sweep with failed and stopped trials is complete', () => {
  const finished = sampleSweep({ state: SweepState.FINISHED, counts: { succeeded: 1, stopped: 2, failed: 3 } });
  expect([progressText(finished), percentText(finished)]).toEqual(['6/6', '100%']);
});

test('a sweep without trials has progress 0', () => {
  expect(sweepProgress({ ...sampleSweep(), counts: undefined })).toEqual({ finished: 0, total: 0, share: 0 });
});

test('a sweep is complete if and only if every trial succeeded, was stopped or failed', () => {
  const count = fc.nat(1000);
  const counts = fc.record({
    pending: count,
    offered: count,
    running: count,
    succeeded: count,
    stopped: count,
    failed: count,
    cancelled: count,
    interrupted: count,
    held: count,
    dropped: count,
  });
  fc.assert(
    fc.property(fc.oneof(counts, fc.constant(noCounts())), (some) => {
      const sweep = { ...sampleSweep(), counts: some };
      const { share, total } = sweepProgress(sweep);
      const unfinished = some.pending + some.offered + some.running + some.cancelled + some.interrupted + some.held;
      expect(share).toBeGreaterThanOrEqual(0);
      expect(share).toBeLessThanOrEqual(1);
      expect(percentText(sweep) === '100%').toBe(total > 0 && unfinished === 0);
    }),
  );
});

test('a running sweep has no estimate until one of its trials has finished', () => {
  const running = sampleSweep({ counts: { pending: 3, running: 1 } });
  expect(hasNoEstimate(running)).toBe(true);
  expect(hasNoEstimate(sampleSweep({ counts: { pending: 3, failed: 1 } }))).toBe(false);
  expect(hasNoEstimate({ ...running, state: SweepState.PAUSED })).toBe(false);
  expect(hasNoEstimate({ ...running, timeLeft: { expectedMs: 2, lowMs: 1, highMs: 3 } })).toBe(false);
});
