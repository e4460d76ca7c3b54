/** What exclude and when say of a point of the grid. */
import type { ParameterValue } from '../../proto/trainers.ts';

export interface Condition {
  readonly name: string;
  readonly anyOf: readonly ParameterValue[];
}

/** Drops the points that meet all conditions. */
export interface ExcludeRule {
  readonly conditions: readonly Condition[];
}

/** Sets parameters of the points that meet all conditions. */
export interface WhenRule {
  readonly conditions: readonly Condition[];
  readonly set: Readonly<Record<string, ParameterValue>>;
}

/** A point as enumerated, before any `when`. A parameter that is absent meets no condition. */
export type Point = Readonly<Record<string, ParameterValue | undefined>>;

export function matches(conditions: readonly Condition[], point: Point): boolean {
  return conditions.every(({ name, anyOf }) => {
    const value = point[name];
    return value !== undefined && anyOf.includes(value);
  });
}

/** The first rule that drops the point, by its position, or -1. */
export function excludedBy(rules: readonly ExcludeRule[], point: Point): number {
  return rules.findIndex((rule) => matches(rule.conditions, point));
}

/** What the rules set on the point. Conditions look at the point as enumerated; of two sets of one name the later wins. */
export function overridesOf(rules: readonly WhenRule[], point: Point): Record<string, ParameterValue> {
  const overrides: Record<string, ParameterValue> = {};
  for (const rule of rules) if (matches(rule.conditions, point)) Object.assign(overrides, rule.set);
  return overrides;
}

/** A rule on one line, as plans show it: `depth=5, noise_std=0|0.5`. */
export function ruleText(conditions: readonly Condition[]): string {
  return conditions.map(({ name, anyOf }) => `${name}=${anyOf.join('|')}`).join(', ');
}
