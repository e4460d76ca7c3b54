import { FIRST_PREFETCH_SEED } from './scenarios.ts';
import { seeds } from './suites.ts';
import { testSeeds } from './test-seeds.ts';

const SEEDS = seeds(FIRST_PREFETCH_SEED, FIRST_PREFETCH_SEED + 29);

testSeeds('every invariant holds while slots hold attempts in advance', SEEDS, {
  expected: [
    ...['a queued attempt', 'a queued attempt lost', 'a returned attempt', 'an order to return attempts', 'a pack'],
    ...['kill', 'kill worker', 'stop agent', 'agent leaves', 'freeze', 'lose power', 'disk full', 'an agent drained'],
    ...['sweep paused', 'sweep stopping', 'sweep killed'],
  ],
});
