import { expect, test } from 'vitest';
import { FIRST_TAKEOVER_SEED } from './scenarios.ts';
import { simulate } from './simulation.ts';
import { TIMEOUT_MS } from './suites.ts';

const SEEDS = Array.from({ length: 24 }, (_, at) => FIRST_TAKEOVER_SEED + at);

test(`every invariant holds if coordinators take over from one another (${SEEDS.length} seeds)`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const reached = new Set<string>();
  for (const seed of SEEDS) {
    const outcome = await simulate(seed);
    expect(outcome.violation, `to reproduce: npm run simulate -- --seed ${seed} --trace`).toBeUndefined();
    for (const name of outcome.reached) reached.add(name);
  }
  const expected = [
    ...['kill', 'freeze', 'freeze in transaction', 'cut', 'store fails over', 'hand over'],
    ...['a takeover', 'a leader that pauses', 'a leader that notices the end of its term'],
    'a rejected write of an earlier leader',
  ];
  expect(expected.filter((name) => !reached.has(name))).toEqual([]);
});

test('the simulation gives the same trace if a seed with takeovers is replayed', { timeout: TIMEOUT_MS }, async () => {
  const seed = FIRST_TAKEOVER_SEED + 2;
  const { trace } = await simulate(seed, undefined, true);
  expect(trace.length).toBeGreaterThan(50);
  expect((await simulate(seed, undefined, true)).trace).toEqual(trace);
});
