import { styleText } from 'node:util';
import type { Segment } from '../../lib/text/segment.ts';
import type { Style } from '../../lib/text/style.ts';

/** How results may be drawn: a pipe has no width and no colour. */
export interface Terminal {
  /** Columns; undefined: nothing is cut. */
  readonly width: number | undefined;
  readonly colour: boolean;
}

/** Where a terminal does not say how wide it is. */
const DEFAULT_COLUMNS = 80;

/** @param color false after `--no-color` */
export function terminalOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  color: boolean,
  environment: NodeJS.ProcessEnv,
): Terminal {
  if (!stream.isTTY) return { width: undefined, colour: false };
  const refused = (environment.NO_COLOR ?? '') !== '' || environment.TERM === 'dumb';
  return { width: stream.columns || DEFAULT_COLUMNS, colour: color && !refused };
}

/** The text in its style where the terminal has colours; as it is elsewhere. */
export function paint(text: string, style: Style | undefined, { colour }: Terminal): string {
  return colour && style !== undefined && text !== '' ? styleText(style, text, { validateStream: false }) : text;
}

export function paintLine(segments: readonly Segment[], terminal: Terminal): string {
  return segments.map(({ text, style }) => paint(text, style, terminal)).join('');
}
