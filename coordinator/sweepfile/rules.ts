/** Converts the `exclude` and `when` of a file to rules, and validates them against the sweep's parameters. */

import { parameterKey, parameterName, SEED } from '../../lib/domain/parameters.ts';
import { didYouMean } from '../../lib/text/did-you-mean.ts';
import { quote, show } from '../../lib/text/quote.ts';
import type { ParameterValue, TrainerName, TrainerSpec } from '../../proto/trainers.ts';
import { type Axis, MAX_LISTED_VALUES } from '../grid/axes.ts';
import type { Condition, ExcludeRule, WhenRule } from '../grid/points.ts';
import type { Conditions } from './parameter-schema.ts';
import type { Findings, Path } from './problems.ts';
import type { SweepFile } from './schema.ts';
import { nameProblem, valueProblem } from './trainer-rules.ts';
import { parameterOf } from './values.ts';

export interface RuleContext {
  readonly trainerName: TrainerName;
  readonly trainer: TrainerSpec;
  /** The names under `parameters`, including names with invalid values. */
  readonly declared: readonly string[];
  readonly axes: ReadonlyMap<string, Axis>;
  /** The names of parameters with a single `value`. */
  readonly constants: ReadonlySet<string>;
  /** Whether the search method is grid. */
  readonly isGrid: boolean;
  /** Returns the path of a declared parameter in the file. */
  readonly place: (name: string) => Path;
  readonly findings: Findings;
}

export function excludeRulesOf(exclude: SweepFile['exclude'], context: RuleContext): ExcludeRule[] {
  return (exclude ?? []).map((entry, index) => ({ conditions: conditionsOf(entry, ['exclude', index], context) }));
}

export function whenRulesOf(when: SweepFile['when'], context: RuleContext): WhenRule[] {
  return (when ?? []).map((entry, index) => {
    const path = ['when', index, 'set'];
    if (Object.keys(entry.set).length === 0) context.findings.atValue(path, 'set: expected at least one parameter');
    const set = Object.entries(entry.set).map(([key, data]): [string, ParameterValue] => [
      parameterName(key),
      parameterOf(data),
    ]);
    for (const [name, value] of set) {
      const problem = targetProblem(name, context);
      if (problem !== undefined) context.findings.atKey([...path, parameterKey(name)], problem);
      const wrong = problem ?? valueProblem(context.trainer, name, value);
      if (problem === undefined && wrong !== undefined) context.findings.atValue([...path, parameterKey(name)], wrong);
    }
    return { conditions: conditionsOf(entry.if, ['when', index, 'if'], context), set: Object.fromEntries(set) };
  });
}

/** Returns an error text for a name that rules cannot use: an undeclared name, or `seed`. */
export function undeclaredProblem(name: string, { declared, trainer }: Pick<RuleContext, 'declared' | 'trainer'>) {
  if (name === SEED && declared.includes(name)) {
    return '"seed" gives the replicates of each config; "exclude", "when", "zip" and "hypotheses" cannot name it';
  }
  if (declared.includes(name)) return undefined;
  const spec = Object.hasOwn(trainer.parameters, name) ? trainer.parameters[name] : undefined;
  if (spec !== undefined) {
    return `${quote(name)} is not declared under parameters; add it, such as ${name}: {value: ${spec.default}}`;
  }
  const meant = didYouMean(name, declared) || `; declared: ${declared.join(', ') || 'none'}`;
  return `${quote(name)} is not declared under parameters${meant}`;
}

function targetProblem(name: string, context: RuleContext): string | undefined {
  const { trainerName, trainer, declared } = context;
  const problem = nameProblem(trainerName, trainer, name);
  if (problem !== undefined || declared.includes(name) || Object.hasOwn(trainer.parameters, name)) return problem;
  const known = [...declared, ...Object.keys(trainer.parameters)];
  return `${quote(name)} is neither declared under parameters nor a parameter of trainer ${trainerName}${didYouMean(name, known)}`;
}

export function conditionsOf(entry: Conditions, path: Path, context: RuleContext): Condition[] {
  if (Object.keys(entry).length === 0) {
    context.findings.atValue(path, 'no conditions: the rule would match every point');
  }
  return Object.entries(entry).map(([key, data]) => {
    const name = parameterName(key);
    const problem = undeclaredProblem(name, context);
    if (problem !== undefined) context.findings.atKey([...path, key], problem);
    const axis = context.axes.get(name);
    const whole = parameterOf(data);
    const isList = Array.isArray(data) && (axis === undefined || axis.indexOf(whole) < 0);
    const anyOf = isList ? data.map(parameterOf) : [whole];
    if (anyOf.length === 0) {
      context.findings.atValue([...path, key], `${name}: expected at least one value in the list, got an empty list`);
    } else if (anyOf.length > MAX_LISTED_VALUES) {
      const message = `${name}: expected at most ${MAX_LISTED_VALUES} values in the list, got ${anyOf.length}`;
      context.findings.atValue([...path, key], message);
    }
    for (const [index, value] of anyOf.entries()) {
      const wrong = problem ?? valueProblem(context.trainer, name, value) ?? typeProblem(axis, value);
      if (problem === undefined && wrong !== undefined) {
        context.findings.atValue(isList ? [...path, key, index] : [...path, key], wrong);
      }
    }
    return { name, anyOf };
  });
}

function typeProblem(axis: Axis | undefined, value: Condition['anyOf'][number]): string | undefined {
  if (axis === undefined || axis.indexOf(value) >= 0) return undefined;
  for (let index = 0; index < Math.min(axis.size, MAX_LISTED_VALUES); index++) {
    if (kindOf(axis.at(index)) === kindOf(value)) return undefined;
  }
  return `${axis.name}: ${show(value)} never matches a ${kindOf(axis.at(0))} such as ${show(axis.at(0))}`;
}

function kindOf(value: ParameterValue): string {
  if (typeof value !== 'object') return typeof value;
  if (value.data === null) return 'null';
  return Array.isArray(value.data) ? 'list' : 'mapping';
}
