import { expect, test } from 'vitest';
import { FIRST_TAKEOVER_SEED } from './scenarios.ts';
import { simulate } from './simulation.ts';
import { seeds, TIMEOUT_MS } from './suites.ts';
import { testSeeds } from './test-seeds.ts';

/** With the last two seeds, a write of an earlier leader is rejected. */
const SEEDS = [
  ...seeds(FIRST_TAKEOVER_SEED, FIRST_TAKEOVER_SEED + 23),
  FIRST_TAKEOVER_SEED + 26,
  FIRST_TAKEOVER_SEED + 29,
];

testSeeds('every invariant holds if coordinators take over from one another', SEEDS, {
  expected: [
    ...['kill', 'freeze', 'freeze in transaction', 'cut', 'store fails over', 'hand over'],
    ...['a takeover', 'a leader that pauses', 'a leader that notices the end of its term'],
    'a rejected write of an earlier leader',
  ],
});

test('the simulation gives the same trace if a seed with takeovers is replayed', { timeout: TIMEOUT_MS }, async () => {
  const seed = FIRST_TAKEOVER_SEED + 2;
  const { trace } = await simulate(seed, undefined, true);
  expect(trace.length).toBeGreaterThan(50);
  expect((await simulate(seed, undefined, true)).trace).toEqual(trace);
});
