/** Starts the process of a user's program. */
import { type ChildProcess, spawn as spawnProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Readable } from 'node:stream';
import { USER_UMASK } from '../../../lib/files/private-files.ts';
import { type Exit, loadPosixSpawn, type PosixSpawn, type StartedProcess } from './posix-spawn.ts';

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

/** The process of a user's program. */
export interface ProgramProcess extends StartedProcess {
  /** Starts a program that waits for this call (see `waitsForRelease`). Undefined for other programs. */
  readonly release?: () => void;
}

/** The functions that start processes. */
export interface Spawns {
  readonly node: typeof spawnProcess;
  /** Undefined if `posix_spawn` cannot be used. */
  readonly posix: PosixSpawn | undefined;
}

/**
 * The maximum number of times that a process tries to load `posix_spawn`. A load can fail because no file descriptors
 * are free at that time.
 */
const MAX_LOADS = 3;

let spawns: Spawns = { node: spawnProcess, posix: undefined };
let loadsLeft = MAX_LOADS;

function availableSpawns(): Spawns {
  if (loadsLeft === 0) return spawns;
  const loaded = loadPosixSpawn();
  spawns = { node: spawnProcess, posix: loaded.spawn };
  loadsLeft = loaded.spawn === undefined && loaded.mayBeTemporary ? loadsLeft - 1 : 0;
  return spawns;
}

/**
 * Starts the program in its own process group, so that all of its processes can be ended together and Ctrl-C does not
 * reach them. Its stdin is empty.
 * @param using tests replace these functions
 * @throws {Error} when an argument or an environment variable contains a NUL, or is too long for Node's `spawn`
 */
export function startProcess(start: ProcessStart, using: Spawns = availableSpawns()): ProgramProcess {
  const { command, env, waitsForRelease = !CAN_FIND_PROCESSES } = start;
  // Node's `spawn` throws an error that names the text with the NUL.
  const posix = hasNul(command) || hasNul(Object.keys(env)) || hasNul(Object.values(env)) ? undefined : using.posix;
  return withUserUmask(() => {
    if (waitsForRelease) return gatedProcess(start, using.node);
    return posix === undefined ? nodeProcess(start, using.node) : posixProcess(start, posix);
  });
}

function posixProcess({ command, cwd, env }: ProcessStart, spawn: PosixSpawn): StartedProcess {
  try {
    return withShellForScripts(command, ([program = '', ...rest]) => spawn(program, rest, { cwd, env }));
  } catch (error) {
    return { pid: 0, stdout: Readable.from([]), stderr: Readable.from([]), exit: Promise.reject(error) };
  }
}

function nodeProcess({ command, cwd, env }: ProcessStart, spawn: typeof spawnProcess): StartedProcess {
  return processOf(
    withShellForScripts(command, ([program = '', ...rest]) =>
      spawn(program, rest, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] }),
    ),
  );
}

function gatedProcess({ command, cwd, env }: ProcessStart, spawn: typeof spawnProcess): ProgramProcess {
  const args = ['-c', GATE, 'trawl-gate', ...command];
  const child = spawn('/bin/sh', args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
  const gate = child.stdio?.[3];
  const release = () => {
    // Write errors mean that the process has exited, which is handled elsewhere.
    if (gate && 'write' in gate) gate.on('error', () => {}).end('go\n');
  };
  return { ...processOf(child), release };
}

/**
 * Like a shell, runs a script whose first line names no interpreter. Node's `spawn` does this by itself with some C
 * libraries, such as glibc.
 */
function withShellForScripts<T>(command: readonly string[], start: (command: readonly string[]) => T): T {
  try {
    return start(command);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOEXEC')) throw error;
    return start(['/bin/sh', ...command]);
  }
}

function processOf(child: ChildProcess): StartedProcess {
  return { pid: child.pid ?? 0, stdout: outputOf(child.stdout), stderr: outputOf(child.stderr), exit: exitOf(child) };
}

async function exitOf(child: ChildProcess): Promise<Exit> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return { code, signal };
}

/** If a process could not be started because no file descriptors are left, it has no streams. */
function outputOf(stream: Readable | null): Readable {
  return stream ?? Readable.from([]);
}

function hasNul(texts: readonly (string | undefined)[]): boolean {
  return texts.some((text) => text?.includes('\0'));
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
