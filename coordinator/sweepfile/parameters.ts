/** Converts the `parameters` and `zip` of a file into axes and groups of axes, checked against the trainer. */

import { show } from '../../lib/text/quote.ts';
import type { ParameterValue, TrainerName, TrainerSpec } from '../../proto/trainers.ts';
import { type Axis, listedAxis, type Steps, steppedAxis } from '../grid/axes.ts';
import type { Findings, Path } from './problems.ts';
import { type RuleContext, undeclaredProblem } from './rules.ts';
import type { ParameterEntry, SweepFile } from './schema.ts';
import { nameProblem, valueProblem } from './trainer-rules.ts';

interface Context {
  readonly trainerName: TrainerName;
  readonly trainer: TrainerSpec;
  /** The names in zip: their rows must differ, but their values can repeat. */
  readonly zipped: ReadonlySet<string>;
  readonly findings: Findings;
}

/** Returns the valid axes in the file's order, and adds findings for the others. */
export function axesOf(parameters: Readonly<Record<string, ParameterEntry>>, context: Context): Axis[] {
  const axes: Axis[] = [];
  for (const [name, entry] of Object.entries(parameters)) {
    const path = ['parameters', name];
    const problem = nameProblem(context.trainerName, context.trainer, name);
    if (problem !== undefined) context.findings.atKey(path, problem);
    const axis = problem === undefined ? axisOf(name, entry, path, context) : undefined;
    if (axis !== undefined) axes.push(axis);
  }
  return axes;
}

function axisOf(name: string, entry: ParameterEntry, path: Path, context: Context): Axis | undefined {
  const { value, values, min, max, step } = entry;
  const isStepped = min !== undefined || max !== undefined || step !== undefined;
  if (Number(value !== undefined) + Number(values !== undefined) + Number(isStepped) !== 1) {
    context.findings.atKey(path, `${name}: expected value, values, or min, max and step; got ${givenKeys(entry)}`);
    return undefined;
  }
  if (value !== undefined) return listedAxisOf(name, [value], () => [...path, 'value'], context);
  if (values !== undefined) return listedAxisOf(name, values, (index) => [...path, 'values', index], context);
  if (min !== undefined && max !== undefined && step !== undefined) {
    return steppedAxisOf(name, { min, max, step }, path, context);
  }
  const missing = ['min', 'max', 'step'].filter((key) => !Object.hasOwn(entry, key)).join(' and ');
  const advice = step === undefined ? '; add it, or list the values' : '';
  context.findings.atKey(path, `${name}: missing ${missing}, got ${givenKeys(entry)}${advice}`);
  return undefined;
}

function givenKeys(entry: ParameterEntry): string {
  return Object.keys(entry).join(' and ') || 'nothing';
}

function listedAxisOf(
  name: string,
  values: readonly ParameterValue[],
  pathOf: (index: number) => Path,
  { trainer, zipped, findings }: Context,
): Axis | undefined {
  const first = new Map<ParameterValue, number>();
  let valid = true;
  for (const [index, value] of values.entries()) {
    const before = first.get(value);
    const problem =
      before === undefined || zipped.has(name)
        ? valueProblem(trainer, name, value)
        : `${name}: ${show(value)} is listed twice, first at ${findings.where(pathOf(before))}`;
    if (problem !== undefined) findings.atValue(pathOf(index), problem);
    valid &&= problem === undefined;
    if (before === undefined) first.set(value, index);
  }
  return valid ? listedAxis(name, values) : undefined;
}

function steppedAxisOf(name: string, steps: Steps, path: Path, { trainer, findings }: Context): Axis | undefined {
  const axis = steppedAxis(name, steps);
  if (typeof axis === 'string') {
    findings.atKey(path, `${name}: ${axis}`);
    return undefined;
  }
  const problem = stepProblem(axis, trainer);
  if (problem === undefined) return axis;
  findings.atKey(path, `${problem} (from min, max and step)`);
  return undefined;
}

/**
 * Returns the problem of the first invalid value. A trainer's rule is a range, for which the ends and the second value
 * suffice, or a short list of choices, for which at most one value more than the list has is checked.
 */
function stepProblem(axis: Axis, trainer: TrainerSpec): string | undefined {
  const rule = trainer.parameters[axis.name]?.rule;
  const checked = rule?.kind === 'choice' ? Math.min(axis.size, rule.values.length + 1) : Math.min(axis.size, 2);
  const indexes = [...Array.from({ length: checked }, (_, index) => index), axis.size - 1];
  for (const index of indexes) {
    const problem = valueProblem(trainer, axis.name, axis.at(index));
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/**
 * Returns the groups of axes that advance together. A parameter with a single `value` can be in a group, but is left out
 * of the result: it is combined with every row anyway.
 */
export function zipOf(file: SweepFile, context: RuleContext): string[][] {
  const groups = new Map<string, number>();
  return (file.zip ?? []).flatMap((names, group) => {
    const advancing: string[] = [];
    for (const [position, name] of names.entries()) {
      const before = groups.get(name);
      const problem =
        undeclaredProblem(name, context) ??
        (before === undefined
          ? undefined
          : `${show(name)} is zipped twice${before === group ? '' : ', in two groups'}`);
      if (problem !== undefined) context.findings.atValue(['zip', group, position], problem);
      groups.set(name, group);
      if (problem === undefined && file.parameters[name]?.value === undefined) advancing.push(name);
    }
    if (names.length < 2) context.findings.atValue(['zip', group], 'zip: expected at least two names per group');
    checkRows(advancing, group, context);
    return advancing.length > 1 ? [advancing] : [];
  });
}

function checkRows(names: readonly string[], group: number, { axes, findings }: RuleContext): void {
  const members = names.flatMap((name) => axes.get(name) ?? []);
  if (members.length < names.length) return;
  if (new Set(members.map(({ size }) => size)).size > 1) {
    const sizes = members.map(({ name, size }) => `${name} has ${size}`).join(', ');
    findings.atValue(['zip', group], `zip: the parameters of a group must have equal numbers of values; ${sizes}`);
    return;
  }
  const twice = repeatedRow(members);
  const [first] = members;
  if (twice === undefined || first === undefined) return;
  const row = members.map((axis) => `${axis.name}=${show(axis.at(twice.row))}`).join(', ');
  const before = findings.where(['parameters', first.name, 'values', twice.before]);
  findings.atValue(['parameters', first.name, 'values', twice.row], `${row} is listed twice, first at ${before}`);
}

/** Returns the first row that equals an earlier one. One axis without repeats makes all rows distinct. */
function repeatedRow(members: readonly Axis[]): { row: number; before: number } | undefined {
  const [first] = members;
  if (first === undefined || members.some(({ repeats }) => !repeats)) return undefined;
  const seen = new Map<string, number>();
  for (let row = 0; row < first.size; row++) {
    const key = JSON.stringify(members.map((axis) => axis.at(row)));
    const before = seen.get(key);
    if (before !== undefined) return { row, before };
    seen.set(key, row);
  }
  return undefined;
}
