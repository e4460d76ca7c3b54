/** Starts the program of a peer in a process tree of its own, and reads its messages. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../../bin/package.ts';
import type { Peer, ProgramMessage, ProgramSettings } from './peer.ts';
import { processesOf, type TreeProcess } from './process-tree.ts';

const SCRIPTS = join(packageRoot(), 'bench', 'peers');
/** The program that trains one trial. */
export const AUTOENCODER = join(SCRIPTS, 'autoencoder.py');
/** Matches the line in which Node.js or Python prints the message of an error. */
const ERROR_LINE = /^\w*(Error|Exception)\b.*: /;

/** Returns the command that runs a peer's program. @param python the interpreter that has the peer's packages */
export function programCommand({ program }: Peer, settings: ProgramSettings, python: string): string[] {
  const [interpreter, script] =
    program === 'trawl'
      ? [process.execPath, fileURLToPath(new URL('./trawl-program.js', import.meta.url))]
      : [python, join(SCRIPTS, program)];
  return [interpreter, script, JSON.stringify(settings)];
}

/** A running program of a peer. */
export class Program {
  /** The number of finished trials that the program has reported. */
  finished = 0;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #errors: string[] = [];
  readonly #others: readonly number[];
  readonly #received: ProgramMessage[] = [];
  #wake = () => {};
  #isOver = false;

  /** @param others the roots of further trees that belong to the peer, such as a database server */
  constructor(command: readonly string[], others: readonly number[]) {
    this.#others = others;
    const tree = [join(SCRIPTS, 'process_tree.py'), ...command];
    // OpenMP starts a thread per core by default, but a trial has one slot.
    const env = { ...process.env, OMP_NUM_THREADS: '1', PYTHONUNBUFFERED: '1' };
    this.#child = spawn('python3', tree, { stdio: ['pipe', 'pipe', 'pipe'], env });
    this.#child.stdin?.on('error', () => {});
    this.#exited = once(this.#child, 'close').catch((error: unknown) => this.#errors.push(`${error}`));
    void this.#exited.then(() => {
      this.#isOver = true;
      this.#wake();
    });
    if (this.#child.stderr !== null) {
      createInterface({ input: this.#child.stderr }).on('line', (line) => {
        if (line.trim() !== '') this.#errors.push(line.trim());
      });
    }
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on('line', (line) => this.#take(line));
    }
  }

  #take(line: string): void {
    const message = parseMessage(line);
    if (message === undefined) return;
    if (message.finished !== undefined) this.finished = message.finished;
    this.#received.push(message);
    this.#wake();
  }

  /** Lets the trials start. */
  go(): void {
    this.#child.stdin?.write('go\n');
  }

  /**
   * Waits for the first message that has `key`.
   * @returns undefined after the time limit, or if the program ends without the message
   */
  async message<Key extends keyof ProgramMessage>(key: Key, limitMs: number): Promise<ProgramMessage | undefined> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const found = this.#received.find((message) => message[key] !== undefined);
      if (found !== undefined) return found;
      const leftMs = deadline - performance.now();
      if (this.#isOver || leftMs <= 0) return undefined;
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, leftMs);
      });
      clearTimeout(timer);
    }
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** All processes of the peer, without `process_tree.py`, which is the root of the tree. */
  processes(): TreeProcess[] {
    const { pid } = this.#child;
    if (pid === undefined) return [];
    return processesOf([pid, ...this.#others]).filter((each) => each.pid !== pid);
  }

  /** CPU time of the peer so far in seconds, ended processes included. */
  cpuS(): number {
    const { pid } = this.#child;
    if (pid === undefined) return 0;
    return processesOf([pid, ...this.#others]).reduce((total, { cpuS }) => total + cpuS, 0);
  }

  /** The last error in the program's stderr, for messages. */
  errors(): string {
    return this.#errors.findLast((line) => ERROR_LINE.test(line)) ?? this.#errors.at(-1) ?? 'it printed no error';
  }

  /** Ends all processes of the tree. */
  async stop(): Promise<void> {
    if (!this.#isOver) this.#child.kill('SIGTERM');
    await this.#exited;
  }
}

/** Parses a line of a program. Returns undefined for a line that is not a message, such as a warning of a library. */
export function parseMessage(line: string): ProgramMessage | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as ProgramMessage;
  } catch {
    return undefined;
  }
}
