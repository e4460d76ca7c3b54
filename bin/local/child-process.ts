import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT } from '../../proto/errors.ts';

/**
 * The shell waits for the program, and beside it a loop waits for the end of the pipe from this process, which comes
 * when this process closes it or is gone in whatever way, SIGKILL included; then it stops the program. (A stopped
 * process does not act on SIGTERM, hence CONT.) Only the shell's own commands: no process is left over.
 */
const TIE = `
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
(while read -r _ <&3; do :; done; kill -TERM $program; kill -CONT $program) 2>/dev/null &
watch=$!
exec 3<&-
wait $program
status=$?
kill $watch 2>/dev/null
wait $watch 2>/dev/null
exit $status
`;

/**
 * Starts a program that ends (by SIGTERM) when this process does, however this process ends, or when the returned
 * child's stdin is closed. It runs in a session of its own, so that Ctrl-C at the terminal does not reach it before
 * this process has decided what to do. The child's exit code is the program's; 128 + number for a signal.
 * @param output file descriptor for stdout and stderr
 */
export function spawnTied(program: string, args: readonly string[], output: number): ChildProcess {
  return spawn('/bin/sh', ['-c', TIE, 'trawl-tie', program, ...args], {
    stdio: ['pipe', output, output],
    detached: true,
  });
}

/** A process that is started again whenever it ends, until it is told to stop or cannot be had. */

export interface Started {
  /** Settles with the exit code when the process is gone; 128 + number for a signal. */
  readonly exited: Promise<{ readonly code: number }>;
  stop(): Promise<void>;
}

/** A process that dies younger than this was not up at all. */
const YOUNG_MS = 5_000;
/** So many such deaths in a row, and it is given up. */
const MAX_YOUNG_DEATHS = 5;
const RESTART_DELAY_MS = 300;
/** A process that ends so has said why, and would say it again. */
const FINAL_CODES: readonly number[] = [EXIT.badInput, EXIT.refused];

export class KeptRunning {
  readonly #name: string;
  readonly #start: () => Promise<Started>;
  readonly #onRestart: (name: string, code: number) => void;
  readonly #onGivenUp: (name: string, code: number) => void;
  #current: Started | undefined;
  #stopping = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(
    name: string,
    start: () => Promise<Started>,
    onRestart: (name: string, code: number) => void,
    onGivenUp: (name: string, code: number) => void,
  ) {
    this.#name = name;
    this.#start = start;
    this.#onRestart = onRestart;
    this.#onGivenUp = onGivenUp;
  }

  /** Resolves when the process has been started once. */
  async begin(): Promise<void> {
    const first = await this.#start();
    this.#loop = this.#keep(first);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#current?.stop();
    await this.#loop;
  }

  async #keep(first: Started): Promise<void> {
    let youngDeaths = 0;
    let process: Started | undefined = first;
    for (;;) {
      const since = performance.now();
      let code = 1;
      if (process !== undefined) {
        this.#current = process;
        code = (await process.exited).code;
      }
      if (this.#stopping) return;
      youngDeaths = performance.now() - since < YOUNG_MS ? youngDeaths + 1 : 0;
      if (youngDeaths >= MAX_YOUNG_DEATHS || FINAL_CODES.includes(code)) return this.#onGivenUp(this.#name, code);
      this.#onRestart(this.#name, code);
      await sleep(RESTART_DELAY_MS);
      if (this.#stopping) return;
      process = await this.#start().catch(() => undefined);
    }
  }
}
