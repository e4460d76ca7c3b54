import { FIRST_POPULATION_SEED } from './scenarios.ts';
import { seeds } from './suites.ts';
import { testSeeds } from './test-seeds.ts';

const SEEDS = seeds(FIRST_POPULATION_SEED, FIRST_POPULATION_SEED + 11);

testSeeds('every invariant of populations holds despite faults', SEEDS, {
  expected: ['a child that replaces a stopped member', 'a child that replaces a failed member', 'a child that starts'],
});
