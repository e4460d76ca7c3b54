import { styleText } from 'node:util';
import type { Segment } from '../../lib/text/segment.ts';
import type { Style } from '../../lib/text/style.ts';
import type { OutputFormat } from '../options/common.ts';

/** Capabilities of the output. A pipe has no width and no colour. */
export interface Terminal {
  /** Width in columns. Undefined means that text is never cut. */
  readonly width: number | undefined;
  readonly colour: boolean;
}

const DEFAULT_COLUMNS = 80;

/** Returns the terminal that a verb prints its result to. With `-o wide`, its width is unlimited. */
export function resultTerminal({
  color,
  output,
}: {
  readonly color: boolean;
  readonly output: OutputFormat;
}): Terminal {
  const terminal = terminalOf(process.stdout, color, process.env);
  return output === 'wide' ? { ...terminal, width: undefined } : terminal;
}

/** Detects the capabilities of a stream. @param color false after `--no-color` */
export function terminalOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  color: boolean,
  environment: NodeJS.ProcessEnv,
): Terminal {
  if (!stream.isTTY) return { width: undefined, colour: false };
  const disabled = (environment.NO_COLOR ?? '') !== '' || environment.TERM === 'dumb';
  return { width: stream.columns || DEFAULT_COLUMNS, colour: color && !disabled };
}

/** Applies a style if the terminal has colours. */
export function paint(text: string, style: Style | undefined, { colour }: Terminal): string {
  return colour && style !== undefined && text !== '' ? styleText(style, text, { validateStream: false }) : text;
}

export function paintLine(segments: readonly Segment[], terminal: Terminal): string {
  return segments.map(({ text, style }) => paint(text, style, terminal)).join('');
}

/** Whether a person can watch the output and react: stdin and stdout are a terminal. */
export function isAttended(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}
