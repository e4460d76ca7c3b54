/**
 * Guard processes end the programs of a worker that dies. A guard is a shell that is started before the first program
 * of a worker, and guards one program at a time. A guard that dies while it guards a program is replaced, up to
 * `MAX_REPLACEMENTS` times.
 *
 * The guard's input closes when the worker has died and no process that the worker forked still has the input open. A
 * forked process has it open until the process executes its program. From then on, the environment of the program
 * contains the guard's marker, so the guard finds the program.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { MARKER } from './processes.ts';

/**
 * The script of a guard. The script's argument is the first part of the markers of the programs. The script reads these
 * lines from its input: `start SECONDS` before the start of a program, with the time between SIGTERM and SIGKILL;
 * `group ID` after the start; `end` when all processes of the program have ended. When the input closes, the script
 * searches for the processes of the program and sends SIGTERM to them. At most SECONDS later, it searches again and
 * sends SIGKILL. If the group is unknown, the program may be about to start, so the script always waits for the whole
 * time before the second search. The first search runs in the background, so that it cannot delay SIGKILL: if a process
 * hangs in the kernel, reading its environment can block.
 */
const SCRIPT = `
marker=$1
left=
while read -r word value; do
  case $word in
    start) left=$value; group= ;;
    group) group=$value ;;
    end) left= ;;
  esac
done
[ -n "$left" ] || exit 0
end() { kill -s "$1" -- "-$group" 2>/dev/null; }
marked() { grep -lsF "${MARKER}=$marker" /proc/[0-9]*/environ 2>/dev/null; }
end_marked() {
  marked | while IFS=/ read -r _ _ pid _; do
    [ -z "$group" ] && kill -s "$1" -- "-$pid" 2>/dev/null || kill -s "$1" "$pid" 2>/dev/null
  done
}
[ -z "$group" ] || { end TERM; end CONT; }
end_marked TERM &
while [ "$left" -gt 0 ] && { [ -z "$group" ] || end 0 || [ -n "$(marked)" ]; }; do sleep 1; left=$((left - 1)); done
[ -z "$group" ] || end KILL
end_marked KILL
`;

/** The maximum number of times that the guard of one program is replaced. */
const MAX_REPLACEMENTS = 10;

/** Guards that guard no program. */
const idle: Guard[] = [];

export class Guard {
  readonly #marker: string;
  #programs = 0;
  /** The input of the guard process; undefined if no guard process runs. */
  #input: Writable | undefined;
  /** The lines that describe the guarded program; none if the guard is idle. */
  #lines: string[] = [];
  #replacements = 0;

  /**
   * Returns a guard for a program that is about to start. `end` must be called when the program has ended.
   * @param marker the first part of the markers of this worker's programs
   * @param graceS the number of whole seconds between SIGTERM and SIGKILL
   */
  static of(marker: string, graceS: number): Guard {
    const at = idle.findIndex((each) => each.#marker.startsWith(marker));
    const guard = idle.splice(at, at === -1 ? 0 : 1)[0] ?? new Guard(marker);
    guard.#programs += 1;
    guard.#replacements = 0;
    guard.#input ??= guard.#start();
    guard.#add(`start ${graceS}\n`);
    return guard;
  }

  private constructor(marker: string) {
    this.#marker = `${marker}${randomBytes(16).toString('hex')}.`;
  }

  /**
   * Starts a guard process. If that is impossible, the program runs without a guard. The agent then ends the program
   * when it notices the death of the worker.
   */
  #start(): Writable | undefined {
    // The guard has its own session, so that signals to the worker's process group, such as Ctrl-C, do not reach it.
    const child = startShell(['-c', SCRIPT, 'trawl-guard', this.#marker]);
    child?.on('error', () => {
      this.#input = undefined;
    });
    child?.on('exit', () => {
      this.#input = undefined;
      if (this.#lines.length > 0 && this.#replacements < MAX_REPLACEMENTS) this.#replace();
    });
    child?.unref();
    // If the worker has no free file descriptors, the guard process has no stdin.
    const input = child?.stdin ?? undefined;
    // Write errors mean that the guard process has ended. Its exit is handled above.
    input?.on('error', () => {});
    if (input instanceof Socket) input.unref();
    return input;
  }

  #replace(): void {
    this.#replacements += 1;
    this.#input = this.#start();
    for (const line of this.#lines) this.#input?.write(line);
  }

  #add(line: string): void {
    this.#lines.push(line);
    this.#input?.write(line);
  }

  /** The marker of the guarded program's processes. */
  get marker(): string {
    return `${this.#marker}${this.#programs}`;
  }

  /**
   * Must be called when the program has started.
   * @param id the id of the program's process group
   */
  setGroup(id: number): void {
    this.#add(`group ${id}\n`);
  }

  /** Ends the protection of the program. The guard can then guard another program. */
  end(): void {
    this.#lines = [];
    this.#input?.write('end\n');
    idle.push(this);
  }
}

function startShell(args: readonly string[]): ChildProcess | undefined {
  try {
    return spawn('/bin/sh', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  } catch {
    return undefined;
  }
}
