/** Converts the `parameters` and `zip` of a file to axes and groups of axes, and validates them against the trainer. */

import { parameterName, SEED } from '../../lib/domain/parameters.ts';
import { quote, show } from '../../lib/text/quote.ts';
import type { ParameterValue, TrainerName, TrainerSpec } from '../../proto/trainers.ts';
import { type Axis, listedAxis, type Steps, steppedAxis } from '../grid/axes.ts';
import { type Distribution, type DistributionEntry, distributionOf } from '../search/distribution.ts';
import { drawingProblem } from '../search/quantile.ts';
import { MAX_PARAMETER_NAME, type ParameterEntry } from './parameter-schema.ts';
import type { Findings, Located, Path } from './problems.ts';
import { type RuleContext, undeclaredProblem } from './rules.ts';
import type { SweepFile } from './schema.ts';
import { nameProblem, valueProblem } from './trainer-rules.ts';
import { isFloat, parameterOf } from './values.ts';

/** One parameter of the file. The names of nested parameters are joined with a dot, as in Weights & Biases. */
export interface Declaration {
  readonly name: string;
  readonly path: Path;
  readonly located: Located;
}

/** Returns all parameters in the file's order, including invalid parameters. */
export function declarationsOf(root: Located): Declaration[] {
  const parameters = root.entries.get('parameters');
  return parameters === undefined ? [] : declarationsIn(parameters, ['parameters'], '');
}

function declarationsIn(parameters: Located, path: Path, prefix: string): Declaration[] {
  return [...parameters.entries].flatMap(([key, located]) => {
    const name = `${prefix}${parameterName(String(key))}`;
    const nested = located.entries.get('parameters');
    if (nested === undefined) return [{ name, path: [...path, key], located }];
    return declarationsIn(nested, [...path, key, 'parameters'], `${name}.`);
  });
}

interface Context {
  readonly trainerName: TrainerName;
  readonly trainer: TrainerSpec;
  readonly isGrid: boolean;
  /** The names in zip. The rows of a group must differ, but the values of a single parameter can repeat. */
  readonly zipped: ReadonlySet<string>;
  readonly findings: Findings;
  /** Collects the keys of the file that have no meaning in trawl. */
  readonly ignored: string[];
  /** Whether the file is a W&B file. In a W&B file, a grid value that is listed twice is used once. */
  readonly isWandb: boolean;
  /** Collects notes for the author of the file. */
  readonly notes: string[];
}

export interface Space {
  /**
   * The axes of a grid. A search has an axis only for a parameter named seed that is given by `value`, `values` or
   * steps.
   */
  readonly axes: readonly Axis[];
  /** The distributions of a search. */
  readonly distributions: ReadonlyMap<string, Distribution>;
}

/** Returns the valid axes and distributions in the file's order, and adds findings for invalid entries. */
export function spaceOf(file: SweepFile, declarations: readonly Declaration[], context: Context): Space {
  const { findings } = context;
  const axes: Axis[] = [];
  const distributions = new Map<string, Distribution>();
  const places = new Map<string, Path>();
  checkNesting(file.parameters, ['parameters'], findings);
  for (const { name, path, located } of declarations) {
    const entry = entryAt(file, path);
    if (entry === undefined) continue;
    const before = places.get(name);
    const problem =
      before === undefined
        ? problemOfName(name, context)
        : `duplicate parameter ${quote(name)}, first at ${findings.where(before)}`;
    places.set(name, path);
    if (problem !== undefined) {
      findings.atKey(path, problem);
    } else if (context.isGrid || (name === SEED && !isDrawn(entry))) {
      const axis = axisOf(name, entry, { path, located }, context);
      if (axis !== undefined) axes.push(axis);
    } else {
      const distribution = drawnFrom(name, entry, { path, located }, context);
      if (distribution !== undefined) distributions.set(name, distribution);
    }
  }
  return { axes, distributions };
}

function entryAt({ parameters }: SweepFile, path: Path): ParameterEntry | undefined {
  let entry: ParameterEntry | undefined;
  let entries: Readonly<Record<string, ParameterEntry>> | undefined = parameters;
  for (const step of path.slice(1)) {
    if (entry !== undefined && step === 'parameters' && entries === undefined) {
      entries = entry.parameters;
    } else {
      entry = entries !== undefined && Object.hasOwn(entries, step) ? entries[step] : undefined;
      entries = undefined;
    }
  }
  return entry;
}

function checkNesting(entries: Readonly<Record<string, ParameterEntry>>, path: Path, findings: Findings): void {
  for (const [key, entry] of Object.entries(entries)) {
    if (entry.parameters === undefined) continue;
    const here = [...path, key];
    const others = Object.keys(entry).filter((other) => other !== 'parameters');
    if (others.length > 0) {
      findings.atKey(
        here,
        `${parameterName(key)}: "parameters" cannot be combined with ${others.map(quote).join(' and ')}; remove one of them`,
      );
    }
    checkNesting(entry.parameters, [...here, 'parameters'], findings);
  }
}

function problemOfName(name: string, { trainerName, trainer }: Context): string | undefined {
  const length = [...name].length;
  if (length > MAX_PARAMETER_NAME)
    return `invalid parameter name ${quote(name)}: ${length} characters (max ${MAX_PARAMETER_NAME})`;
  return name === SEED ? undefined : nameProblem(trainerName, trainer, name);
}

function isDrawn({ value, values, min, max, step, distribution }: ParameterEntry): boolean {
  if (value !== undefined || values !== undefined) return false;
  return distribution !== undefined || (min !== undefined && max !== undefined && step === undefined);
}

interface Place {
  readonly path: Path;
  readonly located: Located;
}

const GRID_ALTERNATIVES =
  'list the values; or give min, max and step; or use int_uniform or q_uniform; or write method: random';

function axisOf(name: string, entry: ParameterEntry, place: Place, context: Context): Axis | undefined {
  const { path, located } = place;
  const { findings } = context;
  const { value, values, min, max, step, distribution } = entry;
  if (hasFile(name, entry, path, findings)) return undefined;
  if (distribution !== undefined) {
    const isListed = distribution === 'categorical' || distribution === 'constant';
    if (!isListed && distribution !== 'int_uniform' && distribution !== 'q_uniform') {
      findings.atValue(
        [...path, 'distribution'],
        `${name}: method grid cannot enumerate ${distribution}; ${GRID_ALTERNATIVES}`,
      );
      return undefined;
    }
    const parsed = distributionOf(distributionEntry(entry), false);
    if (typeof parsed === 'string' || step !== undefined) {
      findings.atKey(
        path,
        `${name}: ${typeof parsed === 'string' ? parsed : `distribution ${distribution} takes no step`}`,
      );
      return undefined;
    }
    if (parsed.kind === 'int_uniform') return wholeAxis(name, parsed, path, context);
    if (parsed.kind === 'uniform')
      return rangeAxis(name, { ...parsed, step: parsed.q ?? 1, excludesMax: true }, path, context);
    context.ignored.push(`parameters.${name}.distribution`);
  }
  const loose = LOOSE_KEYS.filter((key) => entry[key] !== undefined);
  if (loose.length > 0) {
    const message =
      loose[0] === 'probabilities'
        ? `${name}: method grid takes every value once; remove probabilities, or write method: random`
        : `${name}: ${loose.join(' and ')} requires a distribution, such as distribution: q_uniform`;
    findings.atKey([...path, loose[0] ?? ''], message);
    return undefined;
  }
  const isStepped = min !== undefined || max !== undefined || step !== undefined;
  if (Number(value !== undefined) + Number(values !== undefined) + Number(isStepped) !== 1) {
    findings.atKey(path, `${name}: expected "value", "values", or "min", "max" and "step"; got ${givenKeys(entry)}`);
    return undefined;
  }
  if (value !== undefined) return listedAxisOf(name, [parameterOf(value)], () => [...path, 'value'], context);
  if (values !== undefined)
    return listedAxisOf(name, values.map(parameterOf), (index) => [...path, 'values', index], context);
  if (min !== undefined && max !== undefined && step !== undefined) {
    return rangeAxis(name, { min, max, step }, path, context);
  }
  // Limits that are whole numbers mean int_uniform, as in Weights & Biases.
  const isWhole = Number.isInteger(min) && Number.isInteger(max) && !hasFloatLimit(located);
  if (min !== undefined && max !== undefined && isWhole) return wholeAxis(name, { min, max }, path, context);
  const missing = ['min', 'max', 'step']
    .filter((key) => !Object.hasOwn(entry, key))
    .map(quote)
    .join(' and ');
  const advice = step === undefined ? `; add ${missing}, or list the values` : '';
  findings.atKey(path, `${name}: missing ${missing}, got ${givenKeys(entry)}${advice}`);
  return undefined;
}

const LOOSE_KEYS = ['probabilities', 'q', 'mu', 'sigma', 'a', 'b'] as const;

function hasFile(name: string, entry: ParameterEntry, path: Path, findings: Findings): boolean {
  if (entry.file === undefined) return false;
  const others = Object.keys(entry).filter((key) => key !== 'file');
  const message =
    others.length > 0
      ? `${name}: "file" cannot be combined with ${others.map(quote).join(' and ')}; remove one of them`
      : `${name}: "file" is read by the command line; submit the sweep with trawl submit or trawl up`;
  findings.atKey([...path, 'file'], message);
  return true;
}

function hasFloatLimit({ entries }: Located): boolean {
  return ['min', 'max'].some((key) => {
    const limit = entries.get(key);
    return limit !== undefined && isFloat(limit);
  });
}

function givenKeys(entry: ParameterEntry): string {
  return Object.keys(entry).map(quote).join(' and ') || 'nothing';
}

function distributionEntry({ value, values, ...rest }: ParameterEntry): DistributionEntry {
  const { distribution, probabilities, min, max, q, mu, sigma, a, b } = rest;
  return {
    distribution,
    probabilities,
    min,
    max,
    q,
    mu,
    sigma,
    a,
    b,
    value: value === undefined ? undefined : parameterOf(value),
    values: values?.map(parameterOf),
  };
}

function drawnFrom(name: string, entry: ParameterEntry, place: Place, context: Context): Distribution | undefined {
  const { path, located } = place;
  const { findings, trainer } = context;
  if (hasFile(name, entry, path, findings)) return undefined;
  if (entry.step !== undefined) {
    const axis = axisOf(name, entry, place, context);
    return axis === undefined ? undefined : steppedDistribution(axis, path, findings);
  }
  const distribution = distributionOf(distributionEntry(entry), hasFloatLimit(located));
  if (typeof distribution === 'string') {
    findings.atKey(path, `${name}: ${distribution}`);
    return undefined;
  }
  const problem = distributionProblem(name, distribution, trainer);
  if (problem !== undefined) {
    findings.atKey(path, problem);
    return undefined;
  }
  const mistake = drawingProblem(distribution);
  if (mistake !== undefined) findings.mistakeAtKey(path, `${name}: ${mistake}`);
  const note = exponentNote(name, entry, distribution);
  if (note !== undefined) context.notes.push(note);
  return distribution;
}

/** Returns a note about limits that are exponents of e, but look like the limits of the values. */
function exponentNote(name: string, { distribution, min = 0, max = 0 }: ParameterEntry, parsed: Distribution) {
  const isExponential = distribution === 'log_uniform' || distribution === 'q_log_uniform';
  if (!isExponential || min <= 0 || max > 1 || parsed.kind !== 'log_uniform') return undefined;
  const [low, high] = [parsed.min, parsed.max].map((limit) => Number(limit.toPrecision(4)));
  return (
    `${name}: the limits of ${distribution} are exponents of e, so the values are from ${low} to ${high}; ` +
    `for values from ${min} to ${max} write ${distribution}_values`
  );
}

const MAX_DRAWN_STEPS = 10_000;

function steppedDistribution(axis: Axis, path: Path, findings: Findings): Distribution | undefined {
  if (axis.size > MAX_DRAWN_STEPS) {
    findings.atKey(path, `${axis.name}: ${axis.size} steps (max ${MAX_DRAWN_STEPS} in a search); use q_uniform`);
    return undefined;
  }
  const values = Array.from({ length: axis.size }, (_, index) => axis.at(index));
  return { kind: 'categorical', values, probabilities: undefined };
}

function distributionProblem(name: string, distribution: Distribution, trainer: TrainerSpec): string | undefined {
  const rule = Object.hasOwn(trainer.parameters, name) ? trainer.parameters[name]?.rule : undefined;
  if (rule === undefined) return undefined;
  const problems = (values: readonly ParameterValue[]) =>
    values.map((value) => valueProblem(trainer, name, value)).find((problem) => problem !== undefined);
  switch (distribution.kind) {
    case 'constant':
      return problems([distribution.value]);
    case 'categorical':
      return problems(distribution.values);
    case 'int_uniform':
      return problems([distribution.min, distribution.max]);
    default:
      break;
  }
  if (rule.kind === 'choice' || rule.kind === 'flag') return `${name}: list the values of this parameter`;
  if (rule.kind === 'integer' && !Number.isInteger(distribution.q)) {
    return `${name}: expected a distribution of whole numbers, such as int_uniform or q_uniform`;
  }
  const limits = 'min' in distribution && rule.kind === 'number' ? [distribution.min, distribution.max] : [];
  return problems(limits);
}

function listedAxisOf(
  name: string,
  values: readonly ParameterValue[],
  pathOf: (index: number) => Path,
  { trainer, zipped, findings, isWandb, notes }: Context,
): Axis | undefined {
  const first = new Map<ParameterValue, number>();
  let valid = true;
  for (const [index, value] of values.entries()) {
    const before = first.get(value);
    if (before !== undefined && isWandb && !zipped.has(name)) {
      notes.push(`${name}: ${show(value)} is listed twice and runs once`);
      continue;
    }
    const problem =
      before === undefined || zipped.has(name)
        ? valueProblem(trainer, name, value)
        : `${name}: ${show(value)} is listed twice, first at ${findings.where(pathOf(before))}`;
    if (problem !== undefined) findings.atValue(pathOf(index), problem);
    valid &&= problem === undefined;
    if (before === undefined) first.set(value, index);
  }
  return valid ? listedAxis(name, isWandb && !zipped.has(name) ? [...first.keys()] : values) : undefined;
}

function wholeAxis(name: string, { min, max }: Omit<Steps, 'step'>, path: Path, context: Context): Axis | undefined {
  if (min === max) return listedAxisOf(name, [min], () => path, context);
  return rangeAxis(name, { min, max, step: 1 }, path, context);
}

function rangeAxis(name: string, steps: Steps, path: Path, { trainer, findings }: Context): Axis | undefined {
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
 * Checks the steps of an axis against the trainer's rule. The rule of a trainer is a range or a short list of choices,
 * so a check of a few values suffices.
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
 * Returns the groups of parameters that advance together. A parameter with a single `value` can be in a group. The
 * result omits such a parameter, because its value is combined with every row.
 */
export function zipOf(file: SweepFile, context: RuleContext): string[][] {
  const groups = new Map<string, number>();
  if (file.zip !== undefined && !context.isGrid) context.findings.atKey(['zip'], 'zip applies to method grid only');
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
      if (problem === undefined && !context.constants.has(name)) advancing.push(name);
    }
    if (names.length < 2) context.findings.atValue(['zip', group], 'zip: expected at least two names per group');
    checkRows(advancing, group, context);
    return advancing.length > 1 ? [advancing] : [];
  });
}

function checkRows(names: readonly string[], group: number, { axes, findings, place }: RuleContext): void {
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
  const before = findings.where([...place(first.name), 'values', twice.before]);
  findings.atValue([...place(first.name), 'values', twice.row], `${row} is listed twice, first at ${before}`);
}

/**
 * Returns the first row of a group that repeats an earlier row. If one axis of the group has no repeated values, all
 * rows are distinct.
 */
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
