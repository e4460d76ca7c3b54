/** Defines the recorded results of example sweeps. The pictures are drawn from these results. */
import type { CurveRow } from '../../bin/export/curve-rows.ts';
import type { TrialJson } from '../../bin/output/json.ts';

export interface RecordedRun {
  /** The name of the sweep file, without the extension. */
  readonly name: string;
  /** Identifies the content of the sweep file. */
  readonly fingerprint: string;
  /** The time from the submission to the end of the last trial. */
  readonly seconds: number;
  /** The trials, ordered by their index in the sweep. */
  readonly trials: readonly RecordedTrial[];
}

export interface RecordedTrial {
  readonly state: string;
  /** The values of the parameters that vary in the sweep. */
  readonly parameters: Readonly<Record<string, number>>;
  /** The test losses by epoch: losses[0] is the loss after epoch `start` + 1. */
  readonly losses: readonly number[];
  /** The epoch of the checkpoint that the trial started from; 0 for a trial that started from scratch. */
  readonly start: number;
  /** The index of the trial whose checkpoint this trial started from. */
  readonly parent?: number | undefined;
  /** The epochs after which the trial waited until it was promoted. */
  readonly waited: readonly number[];
}

/** Builds a run from the JSON output of `trawl show`, `trawl trials` and `trawl export --curves`. */
export function recordedRun(
  name: string,
  sweep: { readonly fingerprint: string; readonly seconds: number | null },
  trials: readonly TrialJson[],
  curves: readonly CurveRow[],
): RecordedRun {
  const ordered = trials.toSorted((one, other) => one.index - other.index);
  const indexOf = new Map(ordered.map(({ trial, index }) => [trial, index]));
  return {
    name,
    fingerprint: sweep.fingerprint,
    seconds: Math.round(sweep.seconds ?? Number.NaN),
    trials: ordered.map((trial) => {
      const rows = curves.filter((row) => row.trial === trial.trial);
      return {
        state: trial.state,
        parameters: varied(trial, ordered),
        losses: rows.map(({ metrics }) => rounded(metrics.test_loss ?? Number.NaN)),
        start: trial.parent_epoch ?? 0,
        parent: trial.parent === undefined ? undefined : indexOf.get(trial.parent),
        waited: rows.flatMap(({ epoch, attempt }, at) => (attempt < (rows[at + 1]?.attempt ?? 0) ? epoch : [])),
      };
    }),
  };
}

function varied({ parameters }: TrialJson, trials: readonly TrialJson[]): Record<string, number> {
  const names = Object.keys(parameters).filter((name) =>
    trials.some((trial) => trial.parameters[name] !== parameters[name]),
  );
  return Object.fromEntries(names.map((name) => [name, rounded(Number(parameters[name]))]));
}

const rounded = (value: number) => Number(value.toPrecision(5));

/** Returns a run as JSON with one trial per line. */
export function runText({ trials, ...run }: RecordedRun): string {
  const lines = trials.map((trial) => `  ${JSON.stringify(trial)}`);
  return `${JSON.stringify(run).slice(0, -1)},"trials":[\n${lines.join(',\n')}\n]}\n`;
}

/** Returns the last loss of a trial, or NaN if there is none. */
export const lossOf = (trial: RecordedTrial | undefined): number => trial?.losses.at(-1) ?? Number.NaN;

/** Returns the index of the trial with the lowest last loss. */
export function bestOf({ trials }: RecordedRun): number {
  const losses = trials.map((trial) => (Number.isFinite(lossOf(trial)) ? lossOf(trial) : Number.POSITIVE_INFINITY));
  return losses.indexOf(Math.min(...losses));
}
