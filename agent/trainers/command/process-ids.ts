/**
 * Limits the search for a program's processes to the ids that these processes can have.
 *
 * Linux gives each new process and thread the next free id of its pid namespace. After the largest id, Linux continues
 * with the smallest ids. Processes that started after a program therefore have ids between the program's id and the
 * newest id, unless the ids have restarted at the smallest ids in the meantime. A restart of the ids is certain if the
 * newest id is smaller than an earlier newest id. The newest id does not show whether the ids have gone through a
 * complete cycle. But a complete cycle takes a minimum time. If the newest id is read at a shorter interval, there was no
 * complete cycle. If the interval is longer, a small number of processes and threads that the machine has created since
 * the start of the program can show that there was no complete cycle. A process in a nested pid namespace also has an id
 * in the outer namespace, and this id follows the same rule. Only a process with the privilege to choose ids, such as
 * CRIU, can break the rule.
 */

/**
 * The maximum number of ids that one core can allocate per millisecond. A core needs more than 5 microseconds to create
 * a process or a thread, even if the creation fails after the id was allocated, for example because of a limit.
 */
const MAX_IDS_PER_CORE_MS = 200;

/**
 * When the ids restart at the smallest ids, Linux skips the first ids, which are reserved for processes that start at
 * boot.
 */
const RESERVED_IDS = 300;

/** A snapshot of the allocation of process ids in this process's pid namespace. */
export interface IdAllocation {
  /** The id of the newest process or thread. It may have ended. */
  readonly newest: number;
  /** The number of processes and threads on the machine, in all pid namespaces. */
  readonly threads: number;
  /** All ids are less than this number. */
  readonly limit: number;
}

/**
 * Parses /proc/stat.
 * @returns the number of processes and threads that the machine has created since its boot, in all pid namespaces;
 * undefined if the file does not contain it
 */
export function parseCreated(stat: string): number | undefined {
  const created = Number(/^processes (\d+)$/m.exec(stat)?.[1]);
  return created > 0 ? created : undefined;
}

/**
 * Parses /proc/loadavg and /proc/sys/kernel/pid_max.
 * @returns undefined if the files do not contain plausible numbers (gVisor reports zeros)
 */
export function parseIdAllocation(loadavg: string, pidMax: string): IdAllocation | undefined {
  const [, threads, newest] = /^\S+ \S+ \S+ \d+\/(\d+) (\d+)\s*$/.exec(loadavg) ?? [];
  const limit = Number(/^(\d+)\s*$/.exec(pidMax)?.[1]);
  const allocation = { newest: Number(newest), threads: Number(threads), limit };
  const isPlausible = allocation.threads > 0 && allocation.newest > 0 && allocation.newest < limit;
  return isPlausible ? allocation : undefined;
}

/** The number of created processes and threads is used only if the newest id was read at most this long ago. */
const MAX_COUNTED_MS = 1_000;

export interface EarlierId {
  /** An id that was the newest id at an earlier time. */
  readonly id: number;
  /** The time since that earlier time, in milliseconds. */
  readonly elapsedMs: number;
  /** The number of cores of the machine. */
  readonly cores: number;
  /** The number of created processes and threads (see `parseCreated`) at that earlier time, or before it. */
  readonly created?: number | undefined;
}

/**
 * Returns the newest id if all ids that were allocated after the earlier id are between the earlier id and the newest
 * id. Returns undefined if the allocation is unknown, or if the ids may have restarted at the smallest ids in the
 * meantime. In the latter case, newer processes can have ids below the earlier id.
 * @param createdNow returns the current number of created processes and threads (see `parseCreated`); called only if
 * the elapsed time alone does not exclude a complete cycle of the ids
 */
export function newestIdSince(
  earlier: EarlierId,
  allocation: IdAllocation | undefined,
  createdNow: () => number | undefined,
): number | undefined {
  if (allocation === undefined || allocation.newest < earlier.id) return undefined;
  const isShorterThanCycle = earlier.elapsedMs < cycleMs(allocation, earlier.cores);
  return isShorterThanCycle || areFewCreated(earlier, allocation, createdNow) ? allocation.newest : undefined;
}

/** Returns the minimum time in which all free ids can be allocated once, in milliseconds. */
export function cycleMs(allocation: IdAllocation, cores: number): number {
  return freeIds(allocation) / (cores * MAX_IDS_PER_CORE_MS);
}

/**
 * Returns the number of ids that are certainly free. The id of an ended process stays in use while a process group or a
 * session has this id, so more ids than threads can be in use.
 */
function freeIds({ threads, limit }: IdAllocation): number {
  return limit - RESERVED_IDS - 2 * threads;
}

/**
 * Returns whether fewer than half of the free ids were allocated to new processes and threads. The other half is for
 * creations that fail after the allocation of their id, which Linux does not count. By default, Linux has 32,768 ids, so
 * there would have to be about 15,000 such failures within MAX_COUNTED_MS to use this half.
 */
function areFewCreated(
  { elapsedMs, created }: EarlierId,
  allocation: IdAllocation,
  createdNow: () => number | undefined,
): boolean {
  const now = created === undefined || elapsedMs > MAX_COUNTED_MS ? undefined : createdNow();
  return now !== undefined && created !== undefined && now >= created && now - created < freeIds(allocation) / 2;
}
