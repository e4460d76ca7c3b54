import { expect, test } from 'vitest';
import { FIRST_POPULATION_SEED } from './scenarios.ts';
import { simulate } from './simulation.ts';
import { TIMEOUT_MS } from './suites.ts';

const SEEDS = Array.from({ length: 12 }, (_, at) => FIRST_POPULATION_SEED + at);

test(`every invariant of populations holds despite faults (${SEEDS.length} seeds)`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const reached = new Set<string>();
  for (const seed of SEEDS) {
    const outcome = await simulate(seed);
    expect(outcome.violation, `to reproduce: npm run simulate -- --seed ${seed} --trace`).toBeUndefined();
    for (const name of outcome.reached) reached.add(name);
  }
  const children = [
    'a child that replaces a stopped member',
    'a child that replaces a failed member',
    'a child that starts',
  ];
  expect(children.filter((name) => !reached.has(name))).toEqual([]);
});
