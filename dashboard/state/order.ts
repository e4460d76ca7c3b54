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

interface Entry<Row> {
  readonly row: Row;
  readonly key: SortKey;
}

export interface Order<Row> {
  readonly ordering: Ordering<Row>;
  readonly entries: readonly Entry<Row>[];
}

interface Indexed {
  readonly id: string;
  /** Decides between equals, so that they do not jump about. */
  readonly index: number;
}

/** Everything anew. */
export function orderOf<Row extends Indexed>(rows: Iterable<Row>, ordering: Ordering<Row>): Order<Row> {
  return { ordering, entries: sorted(entriesOf(rows, ordering), ordering) };
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
  const { ordering, entries } = order;
  const left: number[] = [];
  const fresh: Row[] = [];
  for (const { before, after } of changes.values()) {
    if (before !== undefined && ordering.keep(before)) left.push(positionOf(order, before));
    fresh.push(after);
  }
  left.sort((a, b) => a - b);
  const next: Entry<Row>[] = [];
  let from = 0;
  let leaving = 0;
  /** Those up to there, but for the ones that leave. */
  const copy = (until: number) => {
    for (; from < until; from++) {
      if (left[leaving] === from) leaving++;
      else next.push(entries[from] as Entry<Row>);
    }
  };
  for (const entry of sorted(entriesOf(fresh, ordering), ordering)) {
    copy(Math.max(from, firstAfter(order, entry)));
    next.push(entry);
  }
  copy(entries.length);
  return { ordering, entries: next };
}

/** Where a row stands that is in the order. */
function positionOf<Row extends Indexed>(order: Order<Row>, row: Row): number {
  const [entry] = entriesOf([row], { ...order.ordering, keep: () => true });
  const at = entry === undefined ? -1 : firstAfter(order, entry) - 1;
  if (order.entries[at]?.row.id === row.id) return at;
  // Its key is not what it was: some (such as how long a trial runs) change by themselves.
  return order.entries.findIndex((entry) => entry.row.id === row.id);
}

/** How many entries stand before or at an entry. */
function firstAfter<Row extends Indexed>({ entries, ordering }: Order<Row>, entry: Entry<Row>): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(entries[middle] as Entry<Row>, entry, ordering.descending) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function entriesOf<Row>(rows: Iterable<Row>, { key, keep }: Ordering<Row>): Entry<Row>[] {
  const entries: Entry<Row>[] = [];
  for (const row of rows) {
    if (!keep(row)) continue;
    const own = key(row);
    // What is not a number stands nowhere among numbers.
    entries.push({ row, key: Number.isNaN(own) ? undefined : own });
  }
  return entries;
}

/** Fewer are sorted sooner by comparing. */
const RADIX_FROM = 1_000;

function sorted<Row extends Indexed>(entries: Entry<Row>[], { descending }: Ordering<Row>): Entry<Row>[] {
  if (entries.length < RADIX_FROM) return entries.sort((a, b) => compare(a, b, descending));
  if (!isByIndex(entries)) entries.sort((a, b) => a.row.index - b.row.index);
  const order = radixOrder(rankedKeys(entries, descending), descending);
  const next = new Array<Entry<Row>>(entries.length);
  for (let i = 0; i < next.length; i++) next[i] = entries[order[i] ?? 0] as Entry<Row>;
  return next;
}

function isByIndex<Row extends Indexed>(entries: readonly Entry<Row>[]): boolean {
  let last = Number.NEGATIVE_INFINITY;
  for (const { row } of entries) {
    if (row.index < last) return false;
    last = row.index;
  }
  return true;
}

/** Every key as a number that stands as it does: words by their place behind all numbers, none at the very end. */
function rankedKeys<Row>(entries: readonly Entry<Row>[], descending: boolean): Float64Array {
  const words = new Set<string>();
  for (const { key } of entries) if (typeof key === 'string') words.add(key);
  const share = 0.25 / (words.size + 1);
  const places = new Map([...words].sort().map((word, i) => [word, Number.MAX_VALUE * (0.5 + share * (i + 1))]));
  const last = descending ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const keys = new Float64Array(entries.length);
  let at = 0;
  for (const { key } of entries) {
    keys[at++] = typeof key === 'number' ? key : key === undefined ? last : (places.get(key) ?? last);
  }
  return keys;
}

function compare<Row extends Indexed>(a: Entry<Row>, b: Entry<Row>, descending: boolean): number {
  if (a.key === b.key) return a.row.index - b.row.index;
  if (a.key === undefined) return 1;
  if (b.key === undefined) return -1;
  // A parameter may be a number here and a word there: numbers come first.
  const before = typeof a.key === typeof b.key ? a.key < b.key : typeof a.key === 'number';
  return before !== descending ? -1 : 1;
}

/** The place of a key, from 1: one more than the entries that are strictly better. The order has numbers for keys. */
export function placeOf<Row>({ entries, ordering }: Order<Row>, key: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = entries[middle]?.key as number;
    if (ordering.descending ? at > key : at < key) low = middle + 1;
    else high = middle;
  }
  return low + 1;
}
