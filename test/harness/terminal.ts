/** A command in a pseudo-terminal, its screen kept by a terminal emulator: keys go in, what a person would see comes out. */
import { type IPty, spawn } from '@lydell/node-pty';
import headless from '@xterm/headless';
import { onTestFinished } from 'vitest';
import { environment, TRAWL } from './trawl.ts';
import { until } from './until.ts';

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
  readonly exited: Promise<number>;

  /** Starts `trawl` with these arguments; killed at the end of the test if it still runs then. */
  constructor(args: readonly string[], { columns = 100, rows = 30, env = {} }: TerminalOptions = {}) {
    this.#terminal = new Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 0 });
    const surroundings = { ...environment(), LANG: 'C.UTF-8', TERM: 'xterm-256color', ...env };
    this.#pty = spawn(process.execPath, [TRAWL, ...args], { cols: columns, rows, env: surroundings });
    this.#pty.onData((text) => {
      this.#written += text;
      this.#terminal.write(text);
    });
    let gone = false;
    this.exited = new Promise((resolve) => {
      this.#pty.onExit(({ exitCode, signal }) => {
        gone = true;
        resolve(signal === undefined || signal === 0 ? exitCode : 128 + signal);
      });
    });
    onTestFinished(async () => {
      if (!gone) this.#pty.kill('SIGKILL');
      await this.exited;
    });
  }

  get pid(): number {
    return this.#pty.pid;
  }

  /** Everything that was written to the terminal. */
  get written(): string {
    return this.#written;
  }

  /** Whether the program has the alternate screen. */
  get alternate(): boolean {
    return this.#terminal.buffer.active.type === 'alternate';
  }

  /** What is on the screen, line by line. */
  lines(): string[] {
    const { active } = this.#terminal.buffer;
    return Array.from(
      { length: this.#terminal.rows },
      (_, row) => active.getLine(active.baseY + row)?.translateToString(true) ?? '',
    );
  }

  /** Whether a line is drawn in reverse. */
  reversed(row: number): boolean {
    const line = this.#terminal.buffer.active.getLine(row);
    return (line?.getCell(0)?.isInverse() ?? 0) !== 0;
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

  /** Waits until the screen says so. */
  async sees(what: string | RegExp): Promise<string> {
    const found = () => {
      const text = this.lines().join('\n');
      return (typeof what === 'string' ? text.includes(what) : what.test(text)) && text;
    };
    try {
      return await until(`the screen shows ${what}`, found);
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}; it shows:\n${this.lines().join('\n')}`);
    }
  }
}
