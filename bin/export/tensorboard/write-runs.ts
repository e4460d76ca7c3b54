import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromWire, parameterText, SEED, splitParameters } from '../../../lib/domain/parameters.ts';
import { SHORT_ID } from '../../../lib/text/short-id.ts';
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

/** The maximum length of a run's folder name, in bytes. File systems allow 255. */
export const MAX_RUN_NAME = 160;

/** Returns the shortest prefix length at which all ids differ. The minimum is the length of a short id. */
export function idLength(ids: readonly string[]): number {
  const sorted = [...ids].sort();
  let length = SHORT_ID;
  for (const [i, id] of sorted.entries()) {
    const next = sorted[i + 1];
    if (next === undefined) break;
    while (length < id.length && id.startsWith(next.slice(0, length))) length++;
  }
  return length;
}

/**
 * Returns a name such as `3f2a91bc-latent_dim=15,noise_std=0.5,seed=1`. The name is a valid folder name, whatever the
 * values of the parameters are.
 */
export function runName(trial: Trial, varying: readonly string[], length: number): string {
  const settings = varying.map((name) => `${name}=${parameterText(trial, name)}`).join(',');
  const name = `${trial.id.slice(0, length)}${settings === '' ? '' : '-'}${settings}`;
  return name.replaceAll(/[^A-Za-z0-9._=,+-]/g, '_').slice(0, MAX_RUN_NAME);
}

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

/** Returns the name of an event file. TensorBoard reads only files with `tfevents` in their names. */
function eventFileName(ms: number): string {
  return `events.out.tfevents.${String(Math.floor(ms / 1000)).padStart(10, '0')}.trawl`;
}

/**
 * Gives every report a whole step, because TensorBoard requires whole steps. If a run has fractional or huge steps, its
 * reports are numbered from 1, and the metric `step` contains the original step, unless the program reports a metric
 * with this name.
 */
function withWholeSteps(reports: readonly Report[]): readonly Report[] {
  if (reports.every(({ epoch }) => Number.isSafeInteger(epoch))) return reports;
  return reports.map((report, index) => ({
    ...report,
    epoch: index + 1,
    metrics: { step: report.epoch, ...report.metrics },
  }));
}

function runEvents(trial: Trial, reports: readonly Report[], domains: ReadonlyMap<string, HParamDomain>): Uint8Array {
  const { startedAtMs, endedAtMs } = trial;
  const status = STATUS[trialState.of(trial.state)] ?? 'unknown';
  return Buffer.concat([
    fileVersion(startedAtMs),
    sessionStart(startedAtMs, hparamsOf(trial), domains),
    ...withWholeSteps(reports).map(({ atMs, epoch, metrics }) => scalars(atMs, epoch, metrics)),
    sessionEnd(endedAtMs || (reports.at(-1)?.atMs ?? startedAtMs), status, endedAtMs),
  ]);
}

/**
 * Writes the runs to the folder `dir`. A trial that has not started has no run. Skips curves of trials that are not in
 * `trials`.
 * @returns the number of runs
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
