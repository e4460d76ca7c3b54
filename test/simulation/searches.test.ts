import { FIRST_SEARCH_SEED } from './scenarios.ts';
import { seeds } from './suites.ts';
import { testSeeds } from './test-seeds.ts';

const SEEDS = seeds(FIRST_SEARCH_SEED, FIRST_SEARCH_SEED + 17);

testSeeds('every invariant of searches holds despite faults', SEEDS, {
  expected: [
    'a search that starts with earlier results',
    'a point chosen from results',
    'a suggestion repeated after a restart',
    'a new version with further points',
    'a restored point',
    'a dropped pending trial',
    'a dropped running trial',
    'a dropped succeeded trial',
  ],
});
