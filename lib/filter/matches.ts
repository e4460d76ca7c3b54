import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { failureClass } from '../../proto/names.ts';
import { ownValue } from '../domain/own-value.ts';
import { parameterText } from '../domain/parameters.ts';
import { shownState } from '../domain/trial-state.ts';
import type { Filter } from './parse.ts';
import type { ComparisonOperator } from './tokens.ts';

/** The fields of a trial that a filter can name. A metric or parameter with the name of a field hides the field. */
const FIELDS: Readonly<Record<string, (trial: Trial) => number | string>> = {
  trial: (trial) => trial.id,
  config: (trial) => trial.configId,
  index: (trial) => trial.index,
  seed: (trial) => trial.seed,
  state: (trial) => shownState(trial.state),
  attempts: (trial) => trial.attempts,
  agent: (trial) => trial.agentId,
  backend: (trial) => trial.backend,
  epoch: (trial) => trial.epoch,
  failure: (trial) => (trial.failure === undefined ? '' : failureClass.of(trial.failure.class)),
};

export const FIELD_NAMES: readonly string[] = Object.keys(FIELDS);

/** Whether the trial has a metric, parameter or field of this name. */
export function hasField(trial: Trial, name: string): boolean {
  return Object.hasOwn(trial.metrics, name) || Object.hasOwn(trial.parameters, name) || Object.hasOwn(FIELDS, name);
}

/** Whether the trial matches the filter. */
export function matches(filter: Filter, trial: Trial): boolean {
  return matchesFields(filter, { field: (name) => fieldOf(trial, name), text: () => textOf(trial) });
}

/** An item that a filter can be applied to. */
export interface Filterable {
  /** Returns the value of a field by its name. Undefined if no field has this name. */
  readonly field: (name: string) => number | string | undefined;
  /** Returns the text that is searched for a word of the filter that is not part of a comparison. */
  readonly text: () => string;
}

/**
 * Whether an item with these fields matches a filter. A comparison with a missing field is false, except that `!=` and
 * `!~` are true.
 */
export function matchesFields(filter: Filter, fields: Filterable): boolean {
  switch (filter.kind) {
    case 'all':
      return true;
    case 'and':
      return matchesFields(filter.left, fields) && matchesFields(filter.right, fields);
    case 'or':
      return matchesFields(filter.left, fields) || matchesFields(filter.right, fields);
    case 'not':
      return !matchesFields(filter.of, fields);
    case 'word':
      return contains(fields.text(), filter.text);
    case 'compare':
      return compare(fields.field(filter.name), filter);
  }
}

function fieldOf(trial: Trial, name: string): number | string | undefined {
  if (Object.hasOwn(trial.metrics, name)) return trial.metrics[name];
  if (Object.hasOwn(trial.parameters, name)) {
    const kind = ownValue(trial.parameters, name)?.kind;
    return kind?.$case === 'number' ? kind.number : parameterText(trial, name);
  }
  return Object.hasOwn(FIELDS, name) ? FIELDS[name]?.(trial) : undefined;
}

interface Operand {
  readonly comparison: ComparisonOperator;
  readonly text: string;
  readonly number: number | undefined;
}

function compare(left: number | string | undefined, { comparison, text, number }: Operand): boolean {
  if (left === undefined) return comparison === '!=' || comparison === '!~';
  const numbers = typeof left === 'number' && number !== undefined;
  switch (comparison) {
    case '=':
      return numbers ? left === number : String(left) === text;
    case '!=':
      return numbers ? left !== number : String(left) !== text;
    case '~':
      return contains(String(left), text);
    case '!~':
      return !contains(String(left), text);
  }
  if (!numbers) return false;
  switch (comparison) {
    case '<':
      return left < number;
    case '<=':
      return left <= number;
    case '>':
      return left > number;
    case '>=':
      return left >= number;
  }
}

const contains = (text: string, part: string): boolean => text.toLowerCase().includes(part.toLowerCase());

function textOf(trial: Trial): string {
  const parameters = Object.keys(trial.parameters).map((name) => `${name}=${parameterText(trial, name)}`);
  const failure = trial.failure === undefined ? '' : `${failureClass.of(trial.failure.class)} ${trial.failure.message}`;
  return [
    trial.id,
    trial.configId,
    shownState(trial.state),
    trial.agentId,
    failure,
    trial.stopReason,
    ...parameters,
  ].join(' ');
}
