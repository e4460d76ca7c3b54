/** The `parameters` of a file -> axes, each checked against the trainer. */

import { show } from '../../lib/text/quote.ts';
import type { ParameterValue, TrainerName, TrainerSpec } from '../../proto/trainers.ts';
import { type Axis, listedAxis, type Steps, steppedAxis } from '../grid/axes.ts';
import type { Findings, Path } from './locate.ts';
import type { ParameterEntry } from './schema.ts';
import { nameProblem, valueProblem } from './trainer-rules.ts';

interface Context {
  readonly trainerName: TrainerName;
  readonly trainer: TrainerSpec;
  /** Names in zip: their rows must differ, their single values may repeat. */
  readonly zipped: ReadonlySet<string>;
  readonly findings: Findings;
}

/** The axes that are right, in the file's order; what is wrong with the others is in the findings. */
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
  const stepped = min !== undefined || max !== undefined || step !== undefined;
  if (Number(value !== undefined) + Number(values !== undefined) + Number(stepped) !== 1) {
    context.findings.atKey(path, `${name}: expected one of value, values, or min, max and step; got ${given(entry)}`);
    return undefined;
  }
  if (value !== undefined) return listed(name, [value], () => [...path, 'value'], context);
  if (values !== undefined) return listed(name, values, (index) => [...path, 'values', index], context);
  if (min !== undefined && max !== undefined && step !== undefined) {
    return walked(name, { min, max, step }, path, context);
  }
  const missing = ['min', 'max', 'step'].filter((key) => !Object.hasOwn(entry, key)).join(' and ');
  const advice = step === undefined ? '; a grid needs a step, or list values' : '';
  context.findings.atKey(path, `${name}: ${missing} missing beside ${given(entry)}${advice}`);
  return undefined;
}

function given(entry: ParameterEntry): string {
  return Object.keys(entry).join(' and ') || 'nothing';
}

function listed(
  name: string,
  values: readonly ParameterValue[],
  pathOf: (index: number) => Path,
  { trainer, zipped, findings }: Context,
): Axis | undefined {
  const first = new Map<ParameterValue, number>();
  let right = true;
  for (const [index, value] of values.entries()) {
    const before = first.get(value);
    const problem =
      before === undefined || zipped.has(name)
        ? valueProblem(trainer, name, value)
        : `${name}: ${show(value)} is listed twice, first at ${findings.where(pathOf(before))}`;
    if (problem !== undefined) findings.atValue(pathOf(index), problem);
    right &&= problem === undefined;
    if (before === undefined) first.set(value, index);
  }
  return right ? listedAxis(name, values) : undefined;
}

function walked(name: string, steps: Steps, path: Path, { trainer, findings }: Context): Axis | undefined {
  const axis = steppedAxis(name, steps);
  if (typeof axis === 'string') {
    findings.atKey(path, `${name}: min, max and step ${axis}`);
    return undefined;
  }
  const wrong = wrongStep(axis, trainer);
  if (wrong === undefined) return axis;
  findings.atKey(path, `${wrong}, which min, max and step reach`);
  return undefined;
}

/**
 * The rules of trainers are ranges and short lists: the ends and one step from min decide, unless the parameter is one
 * of a short list, whose every value is looked at.
 */
function wrongStep(axis: Axis, trainer: TrainerSpec): string | undefined {
  const rule = trainer.parameters[axis.name]?.rule;
  const looked = rule?.kind === 'choice' ? Math.min(axis.size, rule.values.length + 1) : Math.min(axis.size, 2);
  const indexes = [...Array.from({ length: looked }, (_, index) => index), axis.size - 1];
  for (const index of indexes) {
    const problem = valueProblem(trainer, axis.name, axis.at(index));
    if (problem !== undefined) return problem;
  }
  return undefined;
}
