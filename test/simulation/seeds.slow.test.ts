import { expect, test } from 'vitest';
import { simulate } from './simulation.ts';
import { SLOW_SEEDS, TIMEOUT_MS } from './suites.ts';

test(`every law holds and every sweep ends, whatever fails: ${SLOW_SEEDS.length} more seeds`, {
  timeout: TIMEOUT_MS + SLOW_SEEDS.length * 1_000,
}, async () => {
  for (const seed of SLOW_SEEDS) {
    const { broken } = await simulate(seed);
    expect(broken, `again: npm run simulate -- --seed ${seed} --trace`).toBeUndefined();
  }
});
