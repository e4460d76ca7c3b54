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
 * Rows and their keys side by side: an object a row would be most of what a sort of a very large sweep leaves for the
 * garbage collector.
 */
export interface Order<Row> {
  readonly ordering: Ordering<Row>;
  readonly rows: readonly Row[];
  /** What each row stood by when it was put there, as a number: see Scale. */
  readonly keys: Float64Array;
  readonly scale: Scale;
}

interface Indexed {
  readonly id: string;
  /** Decides between equals, so that they do not jump about. */
  readonly index: number;
}

/** Every key as a number that stands as it does: words by their place behind all numbers, none at the very end. */
interface Scale {
  readonly words: ReadonlyMap<string, number>;
  /** What is not a number stands nowhere among numbers. */
  readonly none: number;
}

/** Everything anew. */
export function orderOf<Row extends Indexed>(rows: Iterable<Row>, ordering: Ordering<Row>): Order<Row> {
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
  const { ordering, rows, keys, scale } = order;
  const left: number[] = [];
  const fresh: { readonly row: Row; readonly key: number }[] = [];
  for (const { before, after } of changes.values()) {
    if (before !== undefined && ordering.keep(before)) left.push(positionOf(order, before));
    if (!ordering.keep(after)) continue;
    const key = numberOf(ordering.key(after), scale);
    // A word that has no place yet.
    if (key === undefined) return orderOf(withChanges(rows, changes), ordering);
    fresh.push({ row: after, key });
  }
  left.sort((a, b) => a - b);
  fresh.sort((a, b) => compare(a.key, a.row.index, b.key, b.row.index, ordering.descending));
  const gone = left.filter((at) => at >= 0).length;
  const nextRows = new Array<Row>(rows.length - gone + fresh.length);
  const nextKeys = new Float64Array(nextRows.length);
  let to = 0;
  let from = 0;
  let leaving = left.length - gone;
  /** Those up to there, but for the ones that leave. */
  const copy = (until: number) => {
    while (from < until) {
      const end = Math.min(until, left[leaving] ?? until);
      nextKeys.set(keys.subarray(from, end), to);
      while (from < end) nextRows[to++] = rows[from++] as Row;
      if (from === left[leaving]) {
        from++;
        leaving++;
      }
    }
  };
  for (const { row, key } of fresh) {
    copy(Math.max(from, firstAfter(order, key, row.index)));
    nextRows[to] = row;
    nextKeys[to++] = key;
  }
  copy(rows.length);
  return { ordering, rows: nextRows, keys: nextKeys, scale };
}

function* withChanges<Row extends Indexed>(
  rows: readonly Row[],
  changes: ReadonlyMap<string, Change<Row>>,
): Generator<Row> {
  for (const row of rows) if (!changes.has(row.id)) yield row;
  for (const { after } of changes.values()) yield after;
}

/** Where a row stands that is in the order. */
function positionOf<Row extends Indexed>(order: Order<Row>, row: Row): number {
  const key = numberOf(order.ordering.key(row), order.scale);
  const at = key === undefined ? -1 : firstAfter(order, key, row.index) - 1;
  if (order.rows[at]?.id === row.id) return at;
  // Its key is not what it was: some (such as how long a trial runs) change by themselves.
  return order.rows.findIndex(({ id }) => id === row.id);
}

/** How many rows stand before or at one of this key and index. */
function firstAfter<Row extends Indexed>({ rows, keys, ordering }: Order<Row>, key: number, index: number): number {
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

/** Fewer are sorted sooner by comparing. */
const RADIX_FROM = 1_000;

/** @returns of use until the next call; equals stay as they are */
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
    // Not a number for now: words have their places when all are known.
    keys[i] = typeof own === 'string' ? Number.NaN : own === undefined || Number.isNaN(own) ? none : own;
    if (typeof own === 'string') found.add(own);
  }
  const scale: Scale = { words: placesOf(found), none };
  if (found.size === 0) return { keys, scale };
  for (let i = 0; i < rows.length; i++) {
    if (Number.isNaN(keys[i])) keys[i] = numberOf(key(rows[i] as Row), scale) ?? none;
  }
  return { keys, scale };
}

function placesOf(words: ReadonlySet<string>): ReadonlyMap<string, number> {
  const share = 0.25 / (words.size + 1);
  return new Map([...words].sort().map((word, i) => [word, Number.MAX_VALUE * (0.5 + share * (i + 1))]));
}

/** @returns undefined for a word that has no place */
function numberOf(key: SortKey, { words, none }: Scale): number | undefined {
  if (typeof key === 'string') return words.get(key);
  return key === undefined || Number.isNaN(key) ? none : key;
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
