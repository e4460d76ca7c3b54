/** The terminal in which the dashboard runs. */

/** The size of the frame, in cells. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The features that the terminal supports and the user has enabled. */
export interface TerminalStyle {
  /** Whether colors are used. Bold, dim and reverse do not count as colors. */
  readonly color: boolean;
  /** Whether only ASCII characters are used. */
  readonly ascii: boolean;
  /** Whether the output has no escape sequences, so that it can be written to a file or a pipe. */
  readonly plain?: boolean;
}

const DEFAULT_SIZE: Size = { columns: 80, rows: 24 };

/**
 * Returns the size of a frame in a terminal. One row remains free, because Ink ends each frame with a line break, which
 * must not scroll the screen.
 */
export function frameSize({ columns, rows }: NodeJS.WriteStream): Size {
  return { columns: columns || DEFAULT_SIZE.columns, rows: Math.max(1, (rows || DEFAULT_SIZE.rows) - 1) };
}

const END_OF_UPDATE = '\u001b[?2026l';
const CURSOR_UP = '\u001b[A';

/**
 * Returns a stream that works around two bugs of Ink 6.8, for a frame that starts on the first line of the screen. Ink
 * 7 has fixed both bugs, but needs Node 22.
 * - Before an incremental update, Ink moves the cursor up by one line too few. Therefore the stream moves the cursor up
 *   by one line at the end of each update.
 * - If the last frame is as tall as the terminal, for example after the terminal has shrunk, Ink clears the terminal
 *   and its scrollback. Therefore the stream hides the number of rows from Ink. The frame always fits (see
 *   frameSize).
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
