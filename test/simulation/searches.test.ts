import { expect, test } from 'vitest';
import { FIRST_SEARCH_SEED } from './scenarios.ts';
import { simulate } from './simulation.ts';
import { TIMEOUT_MS } from './suites.ts';

const SEEDS = Array.from({ length: 15 }, (_, at) => FIRST_SEARCH_SEED + at);

test(`every invariant of searches holds despite faults (${SEEDS.length} seeds)`, { timeout: TIMEOUT_MS }, async () => {
  const reached = new Set<string>();
  for (const seed of SEEDS) {
    const outcome = await simulate(seed);
    expect(outcome.violation, `to reproduce: npm run simulate -- --seed ${seed} --trace`).toBeUndefined();
    for (const name of outcome.reached) reached.add(name);
  }
  const expected = [
    'a search that starts with earlier results',
    'a point chosen from results',
    'a suggestion repeated after a restart',
    'a new version with further points',
    'a restored point',
    'a dropped pending trial',
    'a dropped running trial',
    'a dropped succeeded trial',
  ];
  expect(expected.filter((name) => !reached.has(name))).toEqual([]);
});
