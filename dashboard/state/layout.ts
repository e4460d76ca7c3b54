/** The parts of the screen, in lines. */
import type { Size } from '../terminal.ts';
import { failureRows } from './failures.ts';
import type { Model } from './model.ts';
import { viewOf } from './ui.ts';

export const HEADER_LINES = 6;
const FOOTER_LINES = 2;
export const LOG_HEADING_LINES = 1;

/** With fewer rows, only the body is shown. */
const LEAST_ROWS = HEADER_LINES + FOOTER_LINES + 3;

export const hasHeader = ({ rows }: Size): boolean => rows >= LEAST_ROWS;

/** Returns the number of lines between header and footer. */
export const bodyLines = (size: Size): number =>
  hasHeader(size) ? size.rows - HEADER_LINES - FOOTER_LINES : size.rows;

/** The number of lines of the preview below the leaderboard, and of those that the leaderboard keeps on a tall terminal. */
const PREVIEW_LINES = 16;
const MIN_BOARD_LINES = 20;

/** Returns the number of lines of the list, including its heading. The rest of the body shows the row under the cursor. */
export function listLines({ size, ui, rows, state }: Pick<Model, 'size' | 'ui' | 'rows' | 'state'>): number {
  const lines = bodyLines(size);
  if (viewOf(ui).kind === 'errors') return Math.min(Math.max(1, failureRows(state).length) + 1, Math.ceil(lines / 2));
  if (viewOf(ui).kind !== 'sweep' || rows.length === 0) return lines;
  const needed = rows.length + 1;
  if (lines - needed >= PREVIEW_LINES) return needed;
  return lines - PREVIEW_LINES >= MIN_BOARD_LINES ? lines - PREVIEW_LINES : lines;
}
