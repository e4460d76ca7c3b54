/** Collects the data of a report from a coordinator. */

import type { Artifact, ProgramStart, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { artifactKind } from '../../proto/names.ts';
import { listAgents } from '../client/agents.ts';
import { listArtifacts, readArtifact } from '../client/artifacts.ts';
import type { Connection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import { getSource, getSweep, listConfigs, listCurves, listTrials } from '../client/sweeps.ts';
import { loadSweepFile } from '../options/sweep-file.ts';
import type { ReportData, SweepLocation, TrialReconstruction } from './data.ts';
import { type HypothesisFile, reportDataOf } from './data.ts';
import { MAX_IMAGE_BYTES } from './limits.ts';
import { chosenReconstructions } from './sections/reconstructions.ts';
import { variedParameters } from './trial-results.ts';

/**
 * Collects the data of a report.
 * @param location the coordinator or the data folder, for the commands that the report suggests
 * @param hypothesesFile a sweep file whose hypotheses replace the hypotheses of the sweep
 * @throws {NotFoundError} when the sweep does not exist
 * @throws {BadInputError} when the file is invalid
 */
export async function collectReportData(
  connection: Connection,
  selector: string,
  location: SweepLocation,
  hypothesesFile?: string,
): Promise<ReportData> {
  const asked = hypothesesFile === undefined ? undefined : await hypothesesOf(hypothesesFile);
  const { sweep, text } = await getSweep(connection, selector);
  const [allConfigs, allTrials, curves, agents, facts] = await Promise.all([
    listConfigs(connection, { sweep: sweep.id }),
    listTrials(connection, { sweep: sweep.id }),
    listCurves(connection, sweep.id),
    listAgents(connection),
    getSource(connection, sweep.id),
  ]);
  // A report covers only the points of the current version of the sweep file.
  const trials = allTrials.filter(({ droppedIn = 0 }) => droppedIn === 0);
  const ids = new Set(trials.map(({ id }) => id));
  const configs = allConfigs.filter(({ trialIds }) => trialIds.some((id) => ids.has(id)));
  const program = await lastStart(connection, sweep.id, trials[0]);
  const data = reportDataOf({ sweep, text, configs, trials, curves, agents, facts, program, location }, asked);
  return { ...data, reconstructions: await readReconstructions(connection, data) };
}

async function hypothesesOf(file: string): Promise<HypothesisFile> {
  return { file, hypotheses: (await loadSweepFile(file)).spec.hypotheses };
}

/** Returns how the newest attempt of a trial was started; undefined for built-in trainers. */
async function lastStart(
  connection: Connection,
  sweep: string,
  trial: Trial | undefined,
): Promise<ProgramStart | undefined> {
  if (trial === undefined) return undefined;
  return (await unary(connection, connection.client.getTrial, { sweep, trial: trial.id })).programs.at(-1);
}

async function readReconstructions(
  connection: Connection,
  data: ReportData,
): Promise<Map<string, TrialReconstruction>> {
  const found = new Map<string, TrialReconstruction>();
  const ids = new Set(chosenReconstructions(data, variedParameters(data)).map(({ trial }) => trial.id));
  for (const trial of ids) {
    const left = await listArtifacts(connection, { sweep: data.sweep.id, trial });
    const last = lastPicture(left.map(({ artifact }) => artifact));
    if (last === undefined) continue;
    const { attempt, name, epoch } = last;
    const { bytes } = await readArtifact(connection, { sweep: data.sweep.id, trial, attempt, name });
    found.set(trial, { trialId: trial, attempt, epoch, png: bytes });
  }
  return found;
}

function lastPicture(artifacts: readonly Artifact[]): Artifact | undefined {
  return artifacts
    .filter(({ kind, name, size }) => {
      return artifactKind.of(kind) === 'reconstruction' && name.endsWith('.png') && size <= MAX_IMAGE_BYTES;
    })
    .sort((a, b) => b.attempt - a.attempt || b.epoch - a.epoch)[0];
}
