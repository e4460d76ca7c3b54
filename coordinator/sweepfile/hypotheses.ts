/**
 * Converts the `hypotheses` of a file to claims, and validates them against the trainer's metrics and the sweep's
 * parameters.
 */

import { didYouMean } from '../../lib/text/did-you-mean.ts';
import { quote, show } from '../../lib/text/quote.ts';
import type { ParameterValue } from '../../proto/trainers.ts';
import { CLAIM_FORMS, type HypothesisClaim, parseClaim, type Quantity } from '../analysis/claim.ts';
import type { Condition, WhenRule } from '../grid/points.ts';
import type { Hypothesis } from '../grid/spec.ts';
import type { Path } from './problems.ts';
import { conditionsOf, type RuleContext, undeclaredProblem } from './rules.ts';
import type { SweepFile } from './schema.ts';
import { metricProblem, valueProblem } from './trainer-rules.ts';

interface Context extends RuleContext {
  readonly when: readonly WhenRule[];
}

type HypothesisEntry = NonNullable<SweepFile['hypotheses']>[number];

export function hypothesesOf(file: SweepFile, context: Context): Hypothesis[] {
  const first = new Map<string, number>();
  return (file.hypotheses ?? []).flatMap((entry, index) => {
    const before = first.get(entry.name);
    if (before === undefined) first.set(entry.name, index);
    else {
      const where = context.findings.where(['hypotheses', before, 'name']);
      context.findings.atValue(
        ['hypotheses', index, 'name'],
        `duplicate hypothesis name ${quote(entry.name)}, first at ${where}`,
      );
    }
    return hypothesisOf(entry, index, context);
  });
}

function hypothesisOf(entry: HypothesisEntry, index: number, context: Context): Hypothesis[] {
  const path: Path = ['hypotheses', index];
  // A hypothesis refers to the parameters after `when` is applied, so values that only `when` sets are valid.
  const where =
    entry.where === undefined ? [] : conditionsOf(entry.where, [...path, 'where'], withWhenParameters(context));
  for (const { name, anyOf } of where) {
    const values = valuesInSweep(name, context);
    const never = anyOf.find((value) => !values.has(value));
    if (never !== undefined && nameProblem(name, context) === undefined) {
      const message = `${name} is never ${show(never)} in this sweep${values.hint(never)}`;
      context.findings.atValue([...path, 'where', name], message);
    }
  }
  const claim = parseClaim(entry.claim);
  const problem = typeof claim === 'string' ? claim : claimProblem(claim, where, context);
  if (problem !== undefined) {
    const forms = typeof claim === 'string' ? ` (examples: ${CLAIM_FORMS})` : '';
    context.findings.atValue([...path, 'claim'], `claim: ${problem}${forms}`);
  }
  if (typeof claim === 'string') return [];
  return [{ name: entry.name, about: entry.about ?? '', text: entry.claim.trim(), claim, where }];
}

function withWhenParameters(context: Context): RuleContext {
  const set = context.when.flatMap((rule) => Object.keys(rule.set));
  const axes = [...context.axes].filter(([name]) => !set.includes(name));
  return { ...context, declared: [...new Set([...context.declared, ...set])], axes: new Map(axes) };
}

function claimProblem(claim: HypothesisClaim, where: readonly Condition[], context: Context): string | undefined {
  switch (claim.kind) {
    case 'trend':
      return metricProblem(context.trainerName, context.trainer, claim.metric);
    case 'ordering': {
      const { metric, parameter, values } = claim;
      const twice = values.find((value, index) => values.indexOf(value) < index);
      return (
        metricProblem(context.trainerName, context.trainer, metric) ??
        conditionProblem({ name: parameter, anyOf: values }, where, context) ??
        (twice === undefined ? undefined : `${show(twice)} is listed twice in the ordering`)
      );
    }
    case 'comparison':
      return (
        quantityProblem(claim.left, where, context) ??
        quantityProblem(claim.right, where, context) ??
        sidesProblem(claim.left, claim.right)
      );
  }
}

function quantityProblem(quantity: Quantity, where: readonly Condition[], context: Context): string | undefined {
  const problem = metricProblem(context.trainerName, context.trainer, quantity.metric);
  if (problem !== undefined) return problem;
  for (const condition of quantity.conditions) {
    const wrong = conditionProblem(condition, where, context);
    if (wrong !== undefined) return wrong;
  }
  const { over } = quantity;
  if (over === undefined) return undefined;
  if (quantity.conditions.some(({ name }) => name === over)) {
    return `a range over ${over} cannot have a condition on ${over}`;
  }
  const values = nameProblem(over, context) ?? valuesInSweep(over, context);
  if (typeof values === 'string') return values;
  return values.isSingle ? `a range requires a parameter with at least two values; ${over} has one` : undefined;
}

function sidesProblem(left: Quantity, right: Quantity): string | undefined {
  if (left.metric !== right.metric)
    return `both sides must have the same metric; got ${left.metric} and ${right.metric}`;
  if (left.over !== right.over) return 'both sides must be means, or ranges over the same parameter';
  const names = (side: Quantity) => side.conditions.map(({ name }) => name).sort();
  if (names(left).join() !== names(right).join()) {
    return `both sides must have conditions on the same parameters; got ${names(left).join(', ')} and ${names(right).join(', ')}`;
  }
  const valueAt = (side: Quantity, name: string) => side.conditions.find((one) => one.name === name)?.anyOf[0];
  const differ = names(left).some((name) => valueAt(left, name) !== valueAt(right, name));
  return differ ? undefined : 'the two sides are equal';
}

function nameProblem(name: string, context: Context): string | undefined {
  return undeclaredProblem(name, withWhenParameters(context));
}

function conditionProblem(
  { name, anyOf }: Condition,
  where: readonly Condition[],
  context: Context,
): string | undefined {
  const problem = nameProblem(name, context);
  if (problem !== undefined) return problem;
  const values = valuesInSweep(name, context);
  const within = where.find((condition) => condition.name === name);
  for (const value of anyOf) {
    const wrong = valueProblem(context.trainer, name, value);
    if (wrong !== undefined) return wrong;
    if (!values.has(value)) return `${name} is never ${show(value)} in this sweep${values.hint(value)}`;
    if (within !== undefined && !within.anyOf.includes(value)) return `"where" excludes ${name}=${value}`;
  }
  return undefined;
}

interface SweepValues {
  has(value: ParameterValue): boolean;
  hint(value: ParameterValue): string;
  /** Whether the parameter has only one value. */
  readonly isSingle: boolean;
}

const MAX_LISTED = 12;

function valuesInSweep(name: string, { axes, declared, trainer, when }: Context): SweepValues {
  const axis = axes.get(name);
  const byDefault = declared.includes(name) ? undefined : trainer.parameters[name]?.default;
  const set = when.flatMap((rule) => rule.set[name] ?? []);
  const others = new Set(byDefault === undefined ? set : [byDefault, ...set]);
  const listed = Array.from({ length: Math.min(axis?.size ?? 0, MAX_LISTED) }, (_, index) => axis?.at(index) ?? '');
  const known = [...new Set([...listed, ...others])].map(String);
  const unknown = axis === undefined && declared.includes(name);
  return {
    has: (value) => unknown || others.has(value) || (axis?.indexOf(value) ?? -1) >= 0,
    hint: (value) =>
      didYouMean(
        String(value),
        known.filter((text) => text !== String(value)),
      ) || (known.length < MAX_LISTED ? `; its values are ${known.join(', ')}` : ''),
    isSingle: !unknown && known.length < 2,
  };
}
