import { expect, test } from 'vitest';
import { runWithBadMachines } from '../../test/support/coordinator/bad-machines.ts';
import { propertyRuns } from '../../test/support/property-runs.ts';

const SEEDS = Array.from({ length: propertyRuns(2) }, (_, at) => at + 1);

test.each(SEEDS)(
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
