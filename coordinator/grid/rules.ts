/** The exclude and when rules, and their effect on a point of the grid. */
import type { ParameterValue } from '../../proto/trainers.ts';

export interface Condition {
  readonly name: string;
  readonly anyOf: readonly ParameterValue[];
}

/** Drops the points that match all conditions. */
export interface ExcludeRule {
  readonly conditions: readonly Condition[];
}

/** Sets parameters of the points that match all conditions. */
export interface WhenRule {
  readonly conditions: readonly Condition[];
  readonly set: Readonly<Record<string, ParameterValue>>;
}

/** A point of the grid before any `when`. A missing parameter matches no condition. */
export type GridPoint = Readonly<Record<string, ParameterValue | undefined>>;

export function matchesConditions(conditions: readonly Condition[], point: GridPoint): boolean {
  return conditions.every(({ name, anyOf }) => {
    const value = point[name];
    return value !== undefined && anyOf.includes(value);
  });
}

/** Returns the position of the first rule that drops the point, or -1. */
export function excludedBy(rules: readonly ExcludeRule[], point: GridPoint): number {
  return rules.findIndex((rule) => matchesConditions(rule.conditions, point));
}

/** Returns the parameters that the rules set. Conditions refer to the point before any `when`; later rules win. */
export function overridesOf(rules: readonly WhenRule[], point: GridPoint): Record<string, ParameterValue> {
  const overrides: Record<string, ParameterValue> = Object.create(null);
  for (const rule of rules) if (matchesConditions(rule.conditions, point)) Object.assign(overrides, rule.set);
  return overrides;
}

/** Returns a rule on one line: `depth=5, noise_std=0|0.5`. */
export function ruleText(conditions: readonly Condition[]): string {
  return conditions.map(({ name, anyOf }) => `${name}=${anyOf.join('|')}`).join(', ');
}
