/**
 * Gives property tests a fixed seed, so that a run's result depends only on the code. TRAWL_PROPERTY_SEED sets another
 * seed; `npm run test:release` uses a new seed in each run. TRAWL_PROPERTY_RUNS sets the number of runs of each
 * property that does not set its own number (default: 100).
 */
import fc from 'fast-check';

const { TRAWL_PROPERTY_SEED = '1', TRAWL_PROPERTY_RUNS = '100' } = process.env;

fc.configureGlobal({ seed: Number(TRAWL_PROPERTY_SEED), numRuns: Number(TRAWL_PROPERTY_RUNS) });
