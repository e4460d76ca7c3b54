import type { Cursor } from './ui.ts';

export interface Window {
  /** The row that the cursor is on; -1 where there is none. */
  readonly at: number;
  /** The first row on the screen. */
  readonly offset: number;
}

/**
 * Where a list of rows is on the screen: the cursor stays on its row wherever that goes, and the window moves no further
 * than it must to keep it in sight.
 * @param indexOf where the cursor's row is now; -1: gone
 */
export function windowOf(cursor: Cursor, length: number, lines: number, indexOf: (id: string) => number): Window {
  if (length === 0) return { at: -1, offset: 0 };
  const found = cursor.id === undefined ? -1 : indexOf(cursor.id);
  const at = found >= 0 ? found : Math.min(Math.max(0, cursor.at), length - 1);
  const room = Math.max(1, lines);
  const furthest = Math.max(0, length - room);
  let offset = Math.min(Math.max(0, cursor.offset), furthest);
  if (at < offset) offset = at;
  else if (at >= offset + room) offset = at - room + 1;
  return { at, offset };
}
