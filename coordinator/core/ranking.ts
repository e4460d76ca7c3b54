/** Order by a metric. */
import type { GoalName } from '../../proto/names.ts';

export interface Rankable {
  readonly index: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** The goal of a metric that no sweep file gives one: more is better for PSNR and accuracy, less for the rest. */
export function usualGoal(metric: string): GoalName {
  return /^(psnr|accuracy)/.test(metric) || /_accuracy$/.test(metric) ? 'maximize' : 'minimize';
}

/**
 * Best first; those without a finite value last, and equals in the sweep's order, so that the order is total. Ranks
 * count from 1, 0 stands for no value, and equal values share a rank.
 */
export function rank<T extends Rankable>(items: readonly T[], metric: string, goal: GoalName): [T, number][] {
  const sign = goal === 'minimize' ? 1 : -1;
  const score = (item: T): number | undefined => {
    const value = item.metrics[metric];
    return value !== undefined && Number.isFinite(value) ? value * sign : undefined;
  };
  const scored = items.map((item) => ({ item, score: score(item) }));
  scored.sort((a, b) => {
    if (a.score === undefined || b.score === undefined) {
      if (a.score === b.score) return a.item.index - b.item.index;
      return a.score === undefined ? 1 : -1;
    }
    return a.score - b.score || a.item.index - b.item.index;
  });
  let place = 0;
  return scored.map(({ item, score: own }, at) => {
    if (own === undefined) return [item, 0];
    if (at === 0 || own !== scored[at - 1]?.score) place = at + 1;
    return [item, place];
  });
}
