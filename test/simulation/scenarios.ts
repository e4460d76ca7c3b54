/**
 * The scenario of a seed. Seeds from one million up test populations, searches, takeovers, or attempts that slots hold
 * in advance.
 */
import { TestRandom } from '../support/random.ts';
import { COORDINATOR_PLACE } from './coordinator.ts';
import { anyScenario, type ClusterFault, type Scenario, type VersionOrder } from './scenario.ts';
import { STORE_PLACE } from './shared-database.ts';

/** The first seed whose sweeps train populations. The last such seed is the one before FIRST_SEARCH_SEED. */
export const FIRST_POPULATION_SEED = 1_000_000;
/** The first seed whose sweeps are searches. The last such seed is the one before FIRST_TAKEOVER_SEED. */
export const FIRST_SEARCH_SEED = 2_000_000;
/** The first seed with several coordinators on one store. The last such seed is the one before FIRST_PREFETCH_SEED. */
export const FIRST_TAKEOVER_SEED = 3_000_000;
/** The first seed in which slots hold attempts in advance even if the trials are not short. */
export const FIRST_PREFETCH_SEED = 4_000_000;

export function scenarioOf(seed: number): Scenario {
  if (seed >= FIRST_PREFETCH_SEED) return withPrefetch(anyScenario(seed), seed);
  if (seed >= FIRST_TAKEOVER_SEED) return withTakeovers(anyScenario(seed), seed);
  if (seed >= FIRST_SEARCH_SEED) return withSearches(anyScenario(seed), seed);
  return seed < FIRST_POPULATION_SEED ? anyScenario(seed) : withPopulations(anyScenario(seed), seed);
}

function withPopulations(scenario: Scenario, seed: number): Scenario {
  const random = new TestRandom(seed ^ 0x9b7);
  const whole = (from: number, to: number) => Math.floor(random.between(from, to + 1));
  const textOf = () => {
    const [population, interval, sweepSeed] = [whole(4, 9), whole(1, 2), whole(0, 9)];
    // Members with fewer epochs would never be compared with each other.
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
 * apply files with a different `run_cap` while trials run and after the sweeps have ended.
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

/**
 * Two or three coordinators share one store. The faults kill, stop and suspend coordinators, cut coordinators off from
 * the store, an agent or NATS, replace the server of the store, and kill agents. The sweeps are plain grids.
 */
function withTakeovers(scenario: Scenario, seed: number): Scenario {
  const random = new TestRandom(seed ^ 0x1ead);
  const whole = (from: number, to: number) => Math.floor(random.between(from, to + 1));
  const places = Array.from({ length: whole(2, 3) }, (_, at) =>
    at === 0 ? COORDINATOR_PLACE : `coordinator-${at + 1}`,
  );
  const agents = scenario.machines.map(({ id }) => id);
  const textOf = () =>
    [
      'name: simulated\ntrainer: command\ncommand: [program]\n',
      'metric: {name: test_loss, goal: minimize}\n',
      `parameters:\n  x: {min: 1, max: ${whole(4, 12)}, step: 1}\n  epochs: {value: ${whole(1, 6)}}\n`,
      `  duration_ms: {value: ${whole(100, 3_000)}}\n`,
      `retry: {oom: ${whole(0, 2)}, crash: ${whole(0, 3)}, timeout: ${whole(0, 2)}, backoff: ${whole(0, 2)}s}\n`,
      `timeout: 60s\ncheckpoint_every: ${whole(0, 2)}\n`,
    ].join('');
  const sweeps = Array.from({ length: whole(1, 3) }, () => ({ at: whole(0, 25_000), text: textOf() }));
  const faults = Array.from({ length: whole(3, 14) }, (): ClusterFault => {
    const at = whole(3_000, scenario.calmAt - 2_000);
    const ms = Math.min(whole(100, random.pick([1_000, 8_000, 30_000])), scenario.calmAt - at);
    const place = random.pick(places);
    switch (whole(0, 11)) {
      case 0:
      case 1:
        return { at, kind: 'kill', place, deathPoint: random.pick(['now', 'sending']), left: whole(0, 4), ms };
      case 2:
      case 3:
        return { at, kind: 'freeze', place, ms };
      case 4:
        return {
          ...{ at: Math.min(at, scenario.calmAt - 16_000), kind: 'freeze in transaction', place },
          ms: whole(10_000, 16_000),
        };
      case 5:
      case 6: {
        const [from = '', to = ''] = random.shuffled([place, STORE_PLACE]);
        return { at, kind: 'cut', from, to, both: random.next() < 0.6, ms };
      }
      case 7: {
        const [from = '', to = ''] = random.shuffled([place, random.pick([...agents, 'nats'])]);
        return { at, kind: 'cut', from, to, both: random.next() < 0.6, ms };
      }
      case 8:
      case 9:
        return { at, kind: 'store fails over', ms: Math.min(ms, 8_000), clockOffMs: whole(-8_000, 8_000) };
      case 10:
        return { at, kind: 'hand over', place, ms };
      default:
        return { at, kind: 'kill', place: random.pick(agents), deathPoint: 'now', left: 0, ms };
    }
  });
  const isKnown = ({ sweep }: { readonly sweep: number }) => sweep < sweeps.length;
  return {
    ...scenario,
    coordinators: places,
    sweeps,
    faults,
    versions: [],
    priorities: [],
    faultyMachine: undefined,
    slowMachine: undefined,
    orders: scenario.orders.filter(isKnown),
    retries: scenario.retries.filter(isKnown),
    trialKills: scenario.trialKills.filter(isKnown),
  };
}

/**
 * The queued attempts of a slot take up to six seconds in total, so that attempts are queued when faults and user
 * actions occur. The durations of the trials differ, so that some queued attempts exceed the limit on their waiting
 * time. The last sweep runs after the faults.
 */
function withPrefetch(scenario: Scenario, seed: number): Scenario {
  const random = new TestRandom(seed ^ 0x9fe7);
  const whole = (from: number, to: number) => Math.floor(random.between(from, to + 1));
  const textOf = () => {
    const durations = random.pick(['[20, 60, 150]', '[50, 100]', '[30, 300, 4000]', '[200, 900]']);
    return [
      random.next() < 0.6
        ? 'name: simulated\ntrainer: noop\n'
        : 'name: simulated\ntrainer: command\ncommand: [program]\nmetric: {name: test_loss, goal: minimize}\n',
      `parameters:\n  x: {min: 1, max: ${whole(6, 16)}, step: 1}\n  epochs: {value: ${whole(1, 2)}}\n`,
      `  duration_ms: {values: ${durations}}\n`,
      `retry: {oom: ${whole(0, 2)}, crash: ${whole(0, 3)}, timeout: ${whole(0, 2)}, backoff: ${whole(0, 2)}s}\n`,
      `timeout: 20s\ncheckpoint_every: ${whole(0, 1)}\n`,
    ].join('');
  };
  const lateAt = scenario.calmAt + scenario.leaseMs + 12_000;
  const sweeps = [
    ...Array.from({ length: whole(2, 4) }, () => ({ at: whole(0, 45_000), text: textOf() })),
    { at: lateAt, text: textOf() },
  ];
  const isKnown = ({ sweep }: { readonly sweep: number }) => sweep < sweeps.length;
  const orders = Array.from({ length: whole(1, 6) }, () => ({
    at: whole(1_000, 55_000),
    verb: random.pick(['PAUSE', 'PAUSE', 'RESUME', 'STOP', 'KILL'] as const),
    sweep: whole(0, sweeps.length - 2),
  }));
  return {
    ...scenario,
    prefetchMs: random.pick([500, 2_000, 6_000]),
    // The waiting time of queued attempts is checked only on machines with quick file transfers (queue-invariant.ts).
    machines: scenario.machines.map((machine) => ({ ...machine, transferMs: Math.min(machine.transferMs, 500) })),
    sweeps,
    versions: [],
    slowMachine: undefined,
    orders,
    retries: scenario.retries.filter(isKnown),
    trialKills: scenario.trialKills.filter(isKnown),
    priorities: scenario.priorities.filter(isKnown),
  };
}
