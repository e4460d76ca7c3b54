import { expect, test } from 'vitest';
import { simulate } from './simulation.ts';
import { SLOW_SEEDS, TIMEOUT_MS } from './suites.ts';

test(`every invariant holds and every sweep ends despite faults (${SLOW_SEEDS.length} more seeds)`, {
  timeout: TIMEOUT_MS + SLOW_SEEDS.length * 1_000,
}, async () => {
  for (const seed of SLOW_SEEDS) {
    const { violation } = await simulate(seed);
    expect(violation, `to reproduce: npm run simulate -- --seed ${seed} --trace`).toBeUndefined();
  }
});
