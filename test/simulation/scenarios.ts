/** The scenario of a seed. High seeds have sweeps of one kind: populations, or searches. */
import { TestRandom } from '../support/random.ts';
import { anyScenario, type ClusterFault, type Scenario, type VersionOrder } from './scenario.ts';

/** The sweeps of the seeds from this seed to the seed before FIRST_SEARCH_SEED train populations. */
export const FIRST_POPULATION_SEED = 1_000_000;
/** The sweeps of this seed and of all higher seeds are searches. */
export const FIRST_SEARCH_SEED = 2_000_000;

export function scenarioOf(seed: number): Scenario {
  if (seed >= FIRST_SEARCH_SEED) return withSearches(anyScenario(seed), seed);
  return seed < FIRST_POPULATION_SEED ? anyScenario(seed) : withPopulations(anyScenario(seed), seed);
}

function withPopulations(scenario: Scenario, seed: number): Scenario {
  const random = new TestRandom(seed ^ 0x9b7);
  const whole = (from: number, to: number) => Math.floor(random.between(from, to + 1));
  const textOf = () => {
    const [population, interval, sweepSeed] = [whole(4, 9), whole(1, 2), whole(0, 9)];
    // A shorter trial would never be compared.
    const epochs = Math.max(whole(3, 7), interval + 2);
    return [
      'name: simulated\nmethod: pbt\ntrainer: command\ncommand: [program]\nmetric: {name: test_loss, goal: minimize}\n',
      `population: ${population}\npbt: {interval: ${interval}, explore: [x]}\nseed: ${sweepSeed}\n`,
      'parameters:\n  x: {min: 0.5, max: 9.5}\n',
      `  epochs: {value: ${epochs}}\n  duration_ms: {value: ${whole(50, 1_500)}}\n`,
      `retry: {oom: ${whole(0, 2)}, crash: ${whole(0, 3)}, timeout: ${whole(0, 2)}, backoff: ${whole(0, 2)}s}\n`,
      'timeout: 60s\n',
    ].join('');
  };
  const sweeps = scenario.sweeps.slice(0, 2).map(({ at }) => ({ at, text: textOf() }));
  const orders = scenario.orders.filter(({ sweep }) => sweep < sweeps.length);
  const retries = scenario.retries.filter(({ sweep }) => sweep < sweeps.length);
  const trialKills = scenario.trialKills.filter(({ sweep }) => sweep < sweeps.length);
  const priorities = scenario.priorities.filter(({ sweep }) => sweep < sweeps.length);
  return { ...scenario, sweeps, orders, retries, trialKills, priorities, versions: [] };
}

const FIRST_NAME = 'earlier';

/**
 * The second sweep is submitted after the first sweep has ended, and starts with the results of the first sweep. Users
 * apply files with another `run_cap` while trials run and after the sweeps have ended.
 */
function withSearches(scenario: Scenario, seed: number): Scenario {
  const random = new TestRandom(seed ^ 0x5ea2c4);
  const whole = (from: number, to: number) => Math.floor(random.between(from, to + 1));
  const space = [
    'parameters:\n  x: {min: 1, max: 100000}\n  y: {min: 0.0, max: 1.0}\n  z: {values: [a, b, c]}\n',
    `  epochs: {value: ${whole(1, 3)}}\n  duration_ms: {value: ${whole(50, 800)}}\n`,
  ].join('');
  const textOf = (name: string, search: string) =>
    [
      `name: ${name}\ntrainer: command\ncommand: [program]\nmetric: {name: test_loss, goal: minimize}\n`,
      `${search}${search.includes('sobol') ? '' : `seed: ${whole(0, 9)}\n`}${space}`,
      `retry: {oom: ${whole(0, 2)}, crash: ${whole(0, 3)}, timeout: ${whole(0, 2)}, backoff: ${whole(0, 2)}s}\n`,
      'timeout: 60s\n',
      random.pick(['', '', 'early_terminate: {type: asha, min_iter: 1, eta: 2}\n']),
      random.pick(['', '', `concurrency: ${whole(1, 4)}\n`]),
    ].join('');
  const first = textOf(FIRST_NAME, `method: ${random.pick(['random', 'sobol', 'tpe'])}\nrun_cap: ${whole(4, 12)}\n`);
  const warm = textOf('warm', `method: tpe\nrun_cap: ${whole(6, 14)}\nwarm_start: [${FIRST_NAME}]\n`);
  const replicates = random.pick(['', '', 'replicates: 2\n']);
  const third = textOf(
    'third',
    `method: ${random.pick(['random', 'sobol', 'tpe', 'tpe'])}\nrun_cap: ${whole(8, 24)}\n${replicates}`,
  );
  const sweeps = [
    { at: whole(0, 2_000), text: first },
    { at: whole(3_000, 20_000), text: warm, after: 0 },
    ...(random.next() < 0.7 ? [{ at: whole(0, 15_000), text: third }] : []),
  ];
  const versions = Array.from(
    { length: whole(0, 5) },
    (): VersionOrder => ({
      at: whole(4_000, scenario.calmAt),
      sweep: whole(0, sweeps.length - 1),
      without: whole(0, 6),
      more: whole(0, 6),
      crashRetries: whole(0, 3),
    }),
  );
  const deaths = Array.from(
    { length: whole(0, 4) },
    (): ClusterFault => ({
      ...{ at: whole(3_000, scenario.calmAt - 10_000), kind: 'kill', place: 'coordinator' },
      ...{ deathPoint: 'before creation', left: 0, ms: whole(100, 2_000) },
    }),
  );
  const isKnown = ({ sweep }: { readonly sweep: number }) => sweep < sweeps.length;
  return {
    ...scenario,
    sweeps,
    versions,
    faults: [...scenario.faults, ...deaths],
    orders: scenario.orders.filter(isKnown),
    retries: scenario.retries.filter(isKnown),
    trialKills: scenario.trialKills.filter(isKnown),
    priorities: scenario.priorities.filter(isKnown),
  };
}
