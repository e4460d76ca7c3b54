/** A sweep as a TensorBoard log folder: a run folder a trial, and above them what the HParams plugin has to know. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SEED, splitParameters } from '../../../lib/domain/parameters.ts';
import { fromWire } from '../../../lib/domain/wire-parameters.ts';
import type { Curve } from '../../../proto/gen/trawl/v1/sweep_service.ts';
import type { Report, Sweep, Trial } from '../../../proto/gen/trawl/v1/types.ts';
import { type TrialStateName, trialState } from '../../../proto/names.ts';
import type { Parameters, ParameterValue } from '../../../proto/trainers.ts';
import { fileVersion, scalars } from './event.ts';
import {
  domainOf,
  experimentEvent,
  type HParamDomain,
  type SessionStatus,
  sessionEnd,
  sessionStart,
} from './hparams.ts';
import { idLength, runName } from './run-name.ts';

const STATUS: Readonly<Partial<Record<TrialStateName, SessionStatus>>> = {
  running: 'running',
  succeeded: 'success',
  stopped: 'success',
  failed: 'failure',
};

function hparamsOf(trial: Trial): Parameters {
  return { ...fromWire(trial.parameters), [SEED]: trial.seed };
}

function domainsOf(trials: readonly Trial[]): ReadonlyMap<string, HParamDomain> {
  const values = new Map<string, Set<ParameterValue>>();
  for (const trial of trials) {
    for (const [name, value] of Object.entries(hparamsOf(trial))) {
      values.set(name, (values.get(name) ?? new Set()).add(value));
    }
  }
  return new Map([...values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, seen]) => [name, domainOf(seen)]));
}

/** TensorBoard takes for an event file what has `tfevents` in its name; the number is a Unix time. */
function eventFileName(ms: number): string {
  return `events.out.tfevents.${String(Math.floor(ms / 1000)).padStart(10, '0')}.trawl`;
}

function runEvents(trial: Trial, reports: readonly Report[], domains: ReadonlyMap<string, HParamDomain>): Uint8Array {
  const { startedAtMs, endedAtMs } = trial;
  const status = STATUS[trialState.of(trial.state)] ?? 'unknown';
  return Buffer.concat([
    fileVersion(startedAtMs),
    sessionStart(startedAtMs, hparamsOf(trial), domains),
    ...reports.map(({ atMs, epoch, metrics }) => scalars(atMs, epoch, metrics)),
    sessionEnd(endedAtMs || (reports.at(-1)?.atMs ?? startedAtMs), status, endedAtMs),
  ]);
}

/**
 * Fills the folder `dir`. Trials that no agent has begun have no run; `curves` of other trials are left out.
 * @returns how many runs were written
 */
export async function writeRuns(
  dir: string,
  sweep: Sweep,
  trials: readonly Trial[],
  curves: AsyncIterable<Curve>,
): Promise<number> {
  const begun = new Map(trials.filter(({ attempts }) => attempts > 0).map((trial) => [trial.id, trial]));
  const { varying } = splitParameters(trials);
  const length = idLength(trials.map(({ id }) => id));
  const domains = domainsOf(trials);
  const metrics = new Set(sweep.metric === undefined ? [] : [sweep.metric.name]);

  const writeRun = async (trial: Trial, reports: readonly Report[]) => {
    const run = join(dir, runName(trial, varying, length));
    await mkdir(run);
    await writeFile(join(run, eventFileName(trial.startedAtMs)), runEvents(trial, reports, domains));
  };

  const silent = new Map(begun);
  for await (const { trialId, reports } of curves) {
    const trial = begun.get(trialId);
    if (trial === undefined) continue;
    silent.delete(trialId);
    for (const report of reports) for (const name of Object.keys(report.metrics)) metrics.add(name);
    await writeRun(trial, reports);
  }
  for (const trial of silent.values()) await writeRun(trial, []);

  const created = sweep.createdAtMs;
  const experiment = { description: `${sweep.name}: ${sweep.trainer}`, createdMs: created, hparams: domains };
  const head = [fileVersion(created), experimentEvent({ ...experiment, metrics: [...metrics] })];
  await writeFile(join(dir, eventFileName(created)), Buffer.concat(head));
  return begun.size;
}
