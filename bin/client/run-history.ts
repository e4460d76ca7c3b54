/** Finds earlier trials of the same program, to estimate how long a sweep takes. */
import { greatest, sort, sum } from 'd3-array';
import type { PastTrial } from '../../coordinator/analysis/trial-durations.ts';
import type { SweepSpec } from '../../coordinator/grid/spec.ts';
import { connectedSlots } from '../../lib/domain/eta.ts';
import { fromWire } from '../../lib/domain/parameters.ts';
import { lastStartMs } from '../../lib/domain/slot-time.ts';
import { trialTotal } from '../../lib/domain/trial-state.ts';
import { type Trial, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { storedSpec } from '../options/sweep-file.ts';
import { listAgents } from './agents.ts';
import type { Connection } from './connect.ts';
import { unary } from './rpc.ts';
import { getSweep, listTrials } from './sweeps.ts';

/** At most this many sweeps are read, newest first. */
const MAX_SWEEPS = 20;
/**
 * Once `trials` of RunHistory has this number of entries, no older sweep is read. A sweep that has more trials than this
 * number is never read.
 */
const MAX_PAST_TRIALS = 20_000;

const ENDED = [TrialState.SUCCEEDED, TrialState.STOPPED];

export interface RunHistory {
  /** The trials that ran from their first epoch to their last. */
  readonly trials: readonly PastTrial[];
  /** The number of sweeps that were read and have a successful or a stopped trial. */
  readonly sweeps: number;
  /**
   * The number of slots of the connected agents. If no agent is connected, the number of slots that the trials used. At
   * least 1 if there are trials.
   */
  readonly slots: number;
  /**
   * The usual number of concurrent trials per slot, from the sweep in which this number was highest. At least 1; higher
   * with packs.
   */
  readonly perSlot: number;
  /**
   * The successful and the stopped trials of the earlier sweeps that had the same early stopping as the new sweep. Empty
   * if the new sweep has no early stopping.
   */
  readonly underRule: readonly PastTrial[];
}

/**
 * Reads the newest sweeps that have the trainer and the command of `spec`. Returns their trials that ran from the first
 * epoch to the last. From sweeps that also have the early stopping of `spec`, returns all successful and stopped
 * trials, too.
 */
export async function runHistory(connection: Connection, spec: SweepSpec): Promise<RunHistory> {
  const { sweeps } = await unary(connection, connection.client.listSweeps, {});
  const candidates = sweeps.filter(({ trainer }) => trainer === spec.trainer).slice(-MAX_SWEEPS);
  const trials: PastTrial[] = [];
  const agents = await listAgents(connection);
  const slotsOf = new Map(agents.map(({ id, slots }) => [id, slots]));
  let [found, usedSlots, perSlot] = [0, 0, 1];
  const underRule: PastTrial[] = [];
  for (const sweep of candidates.reverse()) {
    if (trials.length >= MAX_PAST_TRIALS || trialTotal(sweep) > MAX_PAST_TRIALS) continue;
    const earlier = storedSpec((await getSweep(connection, sweep.id)).text, sweep.name);
    if (spec.command.length > 0 && !areEqual(earlier?.command, spec.command)) continue;
    const ended = (await listTrials(connection, { sweep: sweep.id, states: ENDED })).filter(
      ({ startedAtMs, endedAtMs }) => startedAtMs > 0 && endedAtMs > startedAtMs,
    );
    if (ended.length === 0) continue;
    found += 1;
    const atOnce = usualAtOnce(ended);
    const slots = sum(new Set(ended.map(({ agentId }) => agentId)), (id) => slotsOf.get(id) ?? 0) || atOnce;
    usedSlots = Math.max(usedSlots, Math.min(slots, atOnce));
    perSlot = Math.max(perSlot, atOnce / slots);
    const { earlyTerminate } = spec;
    const hasSameRule = earlyTerminate !== undefined && areEqual(earlier?.earlyTerminate, earlyTerminate);
    for (const trial of ended) {
      const past = { sweepId: sweep.id, parameters: fromWire(trial.parameters), ms: slotMs(trial) };
      if (isWhole(trial)) trials.push(past);
      if (hasSameRule) underRule.push(past);
    }
  }
  return { trials, sweeps: found, slots: connectedSlots(agents) || usedSlots, perSlot, underRule };
}

/** Returns whether the trial ran from its first epoch to its last. A child in a population starts at a later epoch. */
export function isWhole({ state, origin }: Pick<Trial, 'state' | 'origin'>): boolean {
  return state === TrialState.SUCCEEDED && origin === undefined;
}

/**
 * Returns the total time for which slots ran the attempts of an ended trial, in milliseconds. The duration of the last
 * attempt is not enough, because the attempt may have started from a checkpoint: a promoted trial has one attempt per rung.
 */
export function slotMs({ leasedMs }: Pick<Trial, 'leasedMs'>): number {
  // A very short trial may start and end in the same millisecond.
  return Math.max(1, leasedMs);
}

function areEqual(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/**
 * Returns the usual number of concurrent trials. For each number n, the function adds up the periods in which exactly n
 * trials ran at once, and returns the n with the longest total. A short overlap of two consecutive trials therefore
 * does not change the result. A trial that waits for the previous trial of its slot is usually not counted (see
 * `lastStartMs`).
 */
export function usualAtOnce(trials: readonly Pick<Trial, 'startedAtMs' | 'endedAtMs' | 'leasedMs'>[]): number {
  const changes = trials.flatMap((trial) => [
    { at: lastStartMs(trial), by: 1 },
    { at: trial.endedAtMs, by: -1 },
  ]);
  const times = new Map<number, number>();
  let [running, since] = [0, 0];
  for (const { at, by } of sort(changes, (a, b) => a.at - b.at || a.by - b.by)) {
    if (running > 0) times.set(running, (times.get(running) ?? 0) + at - since);
    [running, since] = [running + by, at];
  }
  return greatest(times, ([, time]) => time)?.[0] ?? 0;
}
