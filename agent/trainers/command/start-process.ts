/** Starts the process of a user's program. */
import { type ChildProcess, spawn as spawnProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { USER_UMASK } from '../../../lib/files/private-files.ts';

/** Whether processes can be found by their marker (see processes.ts). */
const CAN_FIND_PROCESSES = existsSync('/proc/self/environ');

/**
 * The script that waits for `release`, and then executes a program. If the worker dies before the release, the script
 * exits. The script is needed on systems where processes cannot be found by their marker. There, the guard (see
 * guard.ts) must know the process group before the program starts.
 */
const GATE = 'read -r _ <&3 || exit 0; exec 3<&-; exec "$@"';

export interface ProcessStart {
  /** The command; its first item is an absolute path. */
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Whether the program waits for `release`. By default, true if processes cannot be found by their marker. */
  readonly waitsForRelease?: boolean | undefined;
}

/**
 * Starts the program in its own process group, so that all of its processes can be ended together and Ctrl-C does not
 * reach them.
 * @param spawn Node's `spawn`; tests replace it
 * @throws {Error} when an argument or an environment variable contains a NUL, or when no process can be started
 */
export function startProcess(start: ProcessStart, spawn: typeof spawnProcess = spawnProcess): ChildProcess {
  const { command, cwd, env, waitsForRelease = !CAN_FIND_PROCESSES } = start;
  const [program = '', ...rest] = command;
  const options = { cwd, env, detached: true };
  return withUserUmask(() => {
    if (waitsForRelease) {
      const gate = ['-c', GATE, 'trawl-gate', ...command];
      return spawn('/bin/sh', gate, { ...options, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    }
    const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
    try {
      return spawn(program, rest, { ...options, stdio });
    } catch (error) {
      // Some C libraries, such as musl, do not run a script whose first line names no interpreter.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOEXEC')) throw error;
      return spawn('/bin/sh', command, { ...options, stdio });
    }
  });
}

/** Starts a program that waits for this call (see `waitsForRelease`). Does nothing for other programs. */
export function release(child: ChildProcess): void {
  const gate = child.stdio?.[3];
  // Write errors mean that the process has exited, which is handled elsewhere.
  if (gate && 'write' in gate) gate.on('error', () => {}).end('go\n');
}

/** Calls a function that starts a program. The process inherits the user's umask. */
function withUserUmask<T>(start: () => T): T {
  const umask = process.env[USER_UMASK] ?? '';
  if (umask === '') return start();
  const before = process.umask(umask);
  try {
    return start();
  } finally {
    process.umask(before);
  }
}
