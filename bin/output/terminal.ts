import { styleText } from 'node:util';
import { asciiText } from '../../lib/text/ascii.ts';
import type { Segment } from '../../lib/text/segment.ts';
import type { Style } from '../../lib/text/style.ts';
import type { LookOptions, OutputFormat } from '../options/common.ts';

/** Capabilities of the output. A pipe has no width and no color. */
export interface Terminal {
  /** Width in columns. Undefined means that lines are never truncated. */
  readonly width: number | undefined;
  readonly color: boolean;
  /** Whether only ASCII characters are printed. Default: false. */
  readonly ascii?: boolean;
}

const DEFAULT_COLUMNS = 80;

/** Returns the terminal that a verb prints its result to. With `-o wide`, its width is unlimited. */
export function resultTerminal({ output, ...look }: LookOptions & { readonly output: OutputFormat }): Terminal {
  const terminal = terminalOf(process.stdout, look, process.env);
  return output === 'wide' ? { ...terminal, width: undefined } : terminal;
}

/** Detects the capabilities of a stream. */
export function terminalOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  { color, ascii }: LookOptions,
  environment: NodeJS.ProcessEnv,
): Terminal {
  if (!stream.isTTY) return { width: undefined, color: false, ascii: ascii === true };
  const disabled = (environment.NO_COLOR ?? '') !== '' || environment.TERM === 'dumb';
  return {
    width: stream.columns || DEFAULT_COLUMNS,
    color: color && !disabled,
    ascii: ascii === true || !showsUnicode(environment),
  };
}

/**
 * Returns whether a terminal shows non-ASCII characters: the locale is UTF-8, and TERM is neither `dumb` nor `linux`.
 */
export function showsUnicode({ TERM, LC_ALL, LC_CTYPE, LANG }: NodeJS.ProcessEnv): boolean {
  return TERM !== 'dumb' && TERM !== 'linux' && /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '');
}

/**
 * Styles a text if the terminal has color, and replaces non-ASCII characters if the terminal does not show them.
 */
export function paint(text: string, style: Style | undefined, { color, ascii }: Terminal): string {
  const shown = ascii ? asciiText(text) : text;
  return color && style !== undefined && shown !== '' ? styleText(style, shown, { validateStream: false }) : shown;
}

export function paintLine(segments: readonly Segment[], terminal: Terminal): string {
  return segments.map(({ text, style }) => paint(text, style, terminal)).join('');
}

/** Whether a person can watch the output and react: stdin and stdout are a terminal. */
export function isInteractive(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}
