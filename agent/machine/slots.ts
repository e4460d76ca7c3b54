/**
 * Divides a machine among the slots of an agent: determines the number of slots, and the GPUs, threads and pack size of
 * each slot.
 */
import { slotGpuIndexes } from '../../lib/domain/slot-gpus.ts';
import { formatSize } from '../../lib/text/size.ts';
import { BadInputError, RejectedError } from '../../proto/errors.ts';
import { MAX_SLOTS } from '../../proto/limits.ts';
import type { BackendName } from './backend.ts';
import type { VisibleGpu } from './visible-gpus.ts';

export interface SlotCountOptions {
  /** The value of `--slots`. Undefined if `slotsPerGpu` or the machine determines the number of slots. */
  readonly slots: number | undefined;
  /**
   * The value of `--slots-per-gpu`. If neither option is given, there is one slot per GPU, or one per core on a machine
   * without GPUs.
   */
  readonly slotsPerGpu: number | undefined;
}

/**
 * Returns the requested number of slots. By default, returns one slot per GPU, or one per core on a machine without
 * GPUs.
 * @throws {BadInputError} when both options are given, or when `slotsPerGpu` results in more than MAX_SLOTS slots
 * @throws {RejectedError} when slots per GPU are requested on a machine without GPUs
 */
export function slotCount({ slots, slotsPerGpu }: SlotCountOptions, gpus: number, cores: number): number {
  if (slotsPerGpu === undefined) return slots ?? (gpus || cores);
  if (slots !== undefined) throw new BadInputError('--slots and --slots-per-gpu cannot be combined');
  if (gpus === 0) {
    throw new RejectedError(
      '--slots-per-gpu needs a GPU, and nvidia-smi lists none; use --slots on a machine without GPUs',
    );
  }
  const total = gpus * slotsPerGpu;
  if (total <= MAX_SLOTS) return total;
  throw new BadInputError(
    `--slots-per-gpu ${slotsPerGpu} gives ${total} slots on ${gpus} GPUs: expected up to ${MAX_SLOTS}`,
  );
}

/** The minimum memory of a slot's process, in bytes. */
const MIN_SLOT_BYTES = 64 * 2 ** 20;

/**
 * @throws {BadInputError} if the processes of the requested slots need more memory than the machine has
 * @param slots the requested number of slots; undefined if no number is requested
 */
export function requireFittingSlots(slots: number | undefined, memoryBytes: number): void {
  const most = Math.max(1, Math.floor(memoryBytes / MIN_SLOT_BYTES));
  if (slots === undefined || slots <= most) return;
  throw new BadInputError(
    `${slots} slots need at least ${formatSize(slots * MIN_SLOT_BYTES)} of memory, and this machine has ` +
      `${formatSize(memoryBytes)}: use up to ${most}`,
  );
}

/** The GPUs of one slot. */
export interface SlotGpus {
  /** The list is empty on a machine without GPUs. */
  readonly gpus: readonly VisibleGpu[];
  /** The number of slots that share each GPU of this slot, including this slot. */
  readonly sharedBy: number;
  /** The memory that the slot can use on each of its GPUs, in bytes; 0 without a GPU. */
  readonly vramBytes: number;
}

/**
 * Assigns GPUs to slots (see lib/domain/slot-gpus.ts), and divides the memory of each GPU among the slots that share
 * the GPU.
 */
export function slotGpus(gpus: readonly VisibleGpu[], slots: number): readonly SlotGpus[] {
  return Array.from({ length: slots }, (_, slot) => {
    if (gpus.length === 0) return { gpus: [], sharedBy: 1, vramBytes: 0 };
    const hasMig = gpus.some(({ migCard }) => migCard !== undefined);
    const indexes = slotGpuIndexes(slot, slots, gpus.length, hasMig);
    const [first = 0] = indexes;
    const own = indexes.flatMap((index) => gpus[index] ?? []);
    const sharedBy = slots <= gpus.length ? 1 : Math.ceil((slots - first) / gpus.length);
    const smallest = Math.min(...own.map(({ memoryBytes }) => memoryBytes));
    return { gpus: own, sharedBy, vramBytes: Math.floor(smallest / sharedBy) };
  });
}

/**
 * Returns the environment variables that limit the threads of a slot's process. Each slot gets `cores / slots` threads,
 * rounded down, but at least one. A slot runs at most as many operations in parallel as it has threads. A single
 * operation uses half of the threads, rounded up, because waking more threads for a small operation costs more time
 * than the threads save (bench/RESULTS.md). Variables that the user has set are not changed. Results do not depend on
 * the number of threads (see NATIVE_ENVIRONMENT in native-packages.ts).
 */
export function threadEnvironment(cores: number, slots: number, env: NodeJS.ProcessEnv): Record<string, string> {
  const threads = Math.max(1, Math.floor(cores / slots));
  const defaults = {
    TF_NUM_INTRAOP_THREADS: `${Math.ceil(threads / 2)}`,
    TF_NUM_INTEROP_THREADS: `${threads}`,
    OMP_NUM_THREADS: `${threads}`,
  };
  return Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, env[name] || value]));
}

/**
 * The value of `--pack`: a number of trials, or `auto` for the largest number that increases the throughput and fits
 * into memory.
 */
export type PackOption = number | 'auto';

/**
 * Returns the maximum number of trials that a worker trains together.
 * @param sharedBy the number of slots that share the worker's GPU
 * @param warn called with the reason if a pack size could not be measured
 */
export async function packSize(
  option: PackOption,
  backend: BackendName,
  sharedBy: number,
  warn: (message: string) => void,
): Promise<number> {
  if (option !== 'auto') return option;
  // On a CPU, a pack is no faster than single trials (docs/decisions/packs.md).
  if (backend !== 'tensorflow-gpu') return 1;
  const { fastestPackThatFits } = await import('../trainers/autoencoder/pack-size.ts');
  return fastestPackThatFits(sharedBy, warn);
}
