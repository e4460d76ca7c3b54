import { test } from 'vitest';
import { roundSeeds, sweepUnderFaults } from './sweep-under-faults.ts';

const LIMIT_MS = 180_000;

test.each(roundSeeds())(
  'every trial ends exactly once when workers, the agent and the coordinator are killed (seed %i)',
  { timeout: LIMIT_MS },
  (seed) =>
    sweepUnderFaults(
      ['worker', 'worker', 'worker', 'agent', 'agent', 'coordinator', 'coordinator', 'coordinator'],
      seed,
    ),
);
