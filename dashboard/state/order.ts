/** A sorted list of rows that is updated without sorting unchanged rows again. */

import { radixOrder } from './radix-order.ts';

export type SortKey = number | string | undefined;

export interface Ordering<Row> {
  /** The sort key. Rows without a key come last in either direction. */
  readonly key: (row: Row) => SortKey;
  readonly descending: boolean;
  /** Whether the order includes the row. */
  readonly keep: (row: Row) => boolean;
}

/**
 * The rows in sorted order, and their keys. Both are in parallel arrays: separate objects per row would cause most of
 * the garbage collection when a large sweep is sorted.
 */
export interface RowOrder<Row> {
  readonly ordering: Ordering<Row>;
  readonly rows: readonly Row[];
  /** The numeric key of each row at the time of sorting (see Scale). */
  readonly keys: Float64Array;
  readonly scale: Scale;
}

interface Indexed {
  readonly id: string;
  /** Breaks ties, so that the order is stable. */
  readonly index: number;
}

/**
 * Maps sort keys to numbers. A text key maps to a number above half of Number.MAX_VALUE. In practice, numeric keys are
 * below this number.
 */
interface Scale {
  readonly words: ReadonlyMap<string, number>;
  /**
   * The number that stands for a missing key. It is positive or negative infinity: the one that comes last in the
   * direction of the order.
   */
  readonly none: number;
}

/** Returns the rows that `ordering.keep` accepts, sorted by `ordering.key`. */
export function orderOf<Row extends Indexed>(rows: Iterable<Row>, ordering: Ordering<Row>): RowOrder<Row> {
  const { descending } = ordering;
  const kept: Row[] = [];
  for (const row of rows) if (ordering.keep(row)) kept.push(row);
  if (!isByIndex(kept)) kept.sort((a, b) => a.index - b.index);
  const { keys, scale } = keysOf(kept, ordering);
  const order = indicesInOrder(keys, descending);
  const sortedRows = new Array<Row>(kept.length);
  const sortedKeys = new Float64Array(kept.length);
  for (let i = 0; i < kept.length; i++) {
    const from = order[i] as number;
    sortedRows[i] = kept[from] as Row;
    sortedKeys[i] = keys[from] as number;
  }
  return { ordering, rows: sortedRows, keys: sortedKeys, scale };
}

/** A row before and after a change. For a new row, `before` is undefined. */
export interface RowChange<Row> {
  readonly before: Row | undefined;
  readonly after: Row;
}

/**
 * Applies changes. Moves each changed row from its old to its new position, and copies all other rows.
 * @param changes the changes, keyed by row id
 */
export function reorder<Row extends Indexed>(
  order: RowOrder<Row>,
  changes: ReadonlyMap<string, RowChange<Row>>,
): RowOrder<Row> {
  if (changes.size === 0) return order;
  const { ordering, rows, keys, scale } = order;
  const removed: number[] = [];
  const inserted: { readonly row: Row; readonly key: number }[] = [];
  for (const { before, after } of changes.values()) {
    if (before !== undefined && ordering.keep(before)) removed.push(positionOf(order, before));
    if (!ordering.keep(after)) continue;
    const key = numberOf(ordering.key(after), scale);
    if (key === undefined) return orderOf(withChanges(rows, changes), ordering);
    inserted.push({ row: after, key });
  }
  removed.sort((a, b) => a - b);
  inserted.sort((a, b) => compare(a.key, a.row.index, b.key, b.row.index, ordering.descending));
  const gone = removed.filter((at) => at >= 0).length;
  const nextRows = new Array<Row>(rows.length - gone + inserted.length);
  const nextKeys = new Float64Array(nextRows.length);
  let to = 0;
  let from = 0;
  let nextRemoved = removed.length - gone;
  const copy = (until: number) => {
    while (from < until) {
      const end = Math.min(until, removed[nextRemoved] ?? until);
      nextKeys.set(keys.subarray(from, end), to);
      while (from < end) nextRows[to++] = rows[from++] as Row;
      if (from === removed[nextRemoved]) {
        from++;
        nextRemoved++;
      }
    }
  };
  for (const { row, key } of inserted) {
    copy(Math.max(from, firstAfter(order, key, row.index)));
    nextRows[to] = row;
    nextKeys[to++] = key;
  }
  copy(rows.length);
  return { ordering, rows: nextRows, keys: nextKeys, scale };
}

function* withChanges<Row extends Indexed>(
  rows: readonly Row[],
  changes: ReadonlyMap<string, RowChange<Row>>,
): Generator<Row> {
  for (const row of rows) if (!changes.has(row.id)) yield row;
  for (const { after } of changes.values()) yield after;
}

function positionOf<Row extends Indexed>(order: RowOrder<Row>, row: Row): number {
  const key = numberOf(order.ordering.key(row), order.scale);
  const at = key === undefined ? -1 : firstAfter(order, key, row.index) - 1;
  if (order.rows[at]?.id === row.id) return at;
  // Some keys, such as the running time, change without an update. A row with such a key may not be at the position
  // that its current key determines.
  return order.rows.findIndex(({ id }) => id === row.id);
}

function firstAfter<Row extends Indexed>({ rows, keys, ordering }: RowOrder<Row>, key: number, index: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = rows[middle] as Row;
    if (compare(keys[middle] as number, row.index, key, index, ordering.descending) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compare(a: number, aIndex: number, b: number, bIndex: number, descending: boolean): number {
  if (a === b) return aIndex - bIndex;
  return a < b !== descending ? -1 : 1;
}

/** For at least this many rows, a radix sort is faster than a comparison sort. */
const RADIX_FROM = 1_000;

/** Returns the indexes of the keys in sorted order. The array is valid until the next call. */
function indicesInOrder(keys: Float64Array, descending: boolean): Uint32Array {
  if (keys.length >= RADIX_FROM) return radixOrder(keys, descending);
  const order = Uint32Array.from(keys, (_, i) => i);
  return order.sort((a, b) => compare(keys[a] as number, a, keys[b] as number, b, descending));
}

function isByIndex(rows: readonly Indexed[]): boolean {
  let last = Number.NEGATIVE_INFINITY;
  for (const { index } of rows) {
    if (index < last) return false;
    last = index;
  }
  return true;
}

function keysOf<Row>(rows: readonly Row[], { key, descending }: Ordering<Row>) {
  const none = descending ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const keys = new Float64Array(rows.length);
  const found = new Set<string>();
  for (let i = 0; i < rows.length; i++) {
    const own = key(rows[i] as Row);
    keys[i] = typeof own === 'string' ? Number.NaN : own === undefined || Number.isNaN(own) ? none : own;
    if (typeof own === 'string') found.add(own);
  }
  const scale: Scale = { words: numberWords(found), none };
  if (found.size === 0) return { keys, scale };
  for (let i = 0; i < rows.length; i++) {
    if (Number.isNaN(keys[i])) keys[i] = numberOf(key(rows[i] as Row), scale) ?? none;
  }
  return { keys, scale };
}

function numberWords(words: ReadonlySet<string>): ReadonlyMap<string, number> {
  const share = 0.25 / (words.size + 1);
  return new Map([...words].sort().map((word, i) => [word, Number.MAX_VALUE * (0.5 + share * (i + 1))]));
}

function numberOf(key: SortKey, { words, none }: Scale): number | undefined {
  if (typeof key === 'string') return words.get(key);
  return key === undefined || Number.isNaN(key) ? none : key;
}

/**
 * Returns the rank of a key, which is the number of strictly better rows plus one. Requires an order with numeric keys.
 */
export function rankOf<Row>({ keys, ordering }: RowOrder<Row>, key: number): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = keys[middle] as number;
    if (ordering.descending ? at > key : at < key) low = middle + 1;
    else high = middle;
  }
  return low + 1;
}

/**
 * Returns the rows on the Pareto front of two orders with numeric keys. A row is on the front if no other row is better
 * in one order and at least as good in the other order. Rows that are missing from either order are not on the front.
 */
export function paretoFront<Row>(first: RowOrder<Row>, second: RowOrder<Row>): Row[] {
  const { key, keep, descending } = second.ordering;
  const costOf = (row: Row): number => {
    if (!keep(row)) return Number.POSITIVE_INFINITY;
    const value = numberOf(key(row), second.scale) ?? second.scale.none;
    return descending ? -value : value;
  };
  const { rows, keys } = first;
  // The row that is best in the second order dominates all rows after it in the first order, so the loop can end at this
  // row.
  const [top] = second.rows;
  const unbeatable = top === undefined ? Number.NEGATIVE_INFINITY : costOf(top);
  const front: Row[] = [];
  let best = Number.POSITIVE_INFINITY;
  for (let from = 0; from < rows.length && best > unbeatable; ) {
    let until = from + 1;
    while (until < rows.length && keys[until] === keys[from]) until++;
    const equals = rows.slice(from, until);
    const least = equals.reduce((least, row) => Math.min(least, costOf(row)), Number.POSITIVE_INFINITY);
    if (least < best) front.push(...equals.filter((row) => costOf(row) === least));
    best = Math.min(best, least);
    from = until;
  }
  return front;
}
