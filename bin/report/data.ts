import { judgeAtLooks } from '../../coordinator/analysis/adaptive-replicates.ts';
import { type Importance, importanceOf } from '../../coordinator/analysis/importance.ts';
import type { JudgedHypothesis, JudgedTrial } from '../../coordinator/analysis/judgment.ts';
import { judgeHypotheses } from '../../coordinator/analysis/verdict.ts';
import { type Plan, plan } from '../../coordinator/grid/plan.ts';
import { type Hypothesis, type SweepSpec, sweptParameters } from '../../coordinator/grid/spec.ts';
import { parseStoredSweep } from '../../coordinator/sweepfile/parse.ts';
import { ownValue } from '../../lib/domain/own-value.ts';
import { fromWire } from '../../lib/domain/parameters.ts';
import { rankingMetric } from '../../lib/domain/ranking.ts';
import type { GetSourceResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Agent, Config, ProgramStart, Report, Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { trialState } from '../../proto/names.ts';
import { type ServerOptions, serverFlags } from '../options/common.ts';
import { trawlVersion } from '../package.ts';

export interface TrialReconstruction {
  readonly trialId: string;
  readonly attempt: number;
  readonly epoch: number;
  readonly png: Uint8Array;
}

/**
 * The coordinator or the data folder of a sweep. Identities and tokens belong to one user, so the report does not
 * contain identities or tokens.
 */
export type SweepLocation = Pick<ServerOptions, 'server' | 'dir'>;

/** Everything that a report shows, from one set of answers from a coordinator. */
export interface ReportData {
  readonly version: string;
  readonly sweep: Sweep;
  /** The submitted sweep file. */
  readonly text: string;
  readonly spec: SweepSpec;
  readonly plan: Plan;
  /** The configs in order of rank by the sweep's metric. Configs without a value come last. */
  readonly configs: readonly Config[];
  /** The trials by index. */
  readonly trials: readonly Trial[];
  /** The reports by trial id, with one entry per epoch. */
  readonly curves: ReadonlyMap<string, readonly Report[]>;
  readonly judged: readonly JudgedHypothesis[];
  /** The file whose hypotheses replace the hypotheses of the sweep. */
  readonly hypothesisFile: string | undefined;
  /** Metrics of the tested hypotheses, in the order of the hypotheses. */
  readonly judgedMetrics: readonly string[];
  /** Undefined if the sweep is a search, if no trial has reported the metric, or if no parameter varies. */
  readonly importance: Importance | undefined;
  /** By trial id, the last image of each trial whose reconstructions the report shows. */
  readonly reconstructions: ReadonlyMap<string, TrialReconstruction>;
  readonly agents: readonly Agent[];
  /** The code that was submitted, and the Python environments in which the trials ran. */
  readonly facts: GetSourceResponse;
  /**
   * How the newest attempt of the best trial was started: the command line and the environment. Undefined if no program
   * was started.
   */
  readonly program: ProgramStart | undefined;
  readonly location: SweepLocation;
}

/** The answers and the location of a coordinator. Trials and configs are in order of rank. */
export type Answers = Pick<
  ReportData,
  'sweep' | 'text' | 'configs' | 'trials' | 'curves' | 'agents' | 'facts' | 'program' | 'location'
>;

/**
 * Returns a command that connects to the sweep's coordinator, or that reads its data folder. The command does not start
 * with `npx`, because the report can be read on a machine where trawl is installed in another way.
 */
export function commandOn({ location: { server, dir } }: Pick<ReportData, 'location'>, words: string): string {
  return `trawl ${words}${serverFlags({ server, dir })}`;
}

/** Hypotheses from a file other than the sweep file. */
export interface HypothesisFile {
  readonly file: string;
  readonly hypotheses: readonly Hypothesis[];
}

/** Returns the report's data, without reconstructions. */
export function reportDataOf(answers: Answers, asked?: HypothesisFile): ReportData {
  const { sweep, text, curves } = answers;
  const spec = parseStoredSweep(text, sweep.name);
  const trials = answers.trials.toSorted((a, b) => a.index - b.index || a.seed - b.seed);
  const judged = trials.map((trial) => judgedTrial(trial, curves.get(trial.id) ?? []));
  const { hypotheses } = asked ?? spec;
  return {
    ...answers,
    version: trawlVersion(),
    spec,
    plan: plan(spec),
    trials,
    judged:
      spec.adaptiveReplicates === undefined
        ? judgeHypotheses(hypotheses, judged)
        : judgeAtLooks(hypotheses, spec.adaptiveReplicates, judged),
    hypothesisFile: asked?.file,
    judgedMetrics: metricsOf(hypotheses),
    importance: importanceIn(judged, rankingMetric(sweep.metric?.name ?? spec.metric.name, trials), spec),
    reconstructions: new Map(),
  };
}

function importanceIn(trials: readonly JudgedTrial[], metric: string, spec: SweepSpec): ReportData['importance'] {
  // The points of a search do not share values, so the effects of the parameters cannot be separated.
  if (spec.search !== undefined) return undefined;
  const axes = sweptParameters(spec);
  const any = trials.some(({ metrics }) => ownValue(metrics, metric) !== undefined);
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
    stopReason: trial.stopReason,
    metrics: trial.metrics,
    curve,
  };
}
