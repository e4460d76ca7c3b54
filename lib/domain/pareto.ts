/**
 * Ranks items by several objectives. Items are ranked by nondominated front (K. Deb et al., A Fast and Elitist
 * Multiobjective Genetic Algorithm: NSGA-II, 2002). Within a front, each item is ranked by the hypervolume that only
 * this item dominates (N. Beume, B. Naujoks and M. Emmerich, SMS-EMOA: Multiobjective Selection Based on Dominated
 * Hypervolume, 2007). The fronts are found by efficient nondominated sort (X. Zhang et al., 2015).
 */
import { ascending, extent } from 'd3-array';
import type { GoalName } from '../../proto/names.ts';
import { exclusiveVolume, isAsGood, type Losses } from './hypervolume.ts';

/** An objective of a sweep. */
export interface Objective {
  readonly name: string;
  readonly goal: GoalName;
}

/**
 * With three or more objectives, hypervolume contributions are computed only for fronts of up to this size. All items
 * of a larger front share a place.
 */
export const MAX_EXACT_FRONT = 1_000;

/**
 * The reference point of the hypervolume has this value in every objective. The objectives are scaled so that the best
 * value of all items is 0 and the worst is 1.
 */
const REFERENCE = 1.1;

/** Returns the losses of an item, or undefined if an objective has no finite value. */
export function lossesOf(values: readonly (number | undefined)[], goals: readonly GoalName[]): Losses | undefined {
  const losses: number[] = [];
  for (let objective = 0; objective < values.length; objective++) {
    const value = values[objective];
    if (value === undefined || !Number.isFinite(value)) return undefined;
    losses.push(goals[objective] === 'maximize' ? -value : value);
  }
  return losses;
}

/** Returns the index of the front of each point. The best front has the index 0. Equal points are in the same front. */
export function frontsOf(points: readonly Losses[]): number[] {
  const order = [...points.keys()].sort((a, b) => compareLosses(points[a] ?? [], points[b] ?? []));
  const fronts: Losses[][] = [];
  const numbers = points.map(() => 0);
  let before: { readonly point: Losses; readonly front: number } | undefined;
  for (const at of order) {
    const point = points[at] ?? [];
    const isRepeated = before !== undefined && compareLosses(before.point, point) === 0;
    const front = isRepeated && before !== undefined ? before.front : firstFront(fronts, point);
    numbers[at] = front;
    before = { point, front };
    if (isRepeated) continue;
    const members = fronts[front] ?? [];
    fronts[front] = members;
    // With two objectives, the newest member of a front has the lowest second loss, so only this member is kept.
    if (point.length === 2) members[0] = point;
    else members.push(point);
  }
  return numbers;
}

/**
 * Returns the index of the first front in which no point dominates the given point, or the number of fronts if there is
 * none. No point of a later front dominates the given point either.
 */
function firstFront(fronts: readonly (readonly Losses[])[], point: Losses): number {
  let [low, high] = [0, fronts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fronts[middle]?.some((other) => isAsGood(other, point))) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compareLosses(a: Losses, b: Losses): number {
  for (let objective = 0; objective < a.length; objective++) {
    const order = ascending(a[objective] ?? 0, b[objective] ?? 0);
    if (order !== 0) return order;
  }
  return 0;
}

/**
 * Returns the places of the best points, by the index of each point in `points`. The places are the same as those of
 * `rankByLosses`. This function finds one front after another, and stops once at least `limit` points have a place. It
 * is therefore much faster than `rankByLosses` if `limit` is small.
 */
export function bestPlaces(points: readonly Losses[], limit: number): Map<number, number> {
  const scale = scaleOf(points);
  const places = new Map<number, number>();
  // The points are ordered by the sum of their losses. A point that dominates another point never has a larger sum, and
  // points with a small sum tend to dominate many other points.
  const sums = new Float64Array(points.length);
  for (const [objective, end] of endsOf(points).entries()) {
    for (let at = 0; at < points.length; at++) {
      sums[at] = (sums[at] ?? 0) + scaled(points[at]?.[objective] ?? 0, end);
    }
  }
  const order = Uint32Array.from(points.keys());
  order.sort((a, b) => (sums[a] ?? 0) - (sums[b] ?? 0) || compareLosses(points[a] ?? [], points[b] ?? []));
  let left: ArrayLike<number> & Iterable<number> = order;
  while (places.size < limit && left.length > 0) {
    const [front, others] = firstFrontOf(points, left);
    const contributions = contributionsOf(front.map((at) => scale(points[at] ?? [])));
    const scored = front.map((at, position) => ({ at, contribution: contributions[position] ?? 0 }));
    scored.sort((a, b) => b.contribution - a.contribution || a.at - b.at);
    let place = 0;
    const before = places.size;
    for (const [position, { at, contribution }] of scored.entries()) {
      if (position === 0 || scored[position - 1]?.contribution !== contribution) place = before + position + 1;
      places.set(at, place);
    }
    left = others;
  }
  return places;
}

/**
 * Divides points into those that no other point dominates, and the others.
 * @param order the positions of the points. No point dominates an earlier point, and equal points are adjacent.
 */
function firstFrontOf(points: readonly Losses[], order: Iterable<number>): [front: number[], others: number[]] {
  const front: number[] = [];
  const others: number[] = [];
  /** The points of the front. Points that dominate many others move forward, so that they are compared early. */
  const members: Losses[] = [];
  let newest: Losses | undefined;
  for (const at of order) {
    const point = points[at] ?? [];
    if (newest !== undefined && compareLosses(newest, point) === 0) {
      front.push(at);
      continue;
    }
    let by = 0;
    while (by < members.length && !isAsGood(members[by] ?? [], point)) by += 1;
    if (by < members.length) {
      others.push(at);
      const forward = by >> 1;
      [members[forward], members[by]] = [members[by] ?? [], members[forward] ?? []];
      continue;
    }
    front.push(at);
    members.push(point);
    newest = point;
  }
  return [front, others];
}

/** The place of an item among all items with losses. */
export interface ParetoPlace {
  /**
   * The place, from 1. Items with equal losses share a place. All items of a front that is too large to compare also
   * share a place.
   */
  readonly place: number;
  /** The number of the item's front, from 1. Front 1 is the Pareto front. */
  readonly front: number;
}

interface Scored<T> {
  readonly item: T;
  readonly losses: Losses;
  readonly front: number;
  readonly contribution: number;
}

/**
 * Orders items best first. Items without losses come last, with place and front 0, in the order of their index.
 * @param limit the number of best items whose exact places the caller needs; default: all. If a front comes after at
 * least this many items, its items are not compared, and all of them share a place.
 */
export function rankByLosses<T extends { readonly index: number }>(
  items: readonly T[],
  lossesOfItem: (item: T) => Losses | undefined,
  limit = Number.POSITIVE_INFINITY,
): [T, ParetoPlace][] {
  const known: { readonly item: T; readonly losses: Losses }[] = [];
  const unknown: T[] = [];
  for (const item of items) {
    const losses = lossesOfItem(item);
    if (losses === undefined) unknown.push(item);
    else known.push({ item, losses });
  }
  const fronts = frontsOf(known.map(({ losses }) => losses));
  const scale = scaleOf(known.map(({ losses }) => losses));
  const members: { item: T; losses: Losses }[][] = [];
  for (const [at, front] of fronts.entries()) {
    const one = known[at];
    if (one === undefined) continue;
    const group = members[front] ?? [];
    members[front] = group;
    group.push(one);
  }
  const scored: Scored<T>[] = [];
  for (const [front, group] of members.entries()) {
    const contributions =
      scored.length >= limit ? undefined : contributionsOf(group.map(({ losses }) => scale(losses)));
    const own = group.map(({ item, losses }, at) => ({ item, losses, front, contribution: contributions?.[at] ?? 0 }));
    scored.push(...own.sort((a, b) => b.contribution - a.contribution || a.item.index - b.item.index));
  }
  let place = 0;
  const ranked = scored.map(({ item, front, contribution }, at): [T, ParetoPlace] => {
    const before = scored[at - 1];
    if (before === undefined || before.front !== front || before.contribution !== contribution) place = at + 1;
    return [item, { place, front: front + 1 }];
  });
  const rest = unknown.sort((a, b) => a.index - b.index);
  return [...ranked, ...rest.map((item): [T, ParetoPlace] => [item, { place: 0, front: 0 }])];
}

/** Returns a function that scales losses so that the best value of each objective is 0 and the worst is 1. */
function scaleOf(points: readonly Losses[]): (losses: Losses) => number[] {
  const ends = endsOf(points);
  return (losses) => losses.map((loss, objective) => scaled(loss, ends[objective]));
}

type Ends = readonly [low: number | undefined, high: number | undefined];

function endsOf(points: readonly Losses[]): Ends[] {
  return (points[0] ?? []).map((_, objective) => extent(points, (losses) => losses[objective]));
}

function scaled(loss: number, [low = 0, high = 0]: Ends = [0, 0]): number {
  if (!(high > low)) return 0;
  const distance = high - low;
  // If the distance exceeds the largest finite number, all losses are halved first.
  return Number.isFinite(distance) ? (loss - low) / distance : (loss / 2 - low / 2) / (high / 2 - low / 2);
}

/** The maximum number of fronts whose contributions are cached. */
const MAX_KEPT_FRONTS = 8;
/** A cache of the contributions of the most recently used fronts. Fronts rarely change between two rankings. */
const keptContributions = new Map<string, readonly number[]>();

/** Returns, for each point of a front, the hypervolume that only this point dominates. Equal points count as one. */
export function contributionsOf(front: readonly Losses[]): readonly number[] {
  const key = front.join(';');
  const contributions = keptContributions.get(key) ?? computedContributions(front);
  keptContributions.delete(key);
  keptContributions.set(key, contributions);
  const [oldest] = keptContributions.keys();
  if (keptContributions.size > MAX_KEPT_FRONTS && oldest !== undefined) keptContributions.delete(oldest);
  return contributions;
}

function computedContributions(front: readonly Losses[]): number[] {
  const distinct = new Map<string, Losses>();
  for (const losses of front) distinct.set(losses.join(), losses);
  const points = [...distinct.values()].sort(compareLosses);
  const [objectives = 0] = points.map(({ length }) => length);
  const contributions = new Map<string, number>();
  if (objectives === 2) {
    for (const [at, [x = 0, y = 0]] of points.entries()) {
      const [right = REFERENCE] = points[at + 1] ?? [];
      const [, top = REFERENCE] = points[at - 1] ?? [];
      contributions.set(`${x},${y}`, (right - x) * (top - y));
    }
  } else if (points.length <= MAX_EXACT_FRONT) {
    const reference = Array.from({ length: objectives }, () => REFERENCE);
    for (const point of points) {
      const others = points.filter((other) => other !== point);
      contributions.set(point.join(), exclusiveVolume(point, others, reference));
    }
  }
  return front.map((losses) => contributions.get(losses.join()) ?? 0);
}
