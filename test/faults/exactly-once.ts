/** Checks the store of a sweep that ended despite faults. */
import { expect } from 'vitest';
import type { EventRow, Stored } from '../support/stored.ts';

const NEXT: Readonly<Record<string, readonly string[]>> = {
  pending: ['offered'],
  offered: ['granted', 'pending'],
  granted: ['straggler', 'ended'],
  // Faults can delay an attempt so much that the attempt becomes a straggler.
  straggler: ['ended'],
  ended: ['succeeded', 'pending'],
  succeeded: [],
};

/**
 * Checks that every trial succeeded exactly once, in its last attempt, and that no report of this attempt is missing.
 * @param lossAt returns the expected test_loss of a trial at an epoch
 */
export function expectExactlyOnce(
  { trials, attempts, reports, events }: Stored,
  expected: {
    trials: number;
    epochs: number;
    lossAt: (parameters: Readonly<Record<string, unknown>>, epoch: number) => number;
  },
): void {
  expect(trials).toHaveLength(expected.trials);
  expect(new Set(trials.map(({ parameters }) => JSON.stringify(parameters))).size).toBe(expected.trials);
  expect(trials.filter(({ state }) => state !== 'succeeded')).toEqual([]);
  expect(attempts.filter(({ outcome }) => outcome === null)).toEqual([]);

  for (const trial of trials) {
    const mine = attempts.filter((attempt) => attempt.trial === trial.id);
    const numbers = Array.from({ length: trial.attempts }, (_, at) => at + 1);
    expect(mine.map(({ number }) => number)).toEqual(numbers);
    expect(mine.filter(({ outcome }) => outcome === 'succeeded').map(({ number }) => number)).toEqual([trial.attempts]);

    for (const { number } of mine) {
      const reported = reports.filter((report) => report.trial === trial.id && report.attempt === number);
      const epochs = Array.from({ length: reported.length }, (_, at) => at + 1);
      expect(reported.map(({ epoch }) => epoch)).toEqual(epochs);
      for (const { epoch, metrics } of reported) {
        expect(metrics).toEqual({ test_loss: expected.lossAt(trial.parameters, epoch) });
      }
      if (number === trial.attempts) expect(reported).toHaveLength(expected.epochs);
    }

    expectOrderly(
      events.filter((event) => event.trial === trial.id),
      trial.attempts,
    );
  }
}

function expectOrderly(events: readonly EventRow[], attempts: number): void {
  const kinds = events.map(({ kind }) => kind).filter((kind) => kind !== 'reported');
  let state = 'pending';
  for (const next of kinds) {
    expect(NEXT[state], `${state}, then ${next}, in ${kinds.join(', ')}`).toContain(next);
    state = next;
  }
  expect(state).toBe('succeeded');

  const turns = events.filter(({ kind }) => kind === 'granted' || kind === 'ended');
  expect(turns.map(({ kind, attempt }) => `${kind} ${attempt}`)).toEqual(
    Array.from({ length: attempts }, (_, at) => [`granted ${at + 1}`, `ended ${at + 1}`]).flat(),
  );
}
