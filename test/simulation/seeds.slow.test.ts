import { SLOW_SEEDS, TIMEOUT_MS } from './suites.ts';
import { testSeeds } from './test-seeds.ts';

testSeeds('every invariant holds and every sweep ends despite faults, with further seeds', SLOW_SEEDS, {
  timeoutMs: TIMEOUT_MS + SLOW_SEEDS.length * 1_000,
});
