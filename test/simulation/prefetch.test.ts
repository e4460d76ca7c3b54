import { expect, test } from 'vitest';
import { FIRST_PREFETCH_SEED } from './scenarios.ts';
import { simulate } from './simulation.ts';
import { TIMEOUT_MS } from './suites.ts';

const SEEDS = Array.from({ length: 30 }, (_, at) => FIRST_PREFETCH_SEED + at);

test(`every invariant holds while slots hold attempts in advance (${SEEDS.length} seeds)`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const reached = new Set<string>();
  for (const seed of SEEDS) {
    const outcome = await simulate(seed);
    expect(outcome.violation, `to reproduce: npm run simulate -- --seed ${seed} --trace`).toBeUndefined();
    for (const name of outcome.reached) reached.add(name);
  }
  const expected = [
    ...['a queued attempt', 'a queued attempt lost', 'a returned attempt', 'an order to return attempts', 'a pack'],
    ...['kill', 'kill worker', 'stop agent', 'agent leaves', 'freeze', 'lose power', 'disk full', 'an agent drained'],
    ...['sweep paused', 'sweep stopping', 'sweep killed'],
  ];
  expect(expected.filter((name) => !reached.has(name))).toEqual([]);
});
