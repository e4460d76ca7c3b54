/** Draws the scenario of a seed: the machines of a cluster, and the times of its sweeps, user actions and faults. */
import { TestRandom } from '../support/random.ts';
import { contestSweeps, type PriorityOrder, priorityOrders, priorityText } from './contest.ts';
import type { MachineOptions } from './machine.ts';
import type { NetworkConditions } from './network.ts';
import { type MachineResources, resourcesOf, resourcesText } from './placement.ts';
import type { DeathPoint } from './process.ts';
import { SIMULATED_SEARCH } from './sampler.ts';

export type UserAction = 'PAUSE' | 'RESUME' | 'STOP' | 'KILL';

interface DrainOrder {
  readonly at: number;
  readonly agent: string;
  readonly graceMs: number | undefined;
}

/** A user retries the failed trials, the cancelled trials, or two named trials of a sweep. */
export interface RetryOrder {
  readonly at: number;
  /** The index of the sweep, in order of submission. */
  readonly sweep: number;
  readonly what: 'failed' | 'cancelled' | 'two';
}

/** A user kills one trial of a sweep, if possible a running trial. */
interface TrialKill {
  readonly at: number;
  /** The index of the sweep, in order of submission. */
  readonly sweep: number;
}

interface Order {
  readonly at: number;
  readonly verb: UserAction;
  /** The index of the sweep, in order of submission. */
  readonly sweep: number;
}

/** A fault. `ms` is its duration. */
export type ClusterFault = { readonly at: number } & (
  | {
      readonly kind: 'kill';
      readonly place: string;
      readonly deathPoint: DeathPoint['at'] | 'now';
      readonly left: number;
      readonly ms: number;
    }
  | { readonly kind: 'stop agent'; readonly place: string; readonly graceMs: number; readonly ms: number }
  | { readonly kind: 'lose power'; readonly place: string; readonly ms: number }
  | { readonly kind: 'agent leaves'; readonly place: string }
  | { readonly kind: 'kill worker'; readonly place: string; readonly slot: number }
  | { readonly kind: 'nats dies'; readonly ms: number }
  | { readonly kind: 'nats loses' | 'nats sticks'; readonly share: number }
  | { readonly kind: 'nats forgets' }
  | { readonly kind: 'cut'; readonly from: string; readonly to: string; readonly both: boolean; readonly ms: number }
  | { readonly kind: 'streams break'; readonly place: string }
  | { readonly kind: 'freeze'; readonly place: string; readonly ms: number }
  | { readonly kind: 'disk full'; readonly place: string; readonly ms: number }
  | { readonly kind: 'clock jumps'; readonly byMs: number; readonly restarts: boolean }
  /** The store's server dies, and another takes its place. Occurs only if several coordinators share the store. */
  | { readonly kind: 'store fails over'; readonly ms: number; readonly clockOffMs: number }
  /** A coordinator is suspended in its next transaction. Occurs only if several coordinators share the store. */
  | { readonly kind: 'freeze in transaction'; readonly place: string; readonly ms: number }
  /** A coordinator is stopped in an orderly way. Occurs only if several coordinators share the store. */
  | { readonly kind: 'hand over'; readonly place: string; readonly ms: number }
);

/** The probabilities of the ways in which an attempt can end. */
interface EndProbabilities {
  readonly nan: number;
  readonly oom: number;
  readonly crash: number;
  readonly preflight: number;
  readonly exit: number;
  readonly hang: number;
}

/**
 * A user applies an edited file. The edited file of a grid leaves out points at the beginning and adds points at the
 * end. The edited file of a search has a different `run_cap`.
 */
export interface VersionOrder {
  readonly at: number;
  /** The index of the sweep, in order of submission. */
  readonly sweep: number;
  /** The number of points that the new version leaves out. */
  readonly without: number;
  /** The number of points that the new version adds. */
  readonly more: number;
  /** The maximum number of retries after a crash, in the new version. */
  readonly crashRetries: number;
}

interface SubmittedSweep {
  readonly at: number;
  readonly text: string;
  /** The index of a sweep that must have ended before the submission. Default: none. */
  readonly after?: number;
}

export interface Scenario {
  readonly leaseMs: number;
  /** The value that replaces PREFETCH_MS (coordinator/core/model.ts). Undefined for the default. */
  readonly prefetchMs?: number;
  /** The places of the coordinators. If there are several coordinators, they share one store. */
  readonly coordinators: readonly string[];
  readonly conditions: NetworkConditions;
  readonly machines: readonly MachineOptions[];
  readonly sweeps: readonly SubmittedSweep[];
  readonly orders: readonly Order[];
  readonly drains: readonly DrainOrder[];
  readonly retries: readonly RetryOrder[];
  readonly trialKills: readonly TrialKill[];
  readonly versions: readonly VersionOrder[];
  readonly priorities: readonly PriorityOrder[];
  readonly faults: readonly ClusterFault[];
  readonly endProbabilities: EndProbabilities;
  /** The machine on which every attempt crashes in its first epoch. */
  readonly faultyMachine: string | undefined;
  /**
   * The machine on which training takes ten times as long as on the other machines. A scenario has such a machine only
   * if its sweeps may have second attempts.
   */
  readonly slowMachine: string | undefined;
  /** When the last fault ends. */
  readonly calmAt: number;
}

const NO_RESOURCES: MachineResources = { zone: '', gpuSlots: 0 };
const FAULTY_MS = 60_000;

/** Returns a scenario in which most sweeps are grids and some are searches. */
export function anyScenario(seed: number): Scenario {
  const random = new TestRandom(seed);
  const chance = (of: number) => random.next() < of;
  const whole = (from: number, to: number) => Math.floor(random.between(from, to + 1));
  const drawn = Array.from(
    { length: whole(1, 3) },
    (_, at): Omit<MachineOptions, keyof MachineResources> => ({
      id: `agent-${at + 1}`,
      slots: whole(1, 3),
      pack: random.pick([1, 1, 2, 4]),
      transferMs: random.pick([20, 500, 500, 20_000]),
    }),
  );
  const resources = resourcesOf(
    seed,
    drawn.map(({ slots }) => slots),
  );
  const machines = drawn.map((options, at): MachineOptions => ({ ...NO_RESOURCES, ...resources[at], ...options }));
  const hangs = chance(0.4);
  const sweeps = Array.from({ length: whole(1, 3) }, () => ({ at: whole(0, 15_000), text: sweepText(random, hangs) }));
  const orders = Array.from(
    { length: chance(0.5) ? whole(1, 4) : 0 },
    (): Order => ({
      at: whole(2_000, FAULTY_MS),
      verb: random.pick(['PAUSE', 'PAUSE', 'PAUSE', 'RESUME', 'RESUME', 'STOP', 'KILL']),
      sweep: whole(0, sweeps.length - 1),
    }),
  );
  const places = machines.map(({ id }) => id);
  const drains = Array.from(
    { length: chance(0.3) ? whole(1, 4) : 0 },
    (): DrainOrder => ({
      at: whole(2_000, FAULTY_MS),
      agent: random.pick(places),
      graceMs: chance(0.25) ? undefined : random.pick([0, 3_000, 60_000]),
    }),
  );
  // Newer parts of a scenario have separate random streams, so that the older parts of each seed stay the same.
  const retryRandom = new TestRandom(seed ^ 0x2e72);
  const retries = Array.from(
    { length: retryRandom.next() < 0.5 ? Math.floor(retryRandom.between(1, 7)) : 0 },
    (): RetryOrder => ({
      at: Math.floor(retryRandom.between(5_000, FAULTY_MS)),
      sweep: Math.floor(retryRandom.between(0, sweeps.length)),
      what: retryRandom.pick(['failed', 'failed', 'cancelled', 'two']),
    }),
  );
  const killRandom = new TestRandom(seed ^ 0x6b11);
  const trialKills = Array.from(
    { length: killRandom.next() < 0.4 ? Math.floor(killRandom.between(1, 5)) : 0 },
    (): TrialKill => ({
      at: Math.floor(killRandom.between(2_000, FAULTY_MS)),
      sweep: Math.floor(killRandom.between(0, sweeps.length)),
    }),
  );
  const faults = Array.from({ length: whole(2, 18) }, () => anyFault(random, places));
  if (places.length > 1 && chance(0.4)) {
    faults.push({ at: whole(10_000, FAULTY_MS - 2_000), kind: 'agent leaves', place: random.pick(places) });
  }
  const gone = faults.flatMap((fault) => (fault.kind === 'agent leaves' ? [fault.place] : []));
  const staying = machines.filter(({ id }) => !gone.includes(id));
  const resourceRandom = new TestRandom(seed ^ 0xa5c);
  const contestRandom = new TestRandom(seed ^ 0x41a1);
  const ruleRandom = new TestRandom(seed ^ 0xea51);
  const targetRandom = new TestRandom(seed ^ 0x7a6e);
  const speculationRandom = new TestRandom(seed ^ 0x59ec);
  const speculates = speculationRandom.next() < 0.5;
  const failureRate = random.pick([0, 0.03, 0.1]);
  return {
    leaseMs: random.pick([3_000, 6_000, 15_000]),
    coordinators: ['coordinator'],
    machines,
    orders,
    drains,
    retries,
    trialKills,
    versions: versionOrders(seed, sweeps.length),
    faults,
    sweeps: [
      ...sweeps.map(({ at, text }) => ({
        at,
        text:
          withSearch(withCheckpoints(withTarget(text, targetRandom), seed), seed) +
          usefulRule(ruleText(seed, ruleRandom), text) +
          resourcesText(resourceRandom, staying) +
          priorityText(contestRandom) +
          (speculates && speculationRandom.next() < 0.8 ? 'speculate: true\n' : ''),
      })),
      ...contestSweeps(contestRandom, FAULTY_MS),
    ],
    priorities: priorityOrders(contestRandom, sweeps.length, FAULTY_MS),
    faultyMachine: faultyOf(new TestRandom(seed ^ 0xfa17), places),
    slowMachine:
      speculates && places.length > 1 && speculationRandom.next() < 0.6 ? speculationRandom.pick(places) : undefined,
    calmAt: FAULTY_MS,
    conditions: {
      usualMs: random.pick([2, 10, 60]),
      slowMs: random.pick([200, 2_000, 12_000]),
      slow: random.pick([0, 0.02, 0.1]),
      lost: random.pick([0, 0.01, 0.08]),
      doubled: random.pick([0, 0.02, 0.1]),
    },
    endProbabilities: {
      nan: failureRate / 4,
      oom: failureRate,
      crash: failureRate,
      preflight: failureRate / 2,
      exit: failureRate,
      hang: hangs ? 0.08 : 0,
    },
  };
}

/**
 * Two of seven seeds have new versions. The scenarios of the other seeds are the same as before new versions were added
 * to the simulation.
 */
function versionOrders(seed: number, sweeps: number): VersionOrder[] {
  if (seed % 7 !== 3 && seed % 7 !== 5) return [];
  const random = new TestRandom(seed ^ 0xa991);
  const whole = (from: number, to: number) => Math.floor(random.between(from, to + 1));
  return Array.from({ length: whole(1, 5) }, () => ({
    at: whole(4_000, FAULTY_MS),
    sweep: whole(0, sweeps - 1),
    without: whole(0, 3),
    more: whole(0, 4),
    crashRetries: whole(0, 3),
  }));
}

/** Gives some sweeps a target. Simulated losses are distributed evenly between 0 and 1. */
function withTarget(text: string, random: TestRandom): string {
  const target = random.next() < 0.3 ? random.pick([0.02, 0.1, 0.3]) : undefined;
  return target === undefined ? text : text.replace('goal: minimize}', `goal: minimize, target: ${target}}`);
}

/**
 * Three of nine seeds have early-stopping rules. The scenarios of the other seeds are the same as before rules were
 * added to the simulation.
 */
function ruleText(seed: number, random: TestRandom): string {
  if (seed % 9 === 5) return 'early_terminate: {type: asha, variant: promotion, eta: 2}\n';
  if (seed % 9 !== 2 && seed % 9 !== 6) return '';
  const asha = '{type: asha, min_iter: 1, eta: 2}';
  const median = '{type: median, min_trials: 2}';
  const hyperband = '{type: hyperband, min_iter: 2, eta: 2}';
  return `early_terminate: ${random.pick([asha, asha, asha, median, hyperband])}\n`;
}

/**
 * Returns `rule`, or an empty string if the rule cannot stop any trial of the sweep. With such a rule, the sweep would
 * be rejected.
 */
function usefulRule(rule: string, text: string): string {
  const epochs = Number(/epochs: \{value: (\d+)\}/.exec(text)?.[1]);
  return epochs > (rule.includes('min_iter: 2') ? 2 : 1) ? rule : '';
}

/** Turns on checkpoints for seeds that promote trials, because promoted trials resume from checkpoints. */
function withCheckpoints(text: string, seed: number): string {
  return seed % 9 === 5 ? text.replace('checkpoint_every: 0', 'checkpoint_every: 1') : text;
}

/**
 * Some seeds have searches by an external sampler, and some have TPE searches. Versions of a search cannot change its
 * points, so these seeds have no new versions. The scenarios of the other seeds are the same as before searches were
 * added to the simulation.
 */
function withSearch(text: string, seed: number): string {
  if (seed % 7 === 3 || seed % 7 === 5) return text;
  const space = text.replace(/x: \{[^}]*\}/, 'x: {min: 1, max: 100000}');
  if (seed % 20 === 9) return `${SIMULATED_SEARCH}${space}`;
  return seed % 20 === 0 && seed % 3 !== 0 ? `method: tpe\nrun_cap: 14\n${space}` : text;
}

function faultyOf(random: TestRandom, places: readonly string[]): string | undefined {
  return places.length > 1 && random.next() < 0.4 ? random.pick(places) : undefined;
}

function sweepText(random: TestRandom, hangs: boolean): string {
  const whole = (from: number, to: number) => Math.floor(random.between(from, to + 1));
  const maybe = (of: number, line: () => string) => (random.next() < of ? `${line()}\n` : '');
  const trainer = random.pick(['noop', 'noop', 'command']);
  const parameters = { x: `{min: 1, max: ${whole(2, 9)}, step: 1}`, epochs: `{value: ${whole(1, 5)}}` };
  return [
    `name: simulated\ntrainer: ${trainer}\n`,
    trainer === 'command' ? 'command: [program]\nmetric: {name: test_loss, goal: minimize}\n' : '',
    `parameters:\n  x: ${parameters.x}\n  epochs: ${parameters.epochs}\n  duration_ms: {value: ${whole(50, 3_000)}}\n`,
    `retry: {oom: ${whole(0, 2)}, crash: ${whole(0, 3)}, timeout: ${whole(0, 2)}, backoff: ${whole(0, 2)}s}\n`,
    maybe(hangs ? 1 : 0.3, () => `timeout: ${whole(20, 60)}s`),
    `checkpoint_every: ${whole(0, 2)}\n`,
    maybe(0.3, () => `concurrency: ${whole(1, 4)}`),
    maybe(0.3, () => `max_failed: ${random.pick(['0', '1', '20%', '50%'])}`),
  ].join('');
}

function anyFault(random: TestRandom, agents: readonly string[]): ClusterFault {
  const whole = (from: number, to: number) => Math.floor(random.between(from, to + 1));
  const agent = random.pick(agents);
  const place = random.pick(['coordinator', 'coordinator', agent]);
  const at = whole(3_000, FAULTY_MS - 2_000);
  const ms = Math.min(whole(100, random.pick([1_000, 8_000, 30_000])), FAULTY_MS - at);
  const [from = '', to = ''] = random.shuffled(
    random.pick([
      [agent, 'coordinator'],
      [agent, 'nats'],
      ['coordinator', 'nats'],
    ]),
  );
  switch (whole(0, 17)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: {
      const deathPoint = random.pick(['now', 'before commit', 'after commit', 'sending'] as const);
      return { at, kind: 'kill', place, deathPoint, left: whole(0, 4), ms };
    }
    case 5:
      return random.next() < 0.5
        ? { at, kind: 'lose power', place: agent, ms }
        : { at, kind: 'stop agent', place: agent, graceMs: random.pick([0, 1_000, 10_000]), ms };
    case 6:
      return { at, kind: 'nats dies', ms };
    case 7:
      return { at, kind: 'nats loses', share: random.pick([0.3, 1]) };
    case 8:
      return { at, kind: 'nats forgets' };
    case 9:
      return { at, kind: 'cut', from, to, both: random.next() < 0.6, ms };
    case 10:
      return { at, kind: 'streams break', place: agent };
    case 11:
      return { at, kind: 'freeze', place: random.pick([place, 'nats']), ms };
    case 12:
      return { at, kind: 'disk full', place, ms };
    case 13:
      return { at, kind: 'nats sticks', share: random.pick([0.3, 1]) };
    case 14:
    case 15:
      return { at, kind: 'kill worker', place: agent, slot: whole(0, 2) };
    default:
      return { at, kind: 'clock jumps', byMs: whole(-7_200_000, 60_000), restarts: random.next() < 0.7 };
  }
}
