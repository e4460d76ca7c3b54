import { expect, test } from 'vitest';
import { runWithBadMachines } from '../../test/support/coordinator/bad-machines.ts';

test.each([1, 2])(
  'if four of 20 agents are bad, a grid is delayed by at most 20%%, and every trial succeeds (seed %d)',
  {
    timeout: 120_000,
  },
  (seed) => {
    const { all, good } = runWithBadMachines(1_000, seed);
    expect([all.succeeded, good.succeeded]).toEqual([1_000, 1_000]);
    expect(all.superseded).toBeGreaterThan(0);
    expect(all.lastedMs / good.lastedMs).toBeLessThanOrEqual(1.2);
  },
);
