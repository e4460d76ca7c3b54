/** How verdicts put claims and numbers. */
import type { ParameterValue } from '../../proto/trainers.ts';
import type { Condition } from '../grid/rules.ts';
import type { Direction, Quantity } from './claim.ts';
import type { Estimate } from './verdict.ts';

const DIGITS = 4;

export function shown(value: number): string {
  return String(Number(value.toPrecision(DIGITS)));
}

/** `95%`, `98.3%`. */
export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))}%`;
}

/** Such as `in the claim's direction 0.0123 (95% interval 0.01 to 0.0146, g = 5.2, n = 3 and 3)`. */
export function estimateText({ effect, low, high, level, effectSize, n }: Estimate): string {
  const size = Number.isFinite(effectSize) ? shown(effectSize) : 'infinite, as no seed differs';
  return `${shown(effect)} in the claim's direction (${percent(level)} interval ${shown(low)} to ${shown(high)}, g = ${size}, n = ${n.join(' and ')})`;
}

export function conditionsText(conditions: readonly Condition[]): string {
  return conditions.map(({ name, anyOf }) => `${name}=${anyOf.map(valueText).join('|')}`).join(', ');
}

export function comparisonText(left: Quantity, right: Quantity, direction: Direction): string {
  return `${quantityText(left)} ${direction} ${quantityText(right)}`;
}

function quantityText({ metric, over, conditions }: Quantity): string {
  return `${over === undefined ? metric : `range(${metric}, ${over})`}[${conditionsText(conditions)}]`;
}

function valueText(value: ParameterValue): string {
  return typeof value === 'string' && !/^[\w.+-]+$/.test(value) ? JSON.stringify(value) : String(value);
}

/** `1 trial`, `3 trials`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
