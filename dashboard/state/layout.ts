/** Computes the sizes of the parts of the screen. */
import type { Size } from '../terminal.ts';
import { eventRows } from './event-rows.ts';
import { failureRows } from './failures.ts';
import type { Model } from './model.ts';
import { sweepRows } from './selectors.ts';
import { viewOf } from './ui.ts';

export const HEADER_LINES = 6;
const FOOTER_LINES = 2;
export const LOG_HEADING_LINES = 1;

/** A terminal with fewer rows shows only the body. */
const LEAST_ROWS = HEADER_LINES + FOOTER_LINES + 3;

export const hasHeader = ({ rows }: Size): boolean => rows >= LEAST_ROWS;

/** Returns the number of lines between header and footer. */
export const bodyLines = (size: Size): number =>
  hasHeader(size) ? size.rows - HEADER_LINES - FOOTER_LINES : size.rows;

/** The number of lines of the preview below a list, and the minimum number of lines that a long list keeps above it. */
const PREVIEW_LINES = 16;
const MIN_BOARD_LINES = 20;
/** If a short list leaves at least this many lines unused, the preview uses these lines. */
const LEAST_PREVIEW_LINES = 7;

type ListModel = Pick<Model, 'size' | 'ui' | 'rows' | 'state' | 'sweeps' | 'earlierEvents'>;

/**
 * Returns the number of lines of the list, including its heading. The rest of the body shows the preview: the details
 * of the row under the cursor.
 */
export function listLines(model: ListModel): number {
  const lines = bodyLines(model.size);
  const { kind } = viewOf(model.ui);
  if (kind === 'errors') return Math.min(Math.max(1, failureRows(model.state).length) + 1, Math.ceil(lines / 2));
  if (kind === 'sweep') return linesBesidePreview(model.rows.length, lines);
  if (kind === 'sweeps') return linesBesidePreview(sweepRows(model).length, lines);
  if (kind === 'events') return eventLines(eventRows(model).length, lines);
  return lines;
}

/**
 * The minimum number of lines of an event's preview: a gap and two lines of the detail. A tall terminal also has room
 * for the event's trial.
 */
const LEAST_EVENT_LINES = 3;

function eventLines(rows: number, lines: number): number {
  const preview = lines - PREVIEW_LINES >= MIN_BOARD_LINES ? PREVIEW_LINES : LEAST_EVENT_LINES;
  return rows === 0 ? lines : Math.min(rows + 1, Math.max(1, lines - preview));
}

/** From this width, the preview is to the right of the list if the body has no room for a preview below the list. */
const LEAST_COLUMNS_BESIDE = 160;
const LIST_SHARE = 0.55;

/** Returns the width of the list. On a wide and short terminal, the preview uses the rest of the width. */
export function listColumns(model: ListModel): number {
  const { columns } = model.size;
  const { kind } = viewOf(model.ui);
  const rows = kind === 'sweep' ? model.rows.length : kind === 'sweeps' ? sweepRows(model).length : 0;
  const isBeside = rows > 0 && columns >= LEAST_COLUMNS_BESIDE && listLines(model) === bodyLines(model.size);
  return isBeside ? Math.floor(columns * LIST_SHARE) : columns;
}

/**
 * Whether the body has a preview, below or beside the list. The preview shows the details of the row under the cursor.
 */
export const hasPreview = (model: ListModel): boolean =>
  listLines(model) < bodyLines(model.size) || listColumns(model) < model.size.columns;

/** Returns the number of lines of a list with the given number of rows. The remaining lines show the preview. */
function linesBesidePreview(rows: number, lines: number): number {
  if (rows === 0) return lines;
  const needed = rows + 1;
  if (lines - needed >= PREVIEW_LINES) return needed;
  if (lines - PREVIEW_LINES >= MIN_BOARD_LINES) return lines - PREVIEW_LINES;
  return lines - needed >= LEAST_PREVIEW_LINES ? needed : lines;
}
