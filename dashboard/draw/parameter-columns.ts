import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { parameterText, SEED } from '../state/parameters.ts';
import type { Column } from './table.ts';

function isNumber(trial: Trial, name: string): boolean {
  const kind = trial.parameters[name]?.kind;
  return kind === undefined ? name === SEED : kind.$case === 'number';
}

/** A column for each of these parameters; one that is a number in every trial is drawn as numbers are. */
export function parameterColumns(trials: readonly Trial[], names: readonly string[]): Column<Trial>[] {
  return names.map((name) => ({
    header: name,
    numeric: trials.every((trial) => isNumber(trial, name)),
    cell: (trial) => parameterText(trial, name),
  }));
}
