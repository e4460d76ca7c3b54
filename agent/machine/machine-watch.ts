/** Measures the CPU use, the memory and the disk of the machine. */
import { cpus } from 'node:os';
import { type DiskSpace, watchDiskSpace } from '../../lib/files/disk-space.ts';
import type { MachineFigures } from '../../proto/gen/trawl/v1/types.ts';
import { machineMemoryBytes } from './memory.ts';

/** The idle time and the total time since the machine started, in milliseconds, each summed over all cores. */
export interface CpuTimes {
  readonly idle: number;
  readonly total: number;
}

/**
 * Returns how busy the cores were between two measurements, from 0 (all idle) to 1 (all busy). Undefined if no time
 * passed.
 */
export function busyShare(before: CpuTimes, after: CpuTimes): number | undefined {
  const total = after.total - before.total;
  if (total <= 0) return undefined;
  return Math.min(1, Math.max(0, 1 - (after.idle - before.idle) / total));
}

function cpuTimes(): CpuTimes {
  let idle = 0;
  let total = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    total += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return { idle, total };
}

/** The minimum time over which the CPU use is measured. A shorter time would mainly measure the agent's own work. */
const MIN_PERIOD_MS = 1_000;

export class MachineWatch {
  readonly #stopDisk: () => void;
  #times = cpuTimes();
  #measuredAt = performance.now();
  #cpu: number | undefined;
  #disk: DiskSpace | undefined;

  /** @param dir a folder on the disk that is measured */
  constructor(dir: string) {
    this.#stopDisk = watchDiskSpace(dir, (space) => {
      this.#disk = space;
    });
  }

  /**
   * Returns the current measurements. The CPU use is measured at most once per second, over the time since the previous
   * measurement.
   */
  figures(): MachineFigures {
    const now = performance.now();
    if (now - this.#measuredAt >= MIN_PERIOD_MS) {
      const times = cpuTimes();
      this.#cpu = busyShare(this.#times, times) ?? this.#cpu;
      this.#times = times;
      this.#measuredAt = now;
    }
    const memoryTotalBytes = machineMemoryBytes();
    return {
      cpu: this.#cpu,
      memoryTotalBytes,
      memoryUsedBytes: Math.max(0, memoryTotalBytes - process.availableMemory()),
      diskFreeBytes: this.#disk?.free,
      diskTotalBytes: this.#disk?.size,
    };
  }

  stop(): void {
    this.#stopDisk();
  }
}
