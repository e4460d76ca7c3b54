/** A program of the user's own as a group of processes that ends with this process, in whatever way that ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** Seconds from SIGTERM to SIGKILL: time for a last checkpoint. */
export const STOP_GRACE_S = 10;
const POLL_MS = 50;

/**
 * Waits for the program's group on its stdin, then for the end of the pipe, which comes when the worker is gone in
 * whatever way, SIGKILL included; then it ends the group. `done` says that there is nothing left to end.
 */
const GUARD = `
read -r group || exit 0
while read -r word; do [ "$word" = done ] && exit 0; done
end() { kill -s "$1" -- "-$group" 2>/dev/null; }
end TERM
end CONT
left=$1
while [ "$left" -gt 0 ] && end 0; do sleep 1; left=$((left - 1)); done
end KILL
`;

/** Becomes the program when the guard knows of it, and ends when this process died before. */
const GATE = 'read -r _ <&3 || exit 0; exec 3<&-; exec "$@"';

export interface ProgramStart {
  /** The first is an absolute path. */
  readonly command: readonly string[];
  readonly workdir: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Seconds from SIGTERM to SIGKILL; whole. */
  readonly graceS: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Program {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The program itself has ended; what it has started has been ended. */
  readonly exited: Promise<Exit>;
  /** 0: there is none any more. */
  #group: number;
  readonly #graceMs: number;
  #stopped: Promise<void> | undefined;

  /** @throws {Error} when no process can be started, or an argument or a variable holds a NUL */
  constructor({ command, workdir, environment, graceS }: ProgramStart) {
    const guard = spawn('/bin/sh', ['-c', GUARD, 'trawl-guard', `${graceS}`], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    guard.on('error', () => {});
    const say = pipeOf(guard, 0);
    this.#graceMs = graceS * 1000;
    // A group of its own, so that all of it can be ended, and a Ctrl-C at the terminal does not reach it.
    const child = spawnOr(() => say.end('done\n'), command, workdir, environment);
    const ended = endOf(child);
    const gate = pipeOf(child, 3);
    this.stdout = outputOf(child.stdout);
    this.stderr = outputOf(child.stderr);
    this.#group = child.pid ?? 0;
    if (this.#group > 0) {
      say.write(`${this.#group}\n`);
      gate.end('go\n');
    }
    this.exited = this.#exit(ended, say);
  }

  /** Waits for the program's end, then kills the rest of its group and ends the guard. */
  async #exit(ended: Promise<Exit>, guard: Writable): Promise<Exit> {
    try {
      return await ended;
    } finally {
      await this.#stopped;
      this.#signal('SIGKILL');
      // The system may reuse the number of the group.
      this.#group = 0;
      guard.end('done\n');
    }
  }

  /** SIGTERM to the whole group, and SIGKILL to what is left of it after the grace. Again: nothing more. */
  stop(): void {
    this.#stopped ??= this.#stop();
  }

  async #stop(): Promise<void> {
    this.#signal('SIGTERM');
    // A process that is stopped does not act on SIGTERM.
    this.#signal('SIGCONT');
    for (let waited = 0; waited < this.#graceMs && this.#signal(0); waited += POLL_MS) await sleep(POLL_MS);
    this.#signal('SIGKILL');
  }

  /** @returns whether the group has any process */
  #signal(signal: NodeJS.Signals | 0): boolean {
    // Group 0 would be this process's own.
    if (this.#group <= 0) return false;
    try {
      return process.kill(-this.#group, signal);
    } catch {
      return false;
    }
  }
}

function spawnOr(undo: () => void, command: readonly string[], cwd: string, env: NodeJS.ProcessEnv): ChildProcess {
  try {
    const stdio = ['ignore', 'pipe', 'pipe', 'pipe'] as const;
    return spawn('/bin/sh', ['-c', GATE, 'trawl-gate', ...command], { cwd, env, stdio: [...stdio], detached: true });
  } catch (error) {
    undo();
    throw error;
  }
}

async function endOf(child: ChildProcess): Promise<Exit> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return { code, signal };
}

/** Writing to a process that has ended is no error here: its end is told of elsewhere. */
function pipeOf(child: ChildProcess, at: number): Writable {
  const pipe = child.stdio[at];
  if (pipe === null || pipe === undefined || !('write' in pipe)) throw new Error('a process has no pipe to it');
  pipe.on('error', () => {});
  return pipe;
}

function outputOf(stream: Readable | null): Readable {
  if (stream === null) throw new Error('a process has no output');
  return stream.setEncoding('utf8');
}
