/**
 * Runs a user's program. The program's child processes are ended when the program ends, or when this process ends for
 * any reason. The child processes are found by their process group or, in other sessions, by a marker (see
 * processes.ts).
 */
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Guard } from './guard.ts';
import type { Exit } from './posix-spawn.ts';
import { endMarked, MARKER, StartedProgram, signalMarked, stateBefore } from './processes.ts';
import { type ProcessStart, type ProgramProcess, startProcess } from './start-process.ts';

/** Seconds between SIGTERM and SIGKILL. A program can use this time for a last checkpoint. */
export const STOP_GRACE_S = 10;
/** Milliseconds between SIGTERM and SIGKILL for processes in other sessions, after the program has exited by itself. */
const LEFTOVER_GRACE_MS = 2_000;
const POLL_MS = 50;
/**
 * During the first YOUNG_MS milliseconds of a program, the newest process id is read at intervals. The search for the
 * program's processes can then be limited to the ids between the program's id and the newest id. Without this limit, all
 * processes must be searched. For an older program, the time of such a search is negligible.
 */
const YOUNG_MS = 2_000;

export interface ProgramStart {
  /** The command; its first item is an absolute path. */
  readonly command: readonly string[];
  readonly workdir: string;
  readonly environment: NodeJS.ProcessEnv;
  /** The number of whole seconds between SIGTERM and SIGKILL. */
  readonly graceS: number;
  /** The first part of the markers of this worker's programs. */
  readonly marker: string;
  /** See `ProcessStart`. */
  readonly waitsForRelease?: boolean;
}

export class Program {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /**
   * Resolves when the program has exited and its remaining processes (see processes.ts) have been ended. Rejects when
   * the program cannot be executed.
   */
  readonly exited: Promise<Exit>;
  /** The id of the process group; 0 when the group has ended. */
  #group: number;
  readonly #graceMs: number;
  readonly #guard: Guard;
  /** Selects the processes that the program started. */
  readonly #descendants: { readonly accepts: (marker: string) => boolean; readonly startedAfter: StartedProgram };
  #stopped: Promise<void> | undefined;

  /** @throws {Error} when no process can be started, or when an argument or a variable contains a NUL */
  constructor({ command, workdir, environment, graceS, marker, waitsForRelease }: ProgramStart) {
    this.#graceMs = graceS * 1000;
    this.#guard = Guard.of(marker, graceS);
    const ownMarker = this.#guard.marker;
    const before = stateBefore();
    const env = { ...environment, PWD: workdir, [MARKER]: ownMarker };
    const started = this.#start({ command, cwd: workdir, env, waitsForRelease });
    this.stdout = started.stdout.setEncoding('utf8');
    this.stderr = started.stderr.setEncoding('utf8');
    this.#group = started.pid;
    this.#descendants = {
      accepts: (each) => each === ownMarker,
      startedAfter: new StartedProgram(this.#group, before),
    };
    if (this.#group > 0) {
      this.#guard.setGroup(this.#group);
      started.release?.();
    }
    this.exited = this.#endGroupAfter(started.exit);
  }

  #start(start: ProcessStart): ProgramProcess {
    try {
      return startProcess(start);
    } catch (error) {
      this.#guard.end();
      throw error;
    }
  }

  /** Waits for the program's exit, then ends its remaining processes. */
  async #endGroupAfter(exit: Promise<Exit>): Promise<Exit> {
    const { startedAfter } = this.#descendants;
    const timer = setInterval(() => startedAfter.newestId(), startedAfter.intervalMs);
    const endTimer = setTimeout(() => clearInterval(timer), YOUNG_MS);
    try {
      return await exit;
    } finally {
      clearInterval(timer);
      clearTimeout(endTimer);
      await this.#stopped;
      this.#signal('SIGKILL');
      const graceMs = this.#stopped === undefined ? Math.min(LEFTOVER_GRACE_MS, this.#graceMs) : this.#graceMs;
      if (this.#group > 0) await endMarked(this.#descendants, graceMs);
      // No signal may be sent from now on, because the operating system can reuse the id of the group.
      this.#group = 0;
      this.#guard.end();
    }
  }

  /**
   * Sends SIGTERM to the whole group, and SIGKILL to the remaining processes after the grace period. Later calls have
   * no effect.
   */
  stop(): void {
    this.#stopped ??= this.#stop();
  }

  async #stop(): Promise<void> {
    this.#signal('SIGTERM');
    // A process suspended by SIGSTOP would not act on SIGTERM.
    this.#signal('SIGCONT');
    // A slow search for the other processes must not delay SIGKILL.
    const signaled = signalMarked(this.#descendants, 'SIGTERM');
    for (let waited = 0; waited < this.#graceMs && this.#signal(0); waited += POLL_MS) await sleep(POLL_MS);
    this.#signal('SIGKILL');
    await signaled;
  }

  /** @returns whether the group still contains a process */
  #signal(signal: NodeJS.Signals | 0): boolean {
    // Group 0 would be this process's own group.
    if (this.#group <= 0) return false;
    try {
      return process.kill(-this.#group, signal);
    } catch {
      return false;
    }
  }
}
