/**
 * Estimates when a sweep and each of its trials will end. The estimate assumes that the time of a trial is its number
 * of remaining epochs times the epoch time of its config (pace.ts), and that each waiting trial starts on the slot that
 * becomes free first. Times are Unix milliseconds; durations are milliseconds.
 */
import { max, mean, sum } from 'd3-array';
import TinyQueue from 'tinyqueue';
import type { Agent, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { agentState, type TrialStateName, trialState } from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { formatSpan } from '../text/duration.ts';
import { epochsOf } from './epoch-times.ts';
import { type EtaTrial, type Pace, paceOf, root } from './pace.ts';
import { fromWire } from './parameters.ts';
import { lastStartMs } from './slot-time.ts';

export type { EtaTrial } from './pace.ts';

export interface EtaSituation {
  /** The trials in the order in which they start. */
  readonly trials: readonly EtaTrial[];
  /**
   * The number of trials that are still to be created. Infinite if there is no limit; the sweep then has no estimate.
   * Default: 0.
   */
  readonly toCome?: number;
  /** The number of slots that can run the trials, including busy slots. */
  readonly slots: number;
  /**
   * The time until a waiting trial of this sweep can start, if sweeps with a higher priority now use all slots.
   * Default: 0.
   */
  readonly waitMs?: number;
  /**
   * The number of trials in the state `running` that still wait for the previous trial of their slot (see
   * `queuedTrials`). Default: 0.
   */
  readonly queued?: number;
  /** Whether the sweep starts no more trials, so that only its running trials count. */
  readonly paused: boolean;
  readonly now: number;
}

/** A duration from now, with a 90% interval. */
export interface TimeLeft {
  readonly lowMs: number;
  readonly expectedMs: number;
  readonly highMs: number;
}

export interface Eta {
  /**
   * The time until the last trial ends. Undefined in each of these cases: no trial is left; no epoch time was measured;
   * no slot can run the waiting trials; the number of trials is unlimited or exceeds MAX_ESTIMATED_TRIALS.
   */
  readonly sweep: TimeLeft | undefined;
  /** The sum of the times that the trials still need. Undefined if `sweep` is undefined. */
  readonly work: TimeLeft | undefined;
  /**
   * The time until the end of each trial, by trial id. Ended trials and waiting trials that will not start have no
   * entry.
   */
  readonly trials: ReadonlyMap<string, TimeLeft>;
}

/** The result of `etaOf` if nothing can be estimated. */
export const NO_ESTIMATE: Eta = { sweep: undefined, work: undefined, trials: new Map() };

/** The quantile of the normal distribution for a two-sided 90% interval. */
const TWO_SIDED_90 = 1.645;

/**
 * The maximum number of trials for an estimate. Larger sweeps have no estimate, because each estimate reads all trials.
 */
export const MAX_ESTIMATED_TRIALS = 20_000;

/** At least this share of a run of unknown length is assumed to remain. */
const LEAST_LEFT = 0.1;

export function etaOf(situation: EtaSituation): Eta {
  const { trials: known, toCome = 0, slots, waitMs = 0, queued = 0, paused, now } = situation;
  if (known.length > MAX_ESTIMATED_TRIALS) return NO_ESTIMATE;
  const trials = queued > 0 ? withQueued(known, queued) : known;
  const isEndless = !paused && trials.length + toCome > MAX_ESTIMATED_TRIALS;
  const pace = paceOf(trials, now);
  if (pace === undefined) return NO_ESTIMATE;
  const running = trials.filter(({ state }) => state === 'running').map((trial) => remainingOf(trial, pace, now));
  const waiting = paused ? [] : trials.filter(({ state }) => state === 'waiting').map((trial) => wholeOf(trial, pace));
  const future = paused || isEndless || toCome === 0 ? undefined : futureTrials(trials, toCome, pace);
  if (running.length + waiting.length === 0 && future === undefined) return NO_ESTIMATE;
  if (slots === 0 && running.length === 0) return NO_ESTIMATE;
  const times = new Map(running.map((part) => [part.id, intervalOf(part.ms, spreadOf(part), pace)]));
  if (slots === 0 && (waiting.length > 0 || future !== undefined)) return { ...NO_ESTIMATE, trials: times };
  const free = new TinyQueue(running.map(({ ms }) => ms));
  while (free.length < slots) free.push(waitMs);
  for (const part of waiting) {
    const startsIn = free.pop() ?? 0;
    free.push(startsIn + part.ms);
    // The relative uncertainty of the wait before the trial is the same as that of the trial's own time, except for the
    // noise: the wait consists of several consecutive trials, so their noise partly cancels out.
    const before = startsIn * root(part.uncertainty, part.shared, pace.noise / Math.sqrt(1 + startsIn / part.ms));
    times.set(part.id, intervalOf(startsIn + part.ms, root(spreadOf(part), before), pace));
  }
  if (isEndless) return { ...NO_ESTIMATE, trials: times };
  let expectedMs = max(times.values(), (time) => time.expectedMs) ?? 0;
  for (let trial = 0; future !== undefined && trial < future.count; trial++) {
    const endsIn = (free.pop() ?? 0) + future.each.ms;
    free.push(endsIn);
    expectedMs = Math.max(expectedMs, endsIn);
  }
  const parts = [...running, ...waiting];
  const lanes = Math.min(Math.max(slots, running.length), parts.length + (future?.count ?? 0));
  const largestSpread = Math.max(max(parts, spreadOf) ?? 0, future === undefined ? 0 : spreadOf(future.each));
  const workMs = sum(parts, ({ ms }) => ms) + (future === undefined ? 0 : future.count * future.each.ms);
  const workSpread = sumSpread(parts, future);
  return {
    sweep: intervalOf(expectedMs, root(workSpread / lanes, largestSpread), pace),
    work: intervalOf(workMs, workSpread, pace),
    trials: times,
  };
}

/**
 * Returns the trials, but changes the state of the `count` running trials with the newest grants to `waiting`. These
 * trials still wait for the previous trial of their slot.
 */
function withQueued(trials: readonly EtaTrial[], count: number): EtaTrial[] {
  const running = trials.filter(({ state }) => state === 'running').sort((a, b) => a.startedAtMs - b.startedAtMs);
  const queued = new Set(running.slice(Math.max(0, running.length - count)));
  return trials.map((trial) => (queued.has(trial) ? { ...trial, state: 'waiting' } : trial));
}

/** Trials that are still to be created. All of them have the same estimate, so one `Part` represents each of them. */
interface FutureTrials {
  readonly count: number;
  /**
   * The work of one of the trials. Its `configId` is a placeholder, because each of the trials will have a config of
   * its own.
   */
  readonly each: Part;
}

/**
 * Describes trials that are still to be created. They are assumed to have the mean number of epochs of the trials
 * created so far.
 */
function futureTrials(created: readonly EtaTrial[], count: number, pace: Pace): FutureTrials {
  const epochs = mean(created, (trial) => trial.epochs);
  const unknown = { id: FUTURE, configId: FUTURE, parameters: undefined, startedAtMs: 0, endedAtMs: 0 };
  return { count, each: wholeOf({ ...unknown, state: 'waiting', epoch: 0, epochs }, pace) };
}

/**
 * The trial id and config id that stand for all trials that are still to be created. No created trial and no config has
 * this id.
 */
const FUTURE = 'future';

/** The remaining work of one trial. */
interface Part {
  readonly id: string;
  readonly configId: string;
  readonly ms: number;
  /** The standard deviation of `ms` due to the noise of this trial alone. */
  readonly noiseMs: number;
  /**
   * The relative standard deviation of `ms` due to the uncertainty of the config's mean epoch time. This error is the
   * same for all trials of the config.
   */
  readonly uncertainty: number;
  /**
   * The relative standard deviation of `ms` due to errors that all configs share: the uncertainty of the mean over all
   * configs, and of the effects of parameter values that were not measured.
   */
  readonly shared: number;
}

const spreadOf = ({ ms, noiseMs, uncertainty, shared }: Part): number => {
  return root(noiseMs, ms * uncertainty, ms * shared);
};

/** Returns the standard deviation of the sum of all parts. */
function sumSpread(parts: readonly Part[], future: FutureTrials | undefined): number {
  const ofConfigs = new Map<string, { ms: number; readonly uncertainty: number }>();
  for (const { configId, ms, uncertainty } of parts) {
    const config = ofConfigs.get(configId);
    if (config === undefined) ofConfigs.set(configId, { ms, uncertainty });
    else config.ms += ms;
  }
  let ofConfig = sum(ofConfigs.values(), ({ ms, uncertainty }) => (ms * uncertainty) ** 2);
  let own = sum(parts, ({ noiseMs }) => noiseMs ** 2);
  let common = sum(parts, ({ ms, shared }) => ms * shared);
  if (future !== undefined) {
    const { count, each } = future;
    ofConfig += count * (each.ms * each.uncertainty) ** 2;
    own += count * each.noiseMs ** 2;
    common += count * each.ms * each.shared;
  }
  return root(Math.sqrt(ofConfig + own), common);
}

function intervalOf(expectedMs: number, spreadMs: number, { freedom }: Pace): TimeLeft {
  // Approximates a quantile of Student's t-distribution, because the noise itself is estimated from few trials.
  const factor = TWO_SIDED_90 * (1 + 1 / freedom);
  const relative = expectedMs === 0 ? 0 : (factor * spreadMs) / expectedMs;
  return { lowMs: expectedMs / (1 + relative), expectedMs, highMs: expectedMs * (1 + relative) };
}

function wholeOf(trial: EtaTrial, pace: Pace): Part {
  const { id, configId, epochs = 1 } = trial;
  const { unitMs, uncertainty, shared } = pace.ofConfig(trial);
  const ms = epochs * unitMs * pace.share;
  const noiseMs = ms * root(pace.noise, pace.shareSpread);
  return { id, configId, ms, noiseMs, uncertainty, shared };
}

function remainingOf(trial: EtaTrial, pace: Pace, now: number): Part {
  const { id, configId, epoch, epochs, startedAtMs } = trial;
  const { unitMs, uncertainty, shared } = pace.ofConfig(trial);
  if (epochs === undefined) {
    const ms = Math.max(unitMs - (now - startedAtMs), unitMs * LEAST_LEFT);
    return { id, configId, ms, noiseMs: unitMs * pace.noise, uncertainty, shared };
  }
  const left = Math.max(epochs - epoch, 0);
  const ms = unitMs * Math.max(left - 0.5, 0.25);
  // The time since the last report is unknown, but is at most one epoch. A uniform distribution over one epoch has the
  // standard deviation unitMs / sqrt(12).
  return { id, configId, ms, noiseMs: root(ms * pace.noise, unitMs / Math.sqrt(12)), uncertainty, shared };
}

/**
 * Converts trials to the input of `etaOf`. The parameter `epochs`, if it is a positive number, gives the length of a
 * whole run.
 */
export function etaTrials(trials: Iterable<Trial>): EtaTrial[] {
  const ofConfigs = new Map<string, Parameters>();
  const parametersOf = ({ configId, parameters }: Trial): Parameters => {
    const known = ofConfigs.get(configId);
    if (known !== undefined) return known;
    const converted = convertedParameters(parameters);
    ofConfigs.set(configId, converted);
    return converted;
  };
  return [...trials]
    .sort((a, b) => a.index - b.index)
    .map((trial) => {
      const { id, configId, epoch, endedAtMs } = trial;
      const parameters = parametersOf(trial);
      const state = phaseOf(trialState.of(trial.state));
      const startedAtMs = lastStartMs(trial);
      return { id, configId, parameters, state, epoch, epochs: epochsOf(parameters), startedAtMs, endedAtMs };
    });
}

const convertedBefore = new WeakMap<Trial['parameters'], Parameters>();

/**
 * Converts parameters from the wire. The result is cached, because each estimate needs the parameters of thousands of
 * configs.
 */
function convertedParameters(wire: Trial['parameters']): Parameters {
  const known = convertedBefore.get(wire);
  if (known !== undefined) return known;
  const parameters = fromWire(wire);
  convertedBefore.set(wire, parameters);
  return parameters;
}

export function phaseOf(state: TrialStateName): EtaTrial['state'] {
  if (state === 'running') return 'running';
  return state === 'pending' || state === 'offered' || state === 'interrupted' ? 'waiting' : 'ended';
}

/** The properties of an agent that `usableSlots` reads. */
interface SlotsOfAgent {
  readonly takesWork: boolean;
  readonly slots: number;
  readonly busy: number;
  /** The number of trials that one slot trains as a pack. */
  readonly pack: number;
}

interface SlotsOfSweep {
  readonly running: number;
  /**
   * The maximum number of trials of the sweep that run at the same time. If undefined or 0, the number is not limited.
   */
  readonly concurrency: number | undefined;
  /** Whether the trials of the sweep can be trained as packs. */
  readonly packs: boolean;
}

/**
 * Returns the number of trials of a sweep that can run at the same time: its running trials, and the trials that the
 * free slots can start. A free slot starts a whole pack if the sweep allows packs. Slots that run trials of other
 * sweeps do not count, because only the coordinator knows how many of these slots the sweep will get.
 */
export function usableSlots(agents: Iterable<SlotsOfAgent>, { running, concurrency, packs }: SlotsOfSweep): number {
  let free = 0;
  for (const { takesWork, slots, busy, pack } of agents)
    if (takesWork) free += Math.max(0, slots - busy) * (packs ? Math.max(1, pack) : 1);
  return Math.min(free + running, concurrency || Number.POSITIVE_INFINITY);
}

/** Converts agents to the input of `usableSlots`. */
export const slotsOfAgents = (agents: readonly Pick<Agent, 'state' | 'slots' | 'busy' | 'pack'>[]): SlotsOfAgent[] =>
  agents.map(({ state, slots, busy, pack }) => ({
    takesWork: agentState.of(state) === 'connected',
    slots,
    busy,
    pack,
  }));

/** Returns the total number of slots of the agents that take work. */
export const connectedSlots = (agents: readonly Agent[]): number =>
  sum(slotsOfAgents(agents), ({ takesWork, slots }) => (takesWork ? slots : 0));

/** Subtracts the elapsed time from each value of an estimate. The results are at least 0. */
export function timeLeftAfter({ lowMs, expectedMs, highMs }: TimeLeft, elapsedMs: number): TimeLeft {
  const left = (ms: number) => Math.max(0, ms - elapsedMs);
  return { lowMs: left(lowMs), expectedMs: left(expectedMs), highMs: left(highMs) };
}

/** Formats the 90% interval of the remaining time, such as `1m40s to 2m50s`. */
export const timeLeftRange = ({ lowMs, highMs }: TimeLeft): string => `${formatSpan(lowMs)} to ${formatSpan(highMs)}`;

/** Formats the remaining time, such as `2m03s (90% interval 1m40s to 2m50s)`. */
export const timeLeftText = (left: TimeLeft): string =>
  `${formatSpan(left.expectedMs)} (90% interval ${timeLeftRange(left)})`;
