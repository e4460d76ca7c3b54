/**
 * Finds the processes that a program started, by a marker in the environment of each process. The search also finds
 * processes in other sessions, and processes whose parent has exited. The search finds neither processes that have
 * cleared their environment nor processes of other users. The search works on Linux only. On other systems, only the
 * program's process group can be ended.
 */
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { settlesWithin } from '../../../lib/net/within.ts';
import { cycleMs, newestIdSince, parseCreated, parseIdAllocation } from './process-ids.ts';

/** The environment variable that marks the processes of one attempt. */
export const MARKER = 'TRAWL_PROCESSES';

const POLL_MS = 100;

/**
 * The maximum number of times that SIGKILL is sent. SIGKILL is repeated, because processes can fork while they are
 * listed.
 */
const MAX_KILLS = 10;

/** The maximum time in milliseconds for which a search waits for the environment of one process. */
const READ_MS = 1_000;

/** While this many reads are blocked, no further environments are read: each read occupies one of libuv's few threads. */
const MAX_BLOCKED_READS = 2;

/** Above this number of possible ids, listing all processes takes less time than testing each id. */
const MAX_TESTED_IDS = 2_000;

/**
 * If it takes at least this many milliseconds to allocate all ids, created processes are not counted, because a worker
 * rarely waits this long for a core, and /proc/stat is slow to read on a machine with many cores.
 */
const MIN_CYCLE_MS = 250;

/** The intervals at which the newest id is read, without and with the number of created processes. */
const TIMED_INTERVAL_MS = 25;
const COUNTED_INTERVAL_MS = 500;

/** Selects processes. */
export interface Selection {
  /** Returns whether a process with this marker is selected. */
  readonly accepts: (marker: string) => boolean;
  /**
   * If defined, all processes that `accepts` selects were started after this program, so only newer ids must be tested.
   */
  readonly startedAfter?: StartedProgram;
}

/** The state of the machine just before the start of a program. */
export interface StateBefore {
  /** The time in milliseconds, by `performance.now()`. */
  readonly atMs: number;
  /** The number of processes and threads that the machine had created. Undefined if it is not needed or not known. */
  readonly created: number | undefined;
}

/** Returns the current state for a program that is about to start. */
export function stateBefore(): StateBefore {
  return { atMs: performance.now(), created: isCycleShort() ? created() : undefined };
}

/** A program, and the range of ids that processes started after the program can have. */
export class StartedProgram {
  readonly pid: number;
  /** The interval in milliseconds at which `newestId` must be called. */
  readonly intervalMs: number;
  readonly #createdBefore: number | undefined;
  #newest: number | undefined;
  /** The time in milliseconds at which `#newest` was the newest id, or an earlier time. */
  #atMs: number;

  constructor(pid: number, before: StateBefore) {
    this.pid = pid;
    this.intervalMs = before.created === undefined ? TIMED_INTERVAL_MS : COUNTED_INTERVAL_MS;
    this.#createdBefore = before.created;
    this.#newest = pid;
    this.#atMs = before.atMs;
  }

  /**
   * Returns the largest id that a process started after the program can have; undefined if such a process can have any
   * id, or if too many ids would have to be tested. After an undefined result, all further results are undefined. The
   * method must be called every `intervalMs`, because the ids can restart at the smallest ids during a long interval.
   */
  newestId(): number | undefined {
    if (this.#newest === undefined) return undefined;
    const atMs = performance.now();
    const allocation = idAllocation();
    const elapsedMs = performance.now() - this.#atMs;
    const earlier = { id: this.#newest, elapsedMs, cores: coresOfMachine(), created: this.#createdBefore };
    const newest = newestIdSince(earlier, allocation, created);
    this.#newest = newest !== undefined && newest - this.pid <= MAX_TESTED_IDS ? newest : undefined;
    this.#atMs = atMs;
    return this.#newest;
  }
}

/** Returns the ids of the selected processes that are running. */
async function markedProcesses({ accepts, startedAfter }: Selection): Promise<number[]> {
  if (process.platform !== 'linux') return [];
  const found = startedAfter === undefined ? undefined : markedAfter(startedAfter, accepts);
  return found ?? (await markedAnywhere(accepts));
}

/**
 * Returns the ids of the selected processes that were started after the program; undefined if `newestId` returns
 * undefined.
 */
function markedAfter(program: StartedProgram, accepts: Selection['accepts']): number[] | undefined {
  const found = new Set<number>();
  let tested = program.pid;
  for (;;) {
    const newest = program.newestId();
    if (newest === undefined) return undefined;
    // A process can fork and exit before its id is tested. The id of its child is then larger than `tested`.
    if (newest === tested) return [...found];
    while (tested < newest) {
      tested += 1;
      if (isMarked(tested, accepts)) for (const id of processOf(tested)) found.add(id);
    }
  }
}

/**
 * The reads are asynchronous, so that they do not block the event loop: if a process hangs in the kernel, for example on
 * a network file system, a read of its environment can hang too.
 */
async function markedAnywhere(accepts: Selection['accepts']): Promise<number[]> {
  const ids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: number[] = [];
  for (const id of ids) {
    const environment = await readEnvironment(id);
    const marker = environment && markerIn(environment);
    if (marker !== undefined && accepts(marker)) found.push(id);
  }
  return found;
}

/** The reads that have not ended, by process id. Concurrent searches share them. */
const reads = new Map<number, Promise<Buffer | undefined>>();
/** The processes whose reads have taken longer than the limit. */
const blocked = new Set<number>();

/** Returns the environment of a process; undefined if it cannot be read, or not within the time limit. */
async function readEnvironment(id: number): Promise<Buffer | undefined> {
  if (blocked.has(id) || blocked.size >= MAX_BLOCKED_READS) return undefined;
  const reading = reads.get(id) ?? startRead(id);
  if (await settlesWithin(READ_MS, reading)) return reading;
  if (reads.has(id)) blocked.add(id);
  return undefined;
}

function startRead(id: number): Promise<Buffer | undefined> {
  // Processes of other users cannot be read, and a process can end in the meantime.
  const reading = readFile(`/proc/${id}/environ`)
    .catch(() => undefined)
    .finally(() => {
      reads.delete(id);
      blocked.delete(id);
    });
  reads.set(id, reading);
  return reading;
}

/** @param id a possible id of a process or thread; the id may be unused */
function isMarked(id: number, accepts: Selection['accepts']): boolean {
  const marker = markerIn(environmentOf(id));
  return marker !== undefined && accepts(marker);
}

let buffer = Buffer.alloc(64 * 1024);

/**
 * Returns the environment of a process; empty if it cannot be read. The result is valid until the next call. The read
 * is synchronous, because an asynchronous read takes much longer.
 */
function environmentOf(id: number): Buffer {
  const path = `/proc/${id}/environ`;
  // Opening a missing file throws an error, which takes much longer than this test. Most tested ids belong to ended
  // processes.
  if (!existsSync(path)) return buffer.subarray(0, 0);
  let length = 0;
  let file: number | undefined;
  try {
    // Processes of other users cannot be read, and a process can end in the meantime.
    file = openSync(path, 'r');
    for (;;) {
      const room = buffer.length - length;
      const bytes = readSync(file, buffer, length, room, null);
      length += bytes;
      if (bytes < room) break;
      buffer = Buffer.concat([buffer], 2 * buffer.length);
    }
  } catch {
    length = 0;
  } finally {
    if (file !== undefined) closeSync(file);
  }
  return buffer.subarray(0, length);
}

const ASSIGNMENT = `${MARKER}=`;

function markerIn(environment: Buffer): string | undefined {
  let start = environment.indexOf(ASSIGNMENT);
  while (start > 0 && environment[start - 1] !== 0) start = environment.indexOf(ASSIGNMENT, start + 1);
  if (start === -1) return undefined;
  const end = environment.indexOf(0, start);
  return environment.toString('latin1', start + ASSIGNMENT.length, end === -1 ? undefined : end);
}

/** Returns the id of the process to which a thread belongs; empty if the thread has ended. */
function processOf(thread: number): number[] {
  const id = /^Tgid:\s*(\d+)$/m.exec(textOf(`/proc/${thread}/status`))?.[1];
  return id === undefined ? [] : [Number(id)];
}

let hasOwnLoadavg: boolean | undefined;
let hasOwnStat: boolean | undefined;
let hasShortCycle: boolean | undefined;

function idAllocation(): ReturnType<typeof parseIdAllocation> {
  hasOwnLoadavg ??= isOfKernel('/proc/loadavg');
  return hasOwnLoadavg ? parseIdAllocation(textOf('/proc/loadavg'), textOf('/proc/sys/kernel/pid_max')) : undefined;
}

/** Returns whether all ids can be allocated within MIN_CYCLE_MS. */
function isCycleShort(): boolean {
  if (hasShortCycle !== undefined) return hasShortCycle;
  const allocation = idAllocation();
  hasShortCycle = allocation !== undefined && cycleMs(allocation, coresOfMachine()) < MIN_CYCLE_MS;
  return hasShortCycle;
}

function created(): number | undefined {
  hasOwnStat ??= isOfKernel('/proc/stat');
  return hasOwnStat ? parseCreated(textOf('/proc/stat')) : undefined;
}

/**
 * Returns whether the kernel writes a file of /proc, so that the file describes this process's pid namespace or the
 * machine. In LXC containers, another file system can be mounted over the file.
 */
function isOfKernel(path: string): boolean {
  try {
    return statSync(path).dev === statSync('/proc').dev;
  } catch {
    return false;
  }
}

let cores: number | undefined;

function coresOfMachine(): number {
  cores ??= cpus().length;
  return cores;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/**
 * Sends a signal to the selected processes.
 * @returns the number of selected processes
 */
export async function signalMarked(selection: Selection, signal: NodeJS.Signals): Promise<number> {
  const pids = await markedProcesses(selection);
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // The process has already ended.
    }
  }
  return pids.length;
}

/**
 * Sends SIGTERM to the selected processes. After the grace period, sends SIGKILL to those that still run.
 * @returns the number of processes that were found before SIGTERM was sent
 */
export async function endMarked(selection: Selection, graceMs: number): Promise<number> {
  const found = await signalMarked(selection, 'SIGTERM');
  if (found === 0) return 0;
  for (let waited = 0; waited < graceMs; waited += POLL_MS) {
    await sleep(POLL_MS);
    if ((await markedProcesses(selection)).length === 0) return found;
  }
  for (let kills = 0; kills < MAX_KILLS && (await signalMarked(selection, 'SIGKILL')) > 0; kills++)
    await sleep(POLL_MS);
  return found;
}
