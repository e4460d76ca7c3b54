/**
 * Wraps the text of a log to the width of the terminal, and searches the text. A position in a log stays valid while
 * the log grows.
 */
import { columnsOf } from '../../lib/text/width.ts';

/** The last lines of a log. Earlier lines are dropped. */
export interface LogText {
  /** The number of lines before `lines` that are no longer kept. */
  readonly dropped: number;
  readonly lines: readonly string[];
}

export const EMPTY_LOG: LogText = { dropped: 0, lines: [] };

/** A position in a log. */
export interface LogPosition {
  /** The number of the line in the whole log, from 0. The dropped lines are counted too. */
  readonly line: number;
  /** The index of a UTF-16 code unit in the line. */
  readonly from: number;
}

/** A line of the terminal, which is a line of the log or a part of a line that is too wide. */
export interface LogRow extends LogPosition {
  readonly text: string;
}

export interface LogMatch extends LogPosition {
  /** The index of the first code unit after the match. */
  readonly to: number;
}

/** Returns a negative number if `a` is before `b`, and zero if the two positions are equal. */
export const comparePlaces = (a: LogPosition, b: LogPosition): number => a.line - b.line || a.from - b.from;

/** Returns a log with `more` lines at its end. The log keeps only the last `maxLines` lines. */
export function appendLines({ dropped, lines }: LogText, more: readonly string[], maxLines: number): LogText {
  const all = [...lines, ...more];
  const excess = Math.max(0, all.length - maxLines);
  return { dropped: dropped + excess, lines: all.slice(excess) };
}

const wrapped = new WeakMap<LogText, { readonly columns: number; readonly rows: readonly LogRow[] }>();

/** Returns the rows of a log, wrapped at `columns` columns as in a terminal. Caches the rows for the last width. */
export function wrapLog(log: LogText, columns: number): readonly LogRow[] {
  const known = wrapped.get(log);
  if (known?.columns === columns) return known.rows;
  const rows = log.lines.flatMap((text, at): LogRow[] => {
    const line = log.dropped + at;
    return columnsOf(text) <= columns ? [{ line, from: 0, text }] : wrapLine(text, line, columns);
  });
  wrapped.set(log, { columns, rows });
  return rows;
}

// Lines are wrapped between graphemes here, and not by wrap-ansi, because wrap-ansi 9 splits joined emoji.
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

function wrapLine(text: string, line: number, columns: number): LogRow[] {
  const rows: LogRow[] = [];
  let from = 0;
  let used = 0;
  for (const { segment, index } of graphemes.segment(text)) {
    const width = columnsOf(segment);
    if (used + width > columns && index > from) {
      rows.push({ line, from, text: text.slice(from, index) });
      from = index;
      used = 0;
    }
    used += width;
  }
  return [...rows, { line, from, text: text.slice(from) }];
}

const searched = new WeakMap<LogText, { readonly text: string; readonly matches: readonly LogMatch[] }>();

/**
 * Returns the occurrences of a text in a log, in order. Ignores case unless the text has an upper-case letter. An empty
 * text has no occurrences. Caches the last search per log.
 */
export function searchLog(log: LogText, text: string): readonly LogMatch[] {
  if (text === '') return [];
  const known = searched.get(log);
  if (known?.text === text) return known.matches;
  const escaped = text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  const pattern = new RegExp(escaped, /\p{Lu}/u.test(text) ? 'gu' : 'giu');
  const matches = log.lines.flatMap((line, at) =>
    [...line.matchAll(pattern)].map(({ 0: found, index }) => {
      return { line: log.dropped + at, from: index, to: index + found.length };
    }),
  );
  searched.set(log, { text, matches });
  return matches;
}

/** A part of a row, for highlighting. */
export interface RowPart {
  readonly text: string;
  /** The match that the part belongs to. */
  readonly match: LogMatch | undefined;
}

/** Splits a row at the matches in the row. A match that continues in the next row is split. */
export function rowParts(row: LogRow, matches: readonly LogMatch[]): RowPart[] {
  const end = row.from + row.text.length;
  const parts: RowPart[] = [];
  let at = row.from;
  const add = (to: number, match?: LogMatch) => {
    if (to > at) parts.push({ text: row.text.slice(at - row.from, to - row.from), match });
    at = Math.max(at, to);
  };
  for (const match of matches) {
    if (match.line !== row.line || match.to <= row.from || match.from >= end) continue;
    add(match.from);
    add(Math.min(match.to, end), match);
  }
  add(end);
  return parts;
}
