/** Runs `trawl` in a pseudo-terminal. A terminal emulator renders the screen. */
import { join } from 'node:path';
import { type IPty, spawn } from '@lydell/node-pty';
import headless from '@xterm/headless';
import { packageRoot } from '../../bin/package.ts';

const { Terminal } = headless;

export interface TerminalOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: NodeJS.ProcessEnv;
}

export class PseudoTerminal {
  readonly #pty: IPty;
  readonly #terminal: InstanceType<typeof Terminal>;
  #written = '';
  #gone = false;
  /** Resolves with the exit code, which is 128 + N after signal N. */
  readonly exited: Promise<number>;

  /** Starts `trawl` with these arguments. */
  constructor(args: readonly string[], { columns = 100, rows = 30, env = process.env }: TerminalOptions = {}) {
    this.#terminal = new Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 0 });
    const environment = { ...env, TERM: 'xterm-256color' };
    const program = join(packageRoot(), 'bin', 'trawl.mjs');
    this.#pty = spawn(process.execPath, [program, ...args], { cols: columns, rows, env: environment });
    this.#pty.onData((text) => {
      this.#written += text;
      this.#terminal.write(text);
    });
    this.exited = new Promise((resolve) => {
      this.#pty.onExit(({ exitCode, signal }) => {
        this.#gone = true;
        resolve(signal === undefined || signal === 0 ? exitCode : 128 + signal);
      });
    });
  }

  get pid(): number {
    return this.#pty.pid;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Returns everything written to the terminal. */
  get written(): string {
    return this.#written;
  }

  get buffer() {
    return this.#terminal.buffer.active;
  }

  /** Whether the program uses the alternate screen. */
  get alternate(): boolean {
    return this.buffer.type === 'alternate';
  }

  /** Returns the lines of the screen. */
  lines(): string[] {
    return Array.from(
      { length: this.#terminal.rows },
      (_, row) => this.buffer.getLine(this.buffer.baseY + row)?.translateToString(true) ?? '',
    );
  }

  /** Returns whether the first character of a line is in reverse video. */
  reversed(row: number): boolean {
    return (this.buffer.getLine(row)?.getCell(0)?.isInverse() ?? 0) !== 0;
  }

  press(keys: string): void {
    this.#pty.write(keys);
  }

  resize(columns: number, rows: number): void {
    this.#terminal.resize(columns, rows);
    this.#pty.resize(columns, rows);
  }

  kill(signal: NodeJS.Signals): void {
    this.#pty.kill(signal);
  }
}
