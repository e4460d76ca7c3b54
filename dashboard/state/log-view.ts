/** The log view: scrolling, following new lines, and searching. */
import {
  comparePlaces,
  type LogMatch,
  type LogPosition,
  type LogRow,
  type LogText,
  searchLog,
  wrapLog,
} from './log-text.ts';

export interface LogUi {
  /** Whether the last line stays visible as the log grows. */
  readonly follow: boolean;
  /** The position in the log at which the first visible row starts. Has no effect while `follow` is set. */
  readonly top: LogPosition;
  /** The text of the search; empty without a search. */
  readonly search: string;
  /** The position of the current match in the log. */
  readonly match: LogPosition | undefined;
}

/** A log opens at its end. */
export const START_LOG: LogUi = { follow: true, top: { line: 0, from: 0 }, search: '', match: undefined };

/** The log and the size of its part of the screen. */
export interface LogPage {
  readonly text: LogText;
  readonly columns: number;
  /** The number of visible rows. */
  readonly lines: number;
}

const rowsOf = ({ text, columns }: LogPage): readonly LogRow[] => wrapLog(text, columns);

/** Returns the index of the last row that starts at or before a position in the log. */
function rowAt(rows: readonly LogRow[], place: LogPosition): number {
  return Math.max(
    0,
    rows.findLastIndex((row) => comparePlaces(row, place) <= 0),
  );
}

/** Returns the index of the first visible row. */
export function firstRow({ follow, top }: LogUi, page: LogPage): number {
  const rows = rowsOf(page);
  const last = Math.max(0, rows.length - Math.max(1, page.lines));
  return follow ? last : Math.min(rowAt(rows, top), last);
}

function withTop(log: LogUi, page: LogPage, row: number): LogUi {
  const rows = rowsOf(page);
  const last = Math.max(0, rows.length - Math.max(1, page.lines));
  const top = rows[Math.min(Math.max(0, row), last)] ?? START_LOG.top;
  return { ...log, follow: false, top: { line: top.line, from: top.from } };
}

/** Scrolls by rows. Scrolling up stops following. */
export function scrollLog(log: LogUi, page: LogPage, by: number): LogUi {
  const at = firstRow(log, page);
  if (by > 0 ? log.follow : at === 0) return log;
  return withTop(log, page, at + by);
}

/**
 * Scrolls to the first row. The log drops its oldest lines, so this row may not be the start of the output.
 */
export const scrollToStart = (log: LogUi, page: LogPage): LogUi => withTop(log, page, 0);

/** Scrolls to the end and follows new lines. */
export const followLog = (log: LogUi): LogUi => ({ ...log, follow: true });

/** Starts or stops following new lines. */
export function toggleFollow(log: LogUi, page: LogPage): LogUi {
  return log.follow ? withTop(log, page, firstRow(log, page)) : followLog(log);
}

/** Returns the index of the current match; -1 without a match. */
export function matchIndex({ match }: LogUi, matches: readonly LogMatch[]): number {
  return match === undefined ? -1 : matches.findIndex((one) => comparePlaces(one, match) === 0);
}

/**
 * Searches for a text and goes to the first match at or after the first visible row. If all matches are before that
 * row, goes to the last match. An empty text ends the search.
 */
export function startSearch(log: LogUi, page: LogPage, search: string): LogUi {
  const begun: LogUi = { ...log, search, match: undefined };
  const matches = searchLog(page.text, search);
  const top = rowsOf(page)[firstRow(log, page)] ?? START_LOG.top;
  return showMatch(begun, page, matches.find((match) => comparePlaces(match, top) >= 0) ?? matches.at(-1));
}

/** Goes to the next or previous match, wrapping at the ends of the log. */
export function stepMatch(log: LogUi, page: LogPage, by: 1 | -1): LogUi {
  const matches = searchLog(page.text, log.search);
  const at = matchIndex(log, matches);
  if (at >= 0) return showMatch(log, page, matches.at((at + by) % matches.length));
  // There is no current match, or its line is no longer kept.
  return showMatch(log, page, matches.at(by > 0 ? 0 : -1));
}

/** Makes a match the current match, and scrolls to the match unless it is visible. */
function showMatch(log: LogUi, page: LogPage, match: LogMatch | undefined): LogUi {
  if (match === undefined) return log;
  const first = firstRow(log, page);
  const row = rowAt(rowsOf(page), match);
  const visible = row >= first && row < first + page.lines;
  return { ...withTop(log, page, visible ? first : row - Math.floor(page.lines / 2)), match };
}
