/** The whole screen as lines: header, current view, footer. */
import { EMPTY_LINE, type PlacedImage, type StyledLine, styledLine } from '../draw/line.ts';
import type { Model } from '../state/model.ts';
import { cursorOf, viewOf } from '../state/ui.ts';
import type { Size } from '../terminal.ts';
import { agentsView } from './agents-view.ts';
import { compareView } from './compare-view.ts';
import { FOOTER_LINES, footer, statusLine } from './footer.ts';
import { HEADER_LINES, header } from './header.ts';
import { leaderboard } from './leaderboard.ts';
import { eventsView, sweepsView } from './list-views.ts';
import { parametersView } from './parameters-view.ts';
import { explainView, helpView, logView } from './text-views.ts';
import { trialView } from './trial-view.ts';

const LEAST_ROWS = HEADER_LINES + FOOTER_LINES + 3;

/** Returns the number of lines between header and footer. */
export const bodyLines = ({ rows }: Size): number => (rows < LEAST_ROWS ? rows : rows - HEADER_LINES - FOOTER_LINES);

/** Returns how far a text view can scroll, in lines; 0 for lists. */
export function maxScroll(model: Model, size: Size): number {
  return Math.max(0, textOf(model, size).length - bodyLines(size));
}

/** Returns the images of the frame, for a terminal with graphics. Images that do not fit are left out. */
export function placedImages(model: Model): PlacedImage[] {
  if (!model.kitty) return [];
  const { size } = model;
  const last = HEADER_LINES + bodyLines(size);
  return frameOf(model, size).flatMap(({ spot }, row) =>
    spot === undefined || row + spot.lines > last ? [] : [{ ...spot, row }],
  );
}

/** Returns exactly as many lines as the terminal has. */
export function frameOf(model: Model, size: Size): StyledLine[] {
  const lines = bodyLines(size);
  const body = listOf(model, size) ?? scrolled(model, size, lines);
  const filled = [...body.slice(0, lines), ...Array<StyledLine>(Math.max(0, lines - body.length)).fill(EMPTY_LINE)];
  if (size.rows < LEAST_ROWS) {
    const { prompt, status } = model.ui;
    return prompt === undefined && status === undefined
      ? filled
      : [...filled.slice(0, -1), statusLine(model, size.columns)];
  }
  return [...header(model, size.columns), ...filled, ...footer(model, size.columns)];
}

function listOf(model: Model, size: Size): StyledLine[] | undefined {
  const lines = bodyLines(size);
  switch (viewOf(model.ui).kind) {
    case 'sweep':
      return leaderboard(model, size.columns, lines);
    case 'agents':
      return agentsView(model, size.columns, lines);
    case 'events':
      return eventsView(model, size.columns, lines);
    case 'sweeps':
      return sweepsView(model, size.columns, lines);
    default:
      return undefined;
  }
}

function textOf(model: Model, { columns, rows }: Size): StyledLine[] {
  const lines = bodyLines({ columns, rows });
  const view = viewOf(model.ui);
  switch (view.kind) {
    case 'trial':
      return trialView(model, view.trialId, columns, lines);
    case 'compare':
      return compareView(model, columns, lines);
    case 'parameters':
      return parametersView(model, columns, lines);
    case 'log':
      return logView(model);
    case 'explain':
      return explainView(model, columns);
    case 'help':
      return helpView(model.ui.stack.at(-2)?.kind ?? 'sweep', model.readonly, columns);
    default:
      return [];
  }
}

function scrolled(model: Model, size: Size, lines: number): StyledLine[] {
  const text = textOf(model, size);
  const furthest = Math.max(0, text.length - lines);
  const offset = Math.min(cursorOf(model.ui).offset, furthest);
  const shown = text.slice(offset, offset + lines);
  const below = text.length - offset - lines;
  if (below <= 0) return shown;
  return [...shown.slice(0, -1), styledLine(`... ${below + 1} more lines (j)`, 'dim')];
}
