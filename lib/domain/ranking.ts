/** Order by a metric. */
import type { GoalName } from '../../proto/names.ts';

export interface Rankable {
  readonly index: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * Best first; those without a finite value and those that are not eligible last, and equals in the sweep's order, so
 * that the order is total. Ranks count from 1, 0 stands for none, and equal values share a rank.
 */
export function rank<T extends Rankable>(
  items: readonly T[],
  metric: string,
  goal: GoalName,
  eligible: (item: T) => boolean = () => true,
): [T, number][] {
  const sign = goal === 'minimize' ? 1 : -1;
  const score = (item: T): number | undefined => {
    if (!eligible(item)) return undefined;
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
