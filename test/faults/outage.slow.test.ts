import { test } from 'vitest';
import { roundSeeds, sweepUnderFaults } from './sweep-under-faults.ts';

const LIMIT_MS = 300_000;

test.each(roundSeeds())(
  'every trial ends exactly once when nats-server, or agent and coordinator together, are killed (seed %i)',
  { timeout: LIMIT_MS },
  (seed) =>
    sweepUnderFaults(
      ['nats-server', 'nats-server', 'agent and coordinator', 'agent and coordinator', 'worker', 'coordinator'],
      seed,
    ),
);
