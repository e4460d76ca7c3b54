/**
 * Starts programs with the C library's `posix_spawn`. Node's `spawn` forks: the kernel copies the page tables of the
 * worker, and then each page that the worker changes. For a short program, this takes longer than the program itself
 * (bench/RESULTS.md). With `posix_spawn`, nothing is copied.
 */
import { constants } from 'node:fs';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { constants as osConstants } from 'node:os';
import type { Readable } from 'node:stream';
import { isMainThread } from 'node:worker_threads';
import { errorMessage } from '../../../lib/text/error-message.ts';

export interface Exit {
  /** The exit code; null if the process was killed by a signal. */
  readonly code: number | null;
  /** The name of the signal that killed the process; null if the process exited by itself. */
  readonly signal: string | null;
}

export interface StartedProcess {
  /** The id of the process and of its process group; 0 if the process could not be started. */
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the process has ended. Rejects when the program could not be executed. */
  readonly exit: Promise<Exit>;
}

/**
 * Starts a program in a session of its own, with an empty stdin.
 * @throws {Error} with the name of the system's error as `code` when the program cannot be executed
 */
export type PosixSpawn = (
  path: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
) => StartedProcess;

/** These constants have the same values in glibc and musl, on x64 and arm64. */
const O_CLOEXEC = 0o2000000;
const WNOHANG = 1;
const SET_SIGNAL_DEFAULTS = 0x04;
const SET_SIGNAL_MASK = 0x08;
const SET_SESSION = 0x80;

/** Larger than each of the C library's structures `posix_spawn_file_actions_t`, `posix_spawnattr_t` and `sigset_t`. */
const MAX_STRUCT_BYTES = 1024;

/** The interval at which exits are searched for in addition to SIGCHLD. */
const EXIT_POLL_MS = 1_000;

/** The C functions. Unless stated otherwise, a function returns 0 or an error number. */
interface LibC {
  /** Returns -1 on errors. */
  readonly pipe2: (fds: Int32Array, flags: number) => number;
  readonly close: (fd: number) => number;
  /** Returns `pid` if the process has ended, 0 if it runs, and -1 on errors. */
  readonly waitpid: (pid: number, status: Int32Array, options: number) => number;
  readonly spawn: (
    pid: Int32Array,
    path: string,
    actions: Uint8Array,
    attributes: Uint8Array,
    argv: BigUint64Array,
    envp: BigUint64Array,
  ) => number;
  readonly initActions: (actions: Uint8Array) => number;
  readonly destroyActions: (actions: Uint8Array) => number;
  readonly addFolder: (actions: Uint8Array, path: string) => number;
  readonly addOpen: (actions: Uint8Array, fd: number, path: string, flags: number, mode: number) => number;
  readonly addCopy: (actions: Uint8Array, fd: number, copy: number) => number;
  readonly initAttributes: (attributes: Uint8Array) => number;
  readonly setFlags: (attributes: Uint8Array, flags: number) => number;
  readonly setDefaults: (attributes: Uint8Array, signals: Uint8Array) => number;
  readonly setMask: (attributes: Uint8Array, signals: Uint8Array) => number;
  readonly errno: () => number;
  readonly addressOf: (bytes: Uint8Array) => bigint;
}

/** @throws {Error} when the package koffi cannot be loaded, or when the C library lacks one of the functions */
function loadLibC(): LibC {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const c = koffi.load(null);
  return {
    pipe2: c.func('int pipe2(void *fds, int flags)'),
    close: c.func('int close(int fd)'),
    waitpid: c.func('int waitpid(int pid, void *status, int options)'),
    spawn: c.func('int posix_spawn(void *pid, str path, void *actions, void *attributes, void *argv, void *envp)'),
    initActions: c.func('int posix_spawn_file_actions_init(void *actions)'),
    destroyActions: c.func('int posix_spawn_file_actions_destroy(void *actions)'),
    addFolder: c.func('int posix_spawn_file_actions_addchdir_np(void *actions, str path)'),
    addOpen: c.func('int posix_spawn_file_actions_addopen(void *actions, int fd, str path, int flags, uint32_t mode)'),
    addCopy: c.func('int posix_spawn_file_actions_adddup2(void *actions, int fd, int copy)'),
    initAttributes: c.func('int posix_spawnattr_init(void *attributes)'),
    setFlags: c.func('int posix_spawnattr_setflags(void *attributes, short flags)'),
    setDefaults: c.func('int posix_spawnattr_setsigdefault(void *attributes, void *signals)'),
    setMask: c.func('int posix_spawnattr_setsigmask(void *attributes, void *signals)'),
    errno: () => koffi.errno(),
    addressOf: (bytes) => koffi.address(bytes),
  };
}

/** The function that starts programs, or the reason why `posix_spawn` cannot be used. */
export type LoadedPosixSpawn =
  | { readonly spawn: PosixSpawn }
  | {
      readonly spawn: undefined;
      /** The reason, on one line. */
      readonly problem: string;
      /** Whether a later load may succeed, for example when file descriptors are free again. */
      readonly mayBeTemporary: boolean;
    };

export function loadPosixSpawn(): LoadedPosixSpawn {
  const { platform, arch } = process;
  if (platform !== 'linux' || !['x64', 'arm64'].includes(arch)) {
    return { spawn: undefined, problem: `not supported on ${platform} (${arch})`, mayBeTemporary: false };
  }
  // Node delivers SIGCHLD to the main thread only.
  if (!isMainThread) return { spawn: undefined, problem: 'not in the main thread', mayBeTemporary: false };
  try {
    return { spawn: posixSpawnWith(loadLibC()) };
  } catch (error) {
    // Node lists the modules that required a missing module on further lines.
    const [problem = ''] = errorMessage(error).split('\n');
    return { spawn: undefined, problem, mayBeTemporary: true };
  }
}

function posixSpawnWith(c: LibC): PosixSpawn {
  const attributes = attributesOf(c);
  const vectors = new StringVectors(c);
  const exitOf = exitWatch(c);
  return (path, args, { cwd, env }) => {
    const check = (errno: number) => {
      if (errno !== 0) throw systemError(`spawn ${path}`, errno);
    };
    /** The file descriptors that are closed if the program cannot be started. */
    const open: number[] = [];
    const pipe = () => {
      const fds = new Int32Array(2);
      if (c.pipe2(fds, O_CLOEXEC) !== 0) check(c.errno());
      open.push(...fds);
      return { reader: fds[0] ?? -1, writer: fds[1] ?? -1 };
    };
    const actions = new Uint8Array(MAX_STRUCT_BYTES);
    check(c.initActions(actions));
    try {
      const [stdout, stderr] = [pipe(), pipe()];
      check(c.addFolder(actions, cwd));
      check(c.addOpen(actions, 0, '/dev/null', constants.O_RDONLY, 0));
      check(c.addCopy(actions, stdout.writer, 1));
      check(c.addCopy(actions, stderr.writer, 2));
      const pid = new Int32Array(1);
      check(c.spawn(pid, path, actions, attributes, ...vectors.of([path, ...args], assignments(env))));
      // From now on, the sockets close the readers.
      open.splice(0, open.length, stdout.writer, stderr.writer);
      const id = pid[0] ?? 0;
      return { pid: id, stdout: outputOf(stdout.reader), stderr: outputOf(stderr.reader), exit: exitOf(id) };
    } finally {
      for (const fd of open) c.close(fd);
      c.destroyActions(actions);
    }
  };
}

/** The attributes of all programs: their own session, no blocked signals, and the default action for each signal. */
function attributesOf(c: LibC): Uint8Array {
  const attributes = new Uint8Array(MAX_STRUCT_BYTES);
  const results = [
    c.initAttributes(attributes),
    c.setFlags(attributes, SET_SESSION | SET_SIGNAL_DEFAULTS | SET_SIGNAL_MASK),
    c.setDefaults(attributes, new Uint8Array(MAX_STRUCT_BYTES).fill(0xff)),
    c.setMask(attributes, new Uint8Array(MAX_STRUCT_BYTES)),
  ];
  for (const errno of results) if (errno !== 0) throw systemError('posix_spawnattr', errno);
  return attributes;
}

/** Returns a function that returns the exit of a child process of this process. */
function exitWatch(c: LibC): (pid: number) => Promise<Exit> {
  const running = new Map<number, { resolve(exit: Exit): void; reject(error: Error): void }>();
  let timer: NodeJS.Timeout | undefined;
  const findExits = () => {
    const status = new Int32Array(1);
    for (const [pid, { resolve, reject }] of running) {
      const ended = c.waitpid(pid, status, WNOHANG);
      if (ended === 0) continue;
      running.delete(pid);
      if (ended === pid) resolve(exitFrom(status[0] ?? 0));
      else reject(systemError('waitpid', c.errno()));
    }
    if (running.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
  process.on('SIGCHLD', findExits);
  return (pid) =>
    new Promise((resolve, reject) => {
      running.set(pid, { resolve, reject });
      // A signal handler does not keep Node's event loop alive. The timer does, until all of these processes have ended.
      timer ??= setInterval(findExits, EXIT_POLL_MS);
    });
}

/** @param status a status from `waitpid` */
function exitFrom(status: number): Exit {
  const signal = status & 0x7f;
  return signal === 0 ? { code: (status >> 8) & 0xff, signal: null } : { code: null, signal: signalName(signal) };
}

function signalName(signal: number): string {
  return nameOf(signal, osConstants.signals) ?? `signal ${signal}`;
}

function nameOf(value: number, names: Readonly<Record<string, number>>): string | undefined {
  return Object.entries(names).find(([, each]) => each === value)?.[0];
}

function outputOf(fd: number): Socket {
  return new Socket({ fd, readable: true, writable: false });
}

/** The variables in the form `NAME=value`. */
function assignments(env: NodeJS.ProcessEnv): string[] {
  return Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
}

/** Writes lists of strings to memory in the form in which C functions expect them. */
class StringVectors {
  readonly #c: LibC;
  /** The strings of the last call. A field, because the memory must not be freed while a C function reads it. */
  #bytes = Buffer.alloc(0);

  constructor(c: LibC) {
    this.#c = c;
  }

  /**
   * Returns two arrays of addresses of strings, each with a zero at its end. The arrays are valid until the next call.
   * The strings must not contain NUL.
   */
  of(first: readonly string[], second: readonly string[]): [BigUint64Array, BigUint64Array] {
    // In UTF-8, each UTF-16 unit needs at most three bytes.
    const maxBytes = [...first, ...second].reduce((sum, { length }) => sum + 3 * length + 1, 0);
    if (this.#bytes.length < maxBytes) this.#bytes = Buffer.alloc(2 * maxBytes);
    const address = this.#c.addressOf(this.#bytes);
    let end = 0;
    const write = (texts: readonly string[]) => {
      const addresses = new BigUint64Array(texts.length + 1);
      for (const [at, text] of texts.entries()) {
        addresses[at] = address + BigInt(end);
        end += this.#bytes.write(text, end);
        this.#bytes[end++] = 0;
      }
      return addresses;
    };
    return [write(first), write(second)];
  }
}

function systemError(call: string, errno: number): Error {
  const code = nameOf(errno, osConstants.errno) ?? `error ${errno}`;
  return Object.assign(new Error(`${call} ${code}`), { code, errno: -errno, syscall: call });
}
