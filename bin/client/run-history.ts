/** Finds earlier trials of the same program, to estimate how long a sweep takes. */
import { sort, sum } from 'd3-array';
import type { PastTrial } from '../../coordinator/analysis/trial-durations.ts';
import type { SweepSpec } from '../../coordinator/grid/spec.ts';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { connectedSlots } from '../../lib/domain/eta.ts';
import { fromWire } from '../../lib/domain/parameters.ts';
import { trialTotal } from '../../lib/domain/trial-state.ts';
import { type Sweep, type Trial, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { listAgents } from './agents.ts';
import type { Connection } from './connect.ts';
import { unary } from './rpc.ts';
import { getSweep, listTrials } from './sweeps.ts';

/** The maximum number of sweeps that are read, newest first. */
const MAX_SWEEPS = 20;
/**
 * When this number of trials is known, no older sweep is read. Sweeps with more trials than this limit are never read.
 */
const MAX_PAST_TRIALS = 20_000;

export interface RunHistory {
  readonly trials: readonly PastTrial[];
  /** The number of sweeps that the trials belong to. */
  readonly sweeps: number;
  /** The slots of the connected agents or, without any, of the agents that ran the trials. At least 1 if there are trials. */
  readonly slots: number;
  /** The number of trials that ran on one slot at the same time, as packs. At least 1. */
  readonly perSlot: number;
}

/** Reads the successful trials of the newest sweeps with the same trainer and the same command. */
export async function runHistory(connection: Connection, spec: SweepSpec): Promise<RunHistory> {
  const { sweeps } = await unary(connection, connection.client.listSweeps, {});
  const candidates = sweeps.filter(({ trainer }) => trainer === spec.trainer).slice(-MAX_SWEEPS);
  const trials: PastTrial[] = [];
  const agents = await listAgents(connection);
  const slotsOf = new Map(agents.map(({ id, slots }) => [id, slots]));
  let [found, usedSlots, perSlot] = [0, 0, 1];
  for (const sweep of candidates.reverse()) {
    if (trials.length >= MAX_PAST_TRIALS || trialTotal(sweep) > MAX_PAST_TRIALS) continue;
    if (!(await runsSameCommand(connection, sweep, spec))) continue;
    const ended = (await listTrials(connection, { sweep: sweep.id, states: [TrialState.SUCCEEDED] })).filter(
      ({ startedAtMs, endedAtMs }) => startedAtMs > 0 && endedAtMs > startedAtMs,
    );
    if (ended.length === 0) continue;
    found += 1;
    const atOnce = mostAtOnce(ended);
    const slots = sum(new Set(ended.map(({ agentId }) => agentId)), (id) => slotsOf.get(id) ?? 0) || atOnce;
    usedSlots = Math.max(usedSlots, Math.min(slots, atOnce));
    perSlot = Math.max(perSlot, atOnce / slots);
    for (const { parameters, startedAtMs, endedAtMs } of ended) {
      trials.push({ sweepId: sweep.id, parameters: fromWire(parameters), ms: endedAtMs - startedAtMs });
    }
  }
  return { trials, sweeps: found, slots: connectedSlots(agents) || usedSlots, perSlot };
}

async function runsSameCommand(connection: Connection, sweep: Sweep, spec: SweepSpec): Promise<boolean> {
  if (spec.command.length === 0) return true;
  const { text } = await getSweep(connection, sweep.id);
  return JSON.stringify(commandOf(text, sweep.name)) === JSON.stringify(spec.command);
}

/** Returns undefined for a sweep file that only an older version of trawl accepts. */
function commandOf(text: string, name: string): readonly string[] | undefined {
  try {
    return parseSweep(text, name).command;
  } catch {
    return undefined;
  }
}

function mostAtOnce(trials: readonly Trial[]): number {
  const changes = trials.flatMap(({ startedAtMs, endedAtMs }) => [
    { at: startedAtMs, by: 1 },
    { at: endedAtMs, by: -1 },
  ]);
  let [running, most] = [0, 0];
  for (const { by } of sort(changes, (a, b) => a.at - b.at || a.by - b.by)) {
    running += by;
    most = Math.max(most, running);
  }
  return most;
}
