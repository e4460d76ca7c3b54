/**
 * Guard processes end the programs of a worker that dies. A guard is a shell that is started before the first program
 * of a worker, and guards one program at a time.
 *
 * The guard's input closes when the worker has died. A forked child of the worker keeps this input open until the child
 * executes its program. From then on, the environment of the program contains the guard's marker, so the guard finds
 * the program.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { MARKER } from './processes.ts';

/**
 * The script of a guard. Its argument is the first part of the markers of the programs. It reads these lines: `start
 * SECONDS` before the start of a program, with the time between SIGTERM and SIGKILL; `group ID` after the start; `end`
 * when all processes of the program have ended. If the input closes while the group is unknown, the program may be
 * about to start, so the guard searches for the whole time of `start`. The first search
 * runs in the background: the read of a process that hangs in the kernel can block, and must not delay SIGKILL.
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

/** Guards that guard no program. */
const idle: Guard[] = [];

export class Guard {
  readonly #input: Writable;
  readonly #marker: string;
  #programs = 0;
  #isRunning = true;

  /**
   * Returns a guard for a program that is about to start. `end` must be called when the program has ended.
   * @param marker the first part of the markers
   * @param graceS the number of whole seconds between SIGTERM and SIGKILL
   */
  static of(marker: string, graceS: number): Guard {
    const at = idle.findIndex((each) => each.#marker.startsWith(marker));
    const guard = idle.splice(at, at === -1 ? 0 : 1)[0] ?? new Guard(marker);
    guard.#programs += 1;
    guard.#input.write(`start ${graceS}\n`);
    return guard;
  }

  private constructor(marker: string) {
    this.#marker = `${marker}${randomBytes(16).toString('hex')}.`;
    // The guard has its own session, so that signals to the worker's process group, such as Ctrl-C, do not reach it.
    const child = spawn('/bin/sh', ['-c', SCRIPT, 'trawl-guard', this.#marker], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    const onEnd = () => {
      this.#isRunning = false;
      const at = idle.indexOf(this);
      if (at !== -1) idle.splice(at, 1);
    };
    child.on('error', onEnd).on('exit', onEnd);
    // Write errors mean that the guard has ended. The agent then ends the programs of a dead worker.
    child.stdin.on('error', () => {});
    child.unref();
    if (child.stdin instanceof Socket) child.stdin.unref();
    this.#input = child.stdin;
  }

  /** The marker of the guarded program's processes. */
  get marker(): string {
    return `${this.#marker}${this.#programs}`;
  }

  /** @param id the id of the process group of the program, which has started */
  setGroup(id: number): void {
    this.#input.write(`group ${id}\n`);
  }

  /** Ends the protection of the program. The guard can then guard another program. */
  end(): void {
    this.#input.write('end\n');
    if (this.#isRunning) idle.push(this);
  }
}
