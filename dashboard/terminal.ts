/** The terminal that the dashboard runs in. */

/** The size of the frame, in cells. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The features that the terminal supports and the user has enabled. */
export interface TerminalStyle {
  /** Bold, dim and reverse are not colours. */
  readonly colour: boolean;
  /** Whether only ASCII characters are used. */
  readonly ascii: boolean;
  /** Whether the text contains no escape sequences, for a file or a pipe. */
  readonly plain?: boolean;
}

const DEFAULT_SIZE: Size = { columns: 80, rows: 24 };

/** Returns the size of a frame in a terminal. One row stays free: Ink ends each frame with a line break, which must not scroll. */
export function frameSize({ columns, rows }: NodeJS.WriteStream): Size {
  return { columns: columns || DEFAULT_SIZE.columns, rows: Math.max(1, (rows || DEFAULT_SIZE.rows) - 1) };
}

const END_OF_UPDATE = '\u001b[?2026l';
const CURSOR_UP = '\u001b[A';

/**
 * Returns the stream as Ink 6.8 needs it for a frame that starts on the first line of the screen. Ink 7 and later, which
 * correct both, need Node 22.
 * - Before an incremental update, Ink goes up one line too few. So each update ends one line higher.
 * - When the last frame is as tall as the terminal, which is the case whenever a terminal shrinks, Ink clears the terminal
 *   together with its scrollback. So the number of rows is unknown; the frame always fits (see frameSize).
 */
export function inkOutput(stdout: NodeJS.WriteStream): NodeJS.WriteStream {
  return new Proxy(stdout, {
    get(target, name) {
      if (name === 'rows') return undefined;
      if (name === 'write') {
        return (text: string, ...rest: []) => target.write(text === END_OF_UPDATE ? CURSOR_UP + text : text, ...rest);
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
