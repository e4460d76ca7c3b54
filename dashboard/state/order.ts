/** Rows kept in order while some of them change: what did not change is not sorted again. */

import { radixOrder } from './radix-order.ts';

export type SortKey = number | string | undefined;

export interface Ordering<Row> {
  /** By which a row stands; rows without a key come last, whichever way the order is. */
  readonly key: (row: Row) => SortKey;
  readonly descending: boolean;
  /** Rows that are in at all. */
  readonly keep: (row: Row) => boolean;
}

/**
 * Rows as they stand, each with its key at the same place of `keys`. Two arrays, and no object a row: of a very large sweep
 * those of a few sorts would be a hundred megabytes to be collected, which takes longer than the sort.
 */
interface Keyed<Row> {
  readonly rows: readonly Row[];
  readonly keys: readonly SortKey[];
}

export interface Order<Row> extends Keyed<Row> {
  readonly ordering: Ordering<Row>;
}

interface Indexed {
  readonly id: string;
  /** Decides between equals, so that they do not jump about. */
  readonly index: number;
}

/** Everything anew. */
export function orderOf<Row extends Indexed>(rows: Iterable<Row>, ordering: Ordering<Row>): Order<Row> {
  return { ordering, ...sorted(keyed(rows, ordering), ordering) };
}

/** A row as it was, undefined where it is new, and as it is. */
export interface Change<Row> {
  readonly before: Row | undefined;
  readonly after: Row;
}

/**
 * The order with some rows changed: each is looked up where it stood and put where it stands, and the rest is copied.
 * @param changes by id
 */
export function reorder<Row extends Indexed>(order: Order<Row>, changes: ReadonlyMap<string, Change<Row>>): Order<Row> {
  if (changes.size === 0) return order;
  const { ordering } = order;
  const left: number[] = [];
  const fresh: Row[] = [];
  for (const { before, after } of changes.values()) {
    if (before !== undefined && ordering.keep(before)) left.push(positionOf(order, before));
    fresh.push(after);
  }
  left.sort((a, b) => a - b);
  const rows: Row[] = [];
  const keys: SortKey[] = [];
  let from = 0;
  let leaving = 0;
  /** Those up to there, but for the ones that leave. */
  const copy = (until: number) => {
    for (; from < until; from++) {
      if (left[leaving] === from) {
        leaving++;
        continue;
      }
      rows.push(order.rows[from] as Row);
      keys.push(order.keys[from]);
    }
  };
  const coming = sorted(keyed(fresh, ordering), ordering);
  for (const [at, row] of coming.rows.entries()) {
    const key = coming.keys[at];
    copy(Math.max(from, firstAfter(order, key, row.index)));
    rows.push(row);
    keys.push(key);
  }
  copy(order.rows.length);
  return { ordering, rows, keys };
}

/** Where a row stands that is in the order. */
function positionOf<Row extends Indexed>(order: Order<Row>, row: Row): number {
  const at = firstAfter(order, keyOf(row, order.ordering), row.index) - 1;
  if (order.rows[at]?.id === row.id) return at;
  // Its key is not what it was: some (such as how long a trial runs) change by themselves.
  return order.rows.findIndex(({ id }) => id === row.id);
}

/** How many rows stand before a key, or at it with at most this index. */
function firstAfter<Row extends Indexed>({ rows, keys, ordering }: Order<Row>, key: SortKey, index: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(keys[middle], (rows[middle] as Row).index, key, index, ordering.descending) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function keyed<Row>(all: Iterable<Row>, ordering: Ordering<Row>): Keyed<Row> {
  const rows: Row[] = [];
  const keys: SortKey[] = [];
  for (const row of all) {
    if (!ordering.keep(row)) continue;
    rows.push(row);
    keys.push(keyOf(row, ordering));
  }
  return { rows, keys };
}

/** What is not a number stands nowhere among numbers. */
function keyOf<Row>(row: Row, { key }: Ordering<Row>): SortKey {
  const own = key(row);
  return Number.isNaN(own) ? undefined : own;
}

/** Fewer are sorted sooner by comparing. */
const RADIX_FROM = 1_000;

function sorted<Row extends Indexed>(all: Keyed<Row>, { descending }: Ordering<Row>): Keyed<Row> {
  const { rows, keys } = all;
  const index = (at: number) => (rows[at] as Row).index;
  if (rows.length < RADIX_FROM) {
    const byKey = (a: number, b: number) => compare(keys[a], index(a), keys[b], index(b), descending);
    return picked(all, [...rows.keys()].sort(byKey));
  }
  const even = isByIndex(rows)
    ? all
    : picked(
        all,
        [...rows.keys()].sort((a, b) => index(a) - index(b)),
      );
  return picked(even, radixOrder(rankedKeys(even.keys, descending), descending));
}

/** In the order of these places. */
function picked<Row>({ rows, keys }: Keyed<Row>, places: ArrayLike<number>): Keyed<Row> {
  const nextRows = new Array<Row>(rows.length);
  const nextKeys: SortKey[] = [];
  for (let i = 0; i < nextRows.length; i++) {
    const at = places[i] ?? 0;
    nextRows[i] = rows[at] as Row;
    nextKeys.push(keys[at]);
  }
  return { rows: nextRows, keys: nextKeys };
}

function isByIndex(rows: readonly Indexed[]): boolean {
  let last = Number.NEGATIVE_INFINITY;
  for (const { index } of rows) {
    if (index < last) return false;
    last = index;
  }
  return true;
}

/** Every key as a number that stands as it does: words by their place behind all numbers, none at the very end. */
function rankedKeys(keys: readonly SortKey[], descending: boolean): Float64Array {
  const words = new Set<string>();
  for (const key of keys) if (typeof key === 'string') words.add(key);
  const share = 0.25 / (words.size + 1);
  const places = new Map([...words].sort().map((word, i) => [word, Number.MAX_VALUE * (0.5 + share * (i + 1))]));
  const last = descending ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const ranked = new Float64Array(keys.length);
  let at = 0;
  for (const key of keys) {
    ranked[at++] = typeof key === 'number' ? key : key === undefined ? last : (places.get(key) ?? last);
  }
  return ranked;
}

function compare(a: SortKey, aIndex: number, b: SortKey, bIndex: number, descending: boolean): number {
  if (a === b) return aIndex - bIndex;
  if (a === undefined) return 1;
  if (b === undefined) return -1;
  // A parameter may be a number here and a word there: numbers come first.
  const before = typeof a === typeof b ? a < b : typeof a === 'number';
  return before !== descending ? -1 : 1;
}

/** The place of a key, from 1: one more than the rows that are strictly better. The order has numbers for keys. */
export function placeOf<Row>({ keys, ordering }: Order<Row>, key: number): number {
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
