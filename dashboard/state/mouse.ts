/** The mouse: the wheel scrolls, a press moves the cursor, and a press on the row under the cursor opens the row. */
import type { ActionContext, KeyResult } from './actions.ts';
import { HEADER_LINES } from './layout.ts';
import { move, moveTo, openRow } from './navigation.ts';
import { cursorOf, LIST_VIEWS, type Ui, viewOf, windowOf } from './ui.ts';

export type MouseEvent =
  | { readonly kind: 'wheel'; readonly by: 1 | -1 }
  /** A press of the left button. The row is counted from 0. */
  | { readonly kind: 'press'; readonly row: number };

const WHEEL_LINES = 3;
const LEFT = 0;
const WHEEL_UP = 64;
const WHEEL_DOWN = 65;

// Ink has already removed the escape character.
const REPORT = /^\[<(\d+);(\d+);(\d+)([Mm])$/;

/** Whether the input is an escape sequence of the mouse. */
export const isMouseReport = (input: string): boolean => REPORT.test(input);

/** Parses a mouse report in SGR mode. Undefined for ignored events, such as releases, and for any other input. */
export function mouseEventOf(input: string): MouseEvent | undefined {
  const [, button, , row, end] = REPORT.exec(input) ?? [];
  if (button === undefined || end !== 'M') return undefined;
  switch (Number(button)) {
    case WHEEL_UP:
      return { kind: 'wheel', by: -1 };
    case WHEEL_DOWN:
      return { kind: 'wheel', by: 1 };
    case LEFT:
      return { kind: 'press', row: Number(row) - 1 };
    default:
      return undefined;
  }
}

export function handleMouse(ui: Ui, event: MouseEvent, context: ActionContext): KeyResult {
  if (ui.prompt !== undefined) return { ui };
  if (event.kind === 'wheel') return { ui: move(ui, context, event.by * WHEEL_LINES) };
  if (!LIST_VIEWS.includes(viewOf(ui).kind)) return { ui };
  const { at, offset } = windowOf(cursorOf(ui), context.rowCount, context.pageLines, context.indexOf);
  const line = event.row - HEADER_LINES - 1;
  if (line < 0 || line >= context.pageLines || offset + line >= context.rowCount) return { ui };
  return offset + line === at ? openRow(ui, context) : { ui: moveTo(ui, context, offset + line) };
}
