import { test } from 'vitest';
import { roundSeeds, sweepUnderFaults } from './sweep-under-faults.ts';

const LIMIT_MS = 300_000;

test.each(roundSeeds())(
  'every trial ends exactly once if nats-server is killed, and if agent and coordinator are killed together (seed %i)',
  { timeout: LIMIT_MS },
  (seed) =>
    sweepUnderFaults(
      ['nats-server', 'nats-server', 'agent and coordinator', 'agent and coordinator', 'worker', 'coordinator'],
      seed,
    ),
);
