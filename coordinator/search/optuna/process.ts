/** Runs the Python process of a sampler, and exchanges lines with it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { packageRoot } from '../../../lib/files/package-root.ts';
import { visibleText } from '../../../lib/text/visible-text.ts';

/** The default Python interpreter for samplers. A coordinator or a sweep file can set a different interpreter. */
export const DEFAULT_PYTHON = 'python3';

/** The maximum length of an answer's line, in characters. A normal answer has only a few kilobytes. */
const MAX_LINE = 16 * 1024 * 1024;
/** The number of characters of stderr that are kept for messages. */
const KEPT_OUTPUT = 4_000;
const MAX_DETAIL = 300;

interface ProcessEvents {
  /** Called for each line that the process sends. */
  readonly onLine: (line: string) => void;
  /** Called once when the process has ended, or could not start. Not called after `end`. */
  readonly onEnd: (reason: string) => void;
}

export interface LineProcess {
  /** @param line a line without its line feed */
  send(line: string): void;
  /** Ends the process and the programs that it started. */
  end(): void;
}

/** Starts a process. Must not throw. */
export type StartProcess = (python: string, events: ProcessEvents) => LineProcess;

/** Starts sampler.py. The process ends when its input ends, which also happens if the coordinator is killed. */
export const startSampler: StartProcess = (python, events) =>
  startScript(join(packageRoot(), 'coordinator', 'search', 'optuna', 'sampler.py'), python, events);

/** Starts a Python program that reads requests from file descriptor 3 and writes answers to file descriptor 4. */
export function startScript(script: string, ...[python, events]: Parameters<StartProcess>): LineProcess {
  return new PythonProcess(spawnPython(python, script), python, events);
}

function spawnPython(python: string, script: string): ChildProcess {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('TRAWL_'));
  const env = {
    // The studies are so small that more than one thread would only add waiting time, and could change results.
    OMP_NUM_THREADS: '1',
    OPENBLAS_NUM_THREADS: '1',
    ...Object.fromEntries(inherited),
    // With a fixed seed, Python iterates over a set of names in the same order in every process.
    PYTHONHASHSEED: '0',
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONIOENCODING: 'utf-8',
  };
  // The process has its own process group. The coordinator can therefore end the process together with the programs
  // that it has started, and Ctrl-C does not reach them.
  return spawn(python, [script], { env, stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'], detached: true });
}

class PythonProcess implements LineProcess {
  readonly #child: ChildProcess;
  readonly #python: string;
  readonly #events: ProcessEvents;
  readonly #input: Writable;
  #line = '';
  #output = '';
  #hasEnded = false;

  constructor(child: ChildProcess, python: string, events: ProcessEvents) {
    this.#child = child;
    this.#python = python;
    this.#events = events;
    this.#input = child.stdio[3] as Writable;
    const answers = child.stdio[4] as Readable;
    // Errors of the streams are ignored, because the event `close` reports the end of the process.
    for (const stream of [this.#input, answers, child.stdout, child.stderr]) stream?.on('error', () => {});
    answers.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    child.stdout?.resume();
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#output = (this.#output + text).slice(-KEPT_OUTPUT);
    });
    child.once('error', (error: NodeJS.ErrnoException) => this.#finish(this.#startProblem(error)));
    child.once('close', (code, signal) => this.#finish(endText(code, signal, this.#output)));
  }

  send(line: string): void {
    this.#input.write(`${line}\n`);
  }

  end(): void {
    this.#hasEnded = true;
    this.#kill();
  }

  #read(text: string): void {
    if (this.#hasEnded) return;
    const [first = '', ...rest] = text.split('\n');
    this.#line += first;
    for (const next of rest) {
      const line = this.#line;
      this.#line = next;
      this.#events.onLine(line);
    }
    if (this.#line.length <= MAX_LINE || this.#hasEnded) return;
    this.#kill();
    this.#finish(
      `the Python process of the sampler sent a line of more than ${MAX_LINE.toLocaleString('en')} characters`,
    );
  }

  #kill(): void {
    const { pid } = this.#child;
    this.#line = '';
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // The process has already ended.
    }
  }

  #finish(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#events.onEnd(reason);
  }

  #startProblem({ code, message }: NodeJS.ErrnoException): string {
    const remedy = 'install Python 3.9 or newer, or start the coordinator with --python';
    if (code === 'ENOENT') return `there is no program ${JSON.stringify(this.#python)} to run the sampler; ${remedy}`;
    return `could not start ${JSON.stringify(this.#python)}: ${message}; ${remedy}`;
  }
}

function endText(code: number | null, signal: NodeJS.Signals | null, output: string): string {
  const how = signal === null ? `exited with code ${code}` : `was killed by ${signal}`;
  const last = output.trimEnd().split('\n').at(-1)?.trim() ?? '';
  const detail = last === '' ? '' : `: ${visibleText(last).slice(0, MAX_DETAIL)}`;
  return `the Python process of the sampler ${how}${detail}`;
}
