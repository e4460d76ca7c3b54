/** Runs child processes that end with this process, and restarts them when they die. */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT } from '../../proto/errors.ts';

/**
 * The background loop of this script reads a pipe from the parent. The pipe ends when the parent closes the pipe or
 * dies, even by SIGKILL. The loop then sends SIGTERM to the program, and SIGCONT, because a suspended process handles
 * SIGTERM only after SIGCONT. The loop uses only builtins of the shell, so it has no child process that could outlive
 * it.
 */
const BOUND_SCRIPT = `
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
 * Spawns a shell that runs the program, and returns the shell. The program gets SIGTERM when this process ends in any
 * way, or when the shell's stdin is closed. Both run in a session of their own, so that Ctrl-C on the terminal does not
 * reach them. The shell exits with the exit code of the program, or with 128 + the number of the signal that ended the
 * program.
 * @param output the file descriptor for stdout and stderr
 * @param env the environment of the program; default: the environment of this process
 */
export function spawnBound(
  program: string,
  args: readonly string[],
  output: number,
  env: NodeJS.ProcessEnv = process.env,
): ChildProcess {
  return spawn('/bin/sh', ['-c', BOUND_SCRIPT, 'trawl-bound', program, ...args], {
    stdio: ['pipe', output, output],
    detached: true,
    env,
  });
}

/**
 * Resolves when the child has exited. The code is the exit code of the child, 128 + the number of the signal that ended
 * the child, or 127 if the child did not start.
 */
export function exitOf(child: ChildProcess): Promise<{ readonly code: number }> {
  // The pipe carries no data. Errors of the pipe are expected when the child ends.
  child.stdin?.on('error', () => {});
  return new Promise((resolve) => {
    child.once('error', () => resolve({ code: 127 }));
    child.once('exit', (code, signal) =>
      resolve({ code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) }),
    );
  });
}

export interface RunningProcess {
  /** Resolves when the process has exited. If a signal ended the process, the code is 128 + the signal's number. */
  readonly exited: Promise<{ readonly code: number }>;
  stop(): Promise<void>;
}

export interface SupervisedProcessOptions {
  readonly start: () => Promise<RunningProcess>;
  readonly onRestart: (code: number) => void;
  /**
   * Called when the process has exited and is not restarted, because it keeps failing or because a restart cannot help.
   */
  readonly onFailed: (code: number) => void;
}

const EARLY_DEATH_MS = 5_000;
const MAX_EARLY_DEATHS = 5;
const RESTART_DELAY_MS = 300;
/** A restart cannot fix the errors behind these exit codes. */
const FINAL_CODES: readonly number[] = [EXIT.badInput, EXIT.rejected];

/**
 * A process that is restarted whenever it exits. Restarts end when the process is stopped, when it keeps failing, or
 * when its exit code is in FINAL_CODES.
 */
export class SupervisedProcess {
  readonly #options: SupervisedProcessOptions;
  #current: RunningProcess | undefined;
  #stopping = false;
  #supervision: Promise<void> = Promise.resolve();

  constructor(options: SupervisedProcessOptions) {
    this.#options = options;
  }

  /** Starts the process for the first time. */
  async start(): Promise<void> {
    const first = await this.#options.start();
    this.#supervision = this.#supervise(first);
  }

  /** Stops the process and resolves once the process is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#current?.stop();
    await this.#supervision;
  }

  async #supervise(first: RunningProcess): Promise<void> {
    const { start, onRestart, onFailed } = this.#options;
    let earlyDeaths = 0;
    let running: RunningProcess | undefined = first;
    for (;;) {
      const since = performance.now();
      let code = 1;
      if (running !== undefined) {
        this.#current = running;
        code = (await running.exited).code;
      }
      if (this.#stopping) return;
      earlyDeaths = performance.now() - since < EARLY_DEATH_MS ? earlyDeaths + 1 : 0;
      if (earlyDeaths >= MAX_EARLY_DEATHS || FINAL_CODES.includes(code)) return onFailed(code);
      onRestart(code);
      await sleep(RESTART_DELAY_MS);
      if (this.#stopping) return;
      running = await start().catch(() => undefined);
    }
  }
}
