/** The marked rows that the dashboard compares side by side. */
import { parameterText, splitParameters } from '../../lib/domain/parameters.ts';
import { comparedReplicates, finishedValue, hasValue, isCutOff } from '../../lib/domain/trial-result.ts';
import { formatMetric } from '../../lib/text/numbers.ts';
import { shortId } from '../../lib/text/short-id.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { MeanDifference } from '../source.ts';
import type { Model } from './model.ts';
import { type MarkedRow, markedRows } from './selectors.ts';

/** The width of the column with the names, the width of each compared row's column, and the gap between columns. */
const NAME_COLUMNS = 14;
const ROW_COLUMNS = 20;
const GAP = 2;

/** The maximum number of compared rows. More curves in one chart would be hard to distinguish. */
const MAX_COMPARED = 8;

/** Returns the width of a table of the compared rows. */
export const tableColumns = (rows: number): number => NAME_COLUMNS + rows * ROW_COLUMNS;

/** Returns the width of the text in one row's column, for a table of `rows` compared rows that is `columns` wide. */
export const cellColumns = (rows: number, columns: number): number =>
  Math.max(ROW_COLUMNS, Math.floor((columns - NAME_COLUMNS) / rows)) - GAP;

export interface Comparison {
  readonly shown: readonly MarkedRow[];
  readonly hidden: readonly MarkedRow[];
  /** The number of marked rows that no longer exist. */
  readonly gone: number;
}

/** Returns the marked rows in the order of marking, divided into rows that fit the terminal and rows that do not. */
export function markedComparison(model: Pick<Model, 'ui' | 'state' | 'board' | 'size'>): Comparison {
  const all = markedRows(model);
  const fitting = Math.floor((model.size.columns - NAME_COLUMNS) / ROW_COLUMNS);
  const count = Math.min(MAX_COMPARED, Math.max(1, fitting));
  return { shown: all.slice(0, count), hidden: all.slice(count), gone: model.ui.marks.size - all.length };
}

/**
 * Returns the first line of the comparison. The line has the number of shown rows, the names of the rows that do not
 * fit, and the number of marked rows that no longer exist.
 */
export function comparisonTitle({ shown, hidden, gone }: Comparison): string {
  const missing = gone === 0 ? '' : `; ${gone} marked ${gone === 1 ? 'row no longer exists' : 'rows no longer exist'}`;
  if (hidden.length === 0) return `${shown.length} compared${missing}`;
  const names = hidden.map(({ id }) => shortId(id)).join(', ');
  return `${shown.length} of ${shown.length + hidden.length} marked shown: no room for ${names}${missing}`;
}

/**
 * Returns a name for each row: the parameters that differ between the rows, or the id of the row if no parameter
 * differs.
 */
export function comparedNames(all: readonly MarkedRow[]): string[] {
  const points = all.map(pointOf);
  const { varying } = splitParameters(points);
  return points.map((point, i) => {
    const differing = varying.map((name) => `${name}=${parameterText(point, name)}`).join(' ');
    return differing === '' ? shortId(all[i]?.id ?? '') : differing;
  });
}

/** Returns the parameters of a row. The seed is omitted for a config, because its replicates differ in their seeds. */
export const pointOf = ({ trial, config }: MarkedRow) =>
  config === undefined ? trial : { parameters: trial.parameters };

/**
 * Returns the trials whose curves are averaged for a marked row. For a marked trial, this is only the trial itself. For
 * a marked config, these are its replicates that have a value (see `hasValue`).
 */
export const curveTrials = ({ trial, config }: MarkedRow): readonly Trial[] =>
  config === undefined ? [trial] : config.trials.filter(hasValue);

/** Returns the results of a row's finished replicates. Empty if early stopping cut off a replicate. */
export const resultsOf = ({ trial, config }: MarkedRow, metric: string): number[] =>
  comparedReplicates(config?.trials ?? [trial]).flatMap((one) => finishedValue(one, metric) ?? []);

/** Whether early stopping cut off a trial of a row. */
export const hasCutOff = ({ trial, config }: MarkedRow): boolean => (config?.trials ?? [trial]).some(isCutOff);

const signed = (value: number): string => (value > 0 ? '+' : '') + formatMetric(value);

/**
 * Describes in words whether a row is better than the first row. The two letters identify the rows.
 * @param isCutOffRow whether early stopping cut off a trial of one of the two rows
 */
export function comparisonVerdict(
  [letter, first]: readonly [string, string],
  found: MeanDifference | undefined,
  minimize: boolean,
  isCutOffRow = false,
): string {
  if (found === undefined) {
    const need = isCutOffRow ? 'early stopping cut off some of their seeds' : 'each needs two finished seeds';
    return `${letter} and ${first} cannot be compared: ${need}`;
  }
  const { difference, low, high, level, verdict, moreSeeds } = found;
  const interval = `${Number((level * 100).toPrecision(3))}% interval ${signed(low)} to ${signed(high)}`;
  const numbers = `${signed(difference)} (${interval})`;
  if (verdict === 'undecided') return `no clear difference between ${letter} and ${first}: ${numbers}; ${moreSeeds}`;
  return `${letter} is ${(verdict === 'lower') === minimize ? 'better' : 'worse'} than ${first}: ${numbers}`;
}
