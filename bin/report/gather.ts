/** Asks a coordinator for everything that a report says. */
import { importanceOf } from '../../coordinator/analysis/importance.ts';
import { type JudgedTrial, judge } from '../../coordinator/analysis/verdict.ts';
import { plan } from '../../coordinator/grid/plan.ts';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import type { Hypothesis, SweepSpec } from '../../coordinator/sweepfile/spec.ts';
import type { Agent, Artifact, Report, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { artifactKind, trialState } from '../../proto/names.ts';
import { fromWire } from '../../proto/parameters.ts';
import { listArtifacts, readArtifact } from '../artifacts.ts';
import type { Connection } from '../connect.ts';
import { getSweep, listConfigs, listCurves, listTrials } from '../fetch.ts';
import { unary } from '../rpc.ts';
import { loadSweepFile } from '../sweep-file.ts';
import { trawlVersion } from '../version.ts';
import type { Reconstruction, ReportData } from './data.ts';
import { MAX_PICTURE_BYTES } from './limits.ts';
import { chosenReconstructions } from './sections/reconstructions.ts';
import { spaceOf } from './trial-results.ts';

/**
 * @param hypothesesFile a sweep file whose hypotheses are judged in place of the sweep's own
 * @throws {NotFoundError} when there is no such sweep
 * @throws {BadInputError} when the file is wrong
 */
export async function gather(connection: Connection, selector: string, hypothesesFile?: string): Promise<ReportData> {
  const asked = hypothesesFile === undefined ? undefined : (await loadSweepFile(hypothesesFile)).spec;
  const { sweep, text } = await getSweep(connection, selector);
  const spec = parseSweep(text, sweep.name);
  const [configs, ranked, curves, agents] = await Promise.all([
    listConfigs(connection, { sweep: sweep.id }),
    listTrials(connection, { sweep: sweep.id }),
    listCurves(connection, sweep.id),
    listAgents(connection),
  ]);
  const trials = ranked.sort((a, b) => a.index - b.index || a.seed - b.seed);
  const judged = trials.map((trial) => judgedTrial(trial, curves.get(trial.id) ?? []));
  const { hypotheses } = asked ?? spec;
  const data: ReportData = {
    version: trawlVersion(),
    sweep,
    text,
    spec,
    plan: plan(spec),
    configs,
    trials,
    curves,
    judged: judge(hypotheses, judged),
    judgedFile: hypothesesFile,
    judgedMetrics: metricsOf(hypotheses),
    importance: importanceIn(judged, sweep.metric?.name ?? spec.metric.name, spec),
    reconstructions: new Map(),
    agents,
  };
  return { ...data, reconstructions: await readReconstructions(connection, data) };
}

/** Nothing to compare is no lack worth telling. */
function importanceIn(trials: readonly JudgedTrial[], metric: string, spec: SweepSpec): ReportData['importance'] {
  const axes = spec.axes.filter(({ size }) => size > 1).map(({ name }) => name);
  const any = trials.some(({ metrics }) => metrics[metric] !== undefined);
  return axes.length === 0 || !any ? undefined : importanceOf(trials, metric, axes);
}

function metricsOf(hypotheses: readonly Hypothesis[]): string[] {
  const named = hypotheses.flatMap(({ claim }) =>
    claim.kind === 'comparison' ? [claim.left.metric, claim.right.metric] : [claim.metric],
  );
  return [...new Set(named)];
}

function judgedTrial(trial: Trial, curve: readonly Report[]): JudgedTrial {
  return {
    id: trial.id,
    configId: trial.configId,
    seed: trial.seed,
    parameters: fromWire(trial.parameters),
    state: trialState.of(trial.state),
    metrics: trial.metrics,
    curve,
  };
}

async function listAgents(connection: Connection): Promise<Agent[]> {
  return (await unary(connection, connection.client.listAgents, {})).agents;
}

async function readReconstructions(connection: Connection, data: ReportData): Promise<Map<string, Reconstruction>> {
  const found = new Map<string, Reconstruction>();
  const ids = new Set(chosenReconstructions(data, spaceOf(data)).map(({ trial }) => trial.id));
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

/** Of the newest attempt's last epoch. */
function lastPicture(artifacts: readonly Artifact[]): Artifact | undefined {
  return artifacts
    .filter(({ kind, name, size }) => {
      return artifactKind.of(kind) === 'reconstruction' && name.endsWith('.png') && size <= MAX_PICTURE_BYTES;
    })
    .sort((a, b) => b.attempt - a.attempt || b.epoch - a.epoch)[0];
}
