/**
 * Runs a user's program. The program's child processes end when the program ends, or when this process ends for any
 * reason. The child processes are found by their process group or, in other sessions, by a marker (see processes.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { USER_UMASK } from '../../../lib/files/private-files.ts';
import { endMarked, MARKER, type Selection, signalMarked } from './processes.ts';

/** Seconds between SIGTERM and SIGKILL. A program can use this time for a last checkpoint. */
export const STOP_GRACE_S = 10;
/** Milliseconds between SIGTERM and SIGKILL for processes in other sessions, after the program has exited by itself. */
const LEFTOVER_GRACE_MS = 2_000;
const POLL_MS = 50;

/**
 * The script of the guard, a process that ends the program's processes if the guard's input closes before the guard has
 * read the line `done`. The input also closes when SIGKILL ends the worker.
 */
const GUARD = `
marker=$2
read -r group || exit 0
while read -r word; do [ "$word" = done ] && exit 0; done
end() { kill -s "$1" -- "-$group" 2>/dev/null; }
marked() { grep -lsF "${MARKER}=$marker" /proc/[0-9]*/environ 2>/dev/null; }
end_marked() { marked | while IFS=/ read -r _ _ pid _; do kill -s "$1" "$pid" 2>/dev/null; done; }
end TERM
end CONT
end_marked TERM
left=$1
while [ "$left" -gt 0 ] && { end 0 || [ -n "$(marked)" ]; }; do sleep 1; left=$((left - 1)); done
end KILL
end_marked KILL
`;

/**
 * The script that starts the program once the guard knows the process group. The first argument is the umask; an empty
 * text keeps the current umask. If the worker dies before the program starts, the script exits.
 */
const GATE = '[ -z "$1" ] || umask "$1"; shift; read -r _ <&3 || exit 0; exec 3<&-; exec "$@"';

export interface ProgramStart {
  /** The command; its first item is an absolute path. */
  readonly command: readonly string[];
  readonly workdir: string;
  readonly environment: NodeJS.ProcessEnv;
  /** The number of whole seconds between SIGTERM and SIGKILL. */
  readonly graceS: number;
  /** The prefix of the marker of the program's processes. */
  readonly marker: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Program {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the program has exited and its remaining processes (see processes.ts) have been ended. */
  readonly exited: Promise<Exit>;
  /** The id of the process group; 0 when the group has ended. */
  #group: number;
  readonly #graceMs: number;
  /** The processes that the program started. */
  readonly #descendants: Selection;
  #stopped: Promise<void> | undefined;

  /** @throws {Error} when no process can be started, or when an argument or a variable contains a NUL */
  constructor({ command, workdir, environment, graceS, marker }: ProgramStart) {
    const ownMarker = `${marker}${randomBytes(16).toString('hex')}`;
    const guard = spawn('/bin/sh', ['-c', GUARD, 'trawl-guard', `${graceS}`, ownMarker], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    guard.on('error', () => {});
    const guardInput = pipeOf(guard, 0);
    this.#graceMs = graceS * 1000;
    const marked = { ...environment, [MARKER]: ownMarker };
    const sinceMs = performance.now();
    const child = spawnGated(command, workdir, marked, () => guardInput.end('done\n'));
    const exit = exitOf(child);
    const gate = pipeOf(child, 3);
    this.stdout = outputOf(child.stdout);
    this.stderr = outputOf(child.stderr);
    this.#group = child.pid ?? 0;
    this.#descendants = { accepts: (each) => each === ownMarker, startedAfter: { pid: this.#group, sinceMs } };
    if (this.#group > 0) {
      guardInput.write(`${this.#group}\n`);
      gate.end('go\n');
    }
    this.exited = this.#endGroupAfter(exit, guardInput);
  }

  /** Waits for the program's exit, then kills the remaining processes of its group and ends the guard. */
  async #endGroupAfter(exit: Promise<Exit>, guardInput: Writable): Promise<Exit> {
    try {
      return await exit;
    } finally {
      await this.#stopped;
      this.#signal('SIGKILL');
      const isStopped = this.#stopped !== undefined;
      await endMarked(this.#descendants, isStopped ? this.#graceMs : Math.min(LEFTOVER_GRACE_MS, this.#graceMs));
      // No signal may be sent from now on, because the operating system can reuse the id of the group.
      this.#group = 0;
      guardInput.end('done\n');
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
    await signalMarked(this.#descendants, 'SIGTERM');
    for (let waited = 0; waited < this.#graceMs && this.#signal(0); waited += POLL_MS) await sleep(POLL_MS);
    this.#signal('SIGKILL');
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

/**
 * Starts the program in its own process group, so that all of its processes can be ended together and Ctrl-C does not
 * reach them.
 */
function spawnGated(
  command: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
  onFailure: () => void,
): ChildProcess {
  try {
    const stdio = ['ignore', 'pipe', 'pipe', 'pipe'] as const;
    const umask = process.env[USER_UMASK] ?? '';
    const gate = ['-c', GATE, 'trawl-gate', umask, ...command];
    return spawn('/bin/sh', gate, { cwd, env, stdio: [...stdio], detached: true });
  } catch (error) {
    onFailure();
    throw error;
  }
}

async function exitOf(child: ChildProcess): Promise<Exit> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return { code, signal };
}

/**
 * Returns a pipe of a process. Write errors are ignored: they mean that the process has exited, which is handled
 * elsewhere.
 */
function pipeOf(child: ChildProcess, at: number): Writable {
  const pipe = child.stdio[at];
  if (pipe === null || pipe === undefined || !('write' in pipe)) throw new Error('the process has no such pipe');
  pipe.on('error', () => {});
  return pipe;
}

function outputOf(stream: Readable | null): Readable {
  if (stream === null) throw new Error('the process has no output');
  return stream.setEncoding('utf8');
}
