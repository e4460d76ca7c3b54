/**
 * Determines which GPUs the environment lets a program use, by the rules of CUDA and ROCm:
 * https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/environment-variables.html and
 * https://rocm.docs.amd.com/en/latest/reference/env-variables.html
 */
import type { Gpu } from './gpu-tools.ts';

/** A GPU, and the name that programs use for the GPU. */
export interface VisibleGpu extends Gpu {
  /** The entry that selects this GPU in CUDA_VISIBLE_DEVICES or HIP_VISIBLE_DEVICES. */
  readonly id: string;
}

export interface VisibleGpus {
  /**
   * The visible GPUs. If CUDA_VISIBLE_DEVICES or its equivalent for AMD is set, they are in the order of its entries.
   */
  readonly gpus: readonly VisibleGpu[];
  /** The reasons why GPUs are not used, and other notes about the environment variables. Each entry is one sentence. */
  readonly notes: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Returns the visible GPUs.
 * @param gpus all GPUs of one vendor
 */
export function visibleGpus(gpus: readonly Gpu[], env: Env): VisibleGpus {
  const visible = gpus[0]?.vendor === 'amd' ? visibleToHip(gpus, env) : visibleToCuda(gpus, env);
  const notes = [...visible.notes, ...slurmNotes(visible.gpus.length, env)];
  return { gpus: visible.gpus, notes };
}

interface Selection {
  readonly gpus: readonly Gpu[];
  readonly notes: readonly string[];
}

function visibleToCuda(gpus: readonly Gpu[], env: Env): VisibleGpus {
  const container = ofContainer(gpus, env);
  const list = env.CUDA_VISIBLE_DEVICES;
  const chosen = list === undefined ? { gpus: container.gpus, notes: [] } : selectForCuda(list, container.gpus);
  const notes = [...container.notes, ...chosen.notes, ...orderNotes(list, container.gpus, env)];
  const byUuid = needsUuids(gpus);
  return { gpus: chosen.gpus.map((gpu) => ({ ...gpu, id: (byUuid ? gpu.uuid : undefined) ?? `${gpu.index}` })), notes };
}

/**
 * Whether programs must select GPUs by UUID. On a machine with MIG instances or a broken card, CUDA can number the
 * cards differently from nvidia-smi.
 */
function needsUuids(gpus: readonly Gpu[]): boolean {
  const cards = new Set(gpus.map(({ index }) => index));
  return gpus.some(({ index, migCard }) => migCard !== undefined || index >= cards.size);
}

/**
 * Applies CUDA_VISIBLE_DEVICES by the rules of CUDA. An entry is an index, a unique prefix of a UUID, or a MIG
 * instance. All entries of a list must have the form of its first entry. The first invalid entry ends the list. If a
 * GPU is listed twice, no GPU is visible. The index or UUID of a card in MIG mode refers to the card's first instance.
 */
function selectForCuda(list: string, gpus: readonly Gpu[]): Selection {
  const entries = entriesOf(list);
  const form = formOf(entries[0]);
  const selected: Gpu[] = [];
  for (const [at, entry] of entries.entries()) {
    const found = formOf(entry) === form ? cudaMatch(entry, gpus) : undefined;
    if (found === undefined) return { gpus: selected, notes: [endOfList('CUDA_VISIBLE_DEVICES', entries, at)] };
    if (selected.some(({ index, uuid }) => index === found.index && uuid === found.uuid)) {
      return { gpus: [], notes: [`CUDA_VISIBLE_DEVICES names a GPU twice (${entry}), so CUDA finds no GPU`] };
    }
    selected.push(found);
  }
  return { gpus: selected, notes: restriction('CUDA_VISIBLE_DEVICES', list, selected, gpus) };
}

/** Returns the form of an entry: `GPU-` or `MIG-` for a UUID, and an empty text for an index. */
function formOf(entry = ''): string {
  return /^(?:GPU-|MIG-)/.exec(entry)?.[0] ?? '';
}

function restriction(variable: string, list: string, selected: readonly Gpu[], gpus: readonly Gpu[]): string[] {
  if (selected.length >= gpus.length) return [];
  return [`${variable}=${list} makes ${selected.length} of ${gpus.length} GPUs visible`];
}

function cudaMatch(entry: string, gpus: readonly Gpu[]): Gpu | undefined {
  const matching = gpus.filter((gpu) => isNamedBy(entry, gpu));
  const [first] = matching;
  if (entry.startsWith('MIG-')) return matching.length === 1 ? first : olderMigName(entry, gpus);
  return matching.every(({ index }) => index === first?.index) ? first : undefined;
}

/**
 * Returns the MIG instance that an older name of the form `MIG-GPU-UUID/GI/CI` refers to. Newer drivers accept such
 * names, but do not list them. The profile of the instance is therefore unknown, and the instance is assumed to have as
 * much memory as the card's smallest instance.
 */
function olderMigName(entry: string, gpus: readonly Gpu[]): Gpu | undefined {
  const [, card, instance] = /^MIG-(GPU-[0-9a-f-]+)\/(\d+\/\d+)$/.exec(entry) ?? [];
  const instances = gpus.filter(({ migCard }) => migCard !== undefined && migCard === card);
  const [first] = instances;
  if (first === undefined || instances.some(({ uuid }) => uuid?.startsWith('MIG-GPU-'))) return undefined;
  const name = first.name.replace(/ MIG .*$/, ` MIG ${instance}`);
  return { ...first, name, uuid: entry, memoryBytes: Math.min(...instances.map(({ memoryBytes }) => memoryBytes)) };
}

function isNamedBy(entry: string, { index, uuid, migCard }: Gpu): boolean {
  if (entry.startsWith('MIG-GPU-')) return uuid === entry;
  if (entry.startsWith('MIG-')) return uuid?.startsWith(entry) === true;
  if (entry.startsWith('GPU-')) return (migCard ?? uuid)?.startsWith(entry) === true;
  return /^\d+$/.test(entry) && index === Number(entry);
}

function entriesOf(list: string): readonly string[] {
  return list.split(',').map((entry) => entry.trim());
}

/** Returns a note about the entry that ends a list. An empty list and `-1` are not errors: they hide all GPUs. */
function endOfList(variable: string, entries: readonly string[], at: number): string {
  const entry = entries[at] ?? '';
  if (at === 0 && (entry === '' || entry === '-1')) return `${variable}=${entry} makes no GPU visible`;
  const rest = entries.length - at - 1;
  const ignored = rest === 0 ? '' : `; the entries after it are ignored (${rest})`;
  return `${variable}: ${JSON.stringify(entry)} names no usable GPU${ignored}`;
}

/**
 * Applies NVIDIA_VISIBLE_DEVICES if it names fewer cards than the machine has. Otherwise NVIDIA's container runtime has
 * already applied the variable and renumbered the GPUs. If GPUs are injected through CDI, the value is `void`, which
 * restricts nothing.
 */
function ofContainer(gpus: readonly Gpu[], env: Env): Selection {
  const list = env.NVIDIA_VISIBLE_DEVICES?.trim();
  if (list === 'none') return { gpus: [], notes: ['NVIDIA_VISIBLE_DEVICES=none makes no GPU visible'] };
  const entries = entriesOf(list ?? '');
  const cards = new Set(gpus.map(({ index }) => index)).size;
  const isApplied = cards <= entries.length || !entries.every((entry) => gpus.some((gpu) => isNamedBy(entry, gpu)));
  if (isApplied) return { gpus, notes: [] };
  const named = gpus.filter((gpu) => entries.some((entry) => isNamedBy(entry, gpu)));
  return { gpus: named, notes: restriction('NVIDIA_VISIBLE_DEVICES', entries.join(','), named, gpus) };
}

function orderNotes(list: string | undefined, gpus: readonly Gpu[], env: Env): readonly string[] {
  const hasIndexes = list !== undefined && /^\s*\d/.test(list);
  const models = new Set(gpus.map(({ name }) => name));
  if (env.CUDA_DEVICE_ORDER !== 'FASTEST_FIRST' || !hasIndexes || models.size < 2) return [];
  return [
    'CUDA_DEVICE_ORDER=FASTEST_FIRST is ignored: the indexes in CUDA_VISIBLE_DEVICES are those of nvidia-smi (PCI_BUS_ID); ' +
      'use UUIDs, which do not depend on the order',
  ];
}

/**
 * Applies ROCR_VISIBLE_DEVICES, and then HIP_VISIBLE_DEVICES (or else CUDA_VISIBLE_DEVICES, or else
 * GPU_DEVICE_ORDINAL). An index in the second variable is a position among the GPUs that ROCR_VISIBLE_DEVICES makes
 * visible. The returned ids are also such positions, because programs inherit ROCR_VISIBLE_DEVICES.
 */
function visibleToHip(gpus: readonly Gpu[], env: Env): VisibleGpus {
  const runtime = selectForRocm('ROCR_VISIBLE_DEVICES', env.ROCR_VISIBLE_DEVICES, gpus);
  const left = runtime.gpus.map((gpu, at) => ({ ...gpu, index: at }));
  const variable = ['HIP_VISIBLE_DEVICES', 'CUDA_VISIBLE_DEVICES', 'GPU_DEVICE_ORDINAL'].find(
    (name) => env[name] !== undefined,
  );
  const chosen = variable === undefined ? { gpus: left, notes: [] } : selectForRocm(variable, env[variable], left);
  const visible = chosen.gpus.flatMap(({ index: at }) => {
    const gpu = runtime.gpus[at];
    return gpu === undefined ? [] : [{ ...gpu, id: `${at}` }];
  });
  return { gpus: visible, notes: [...runtime.notes, ...chosen.notes] };
}

/**
 * Applies one variable by the rules of ROCm. Each entry is an index or a UUID, and a list can contain both forms. The
 * list ends before the first entry that is invalid or repeats a GPU.
 */
function selectForRocm(variable: string, list: string | undefined, gpus: readonly Gpu[]): Selection {
  if (list === undefined) return { gpus, notes: [] };
  const entries = entriesOf(list);
  const selected: Gpu[] = [];
  for (const [at, entry] of entries.entries()) {
    const isUuid = entry.startsWith('GPU-');
    const found = gpus.find((gpu) =>
      isUuid ? gpu.uuid?.toLowerCase() === entry.toLowerCase() : /^\d+$/.test(entry) && gpu.index === Number(entry),
    );
    if (found === undefined || selected.includes(found)) {
      return { gpus: selected, notes: [endOfList(variable, entries, at)] };
    }
    selected.push(found);
  }
  return { gpus: selected, notes: restriction(variable, list, selected, gpus) };
}

/**
 * Returns a note on the GPUs that Slurm allocated to the job. Slurm restricts its jobs with CUDA_VISIBLE_DEVICES or
 * with cgroups. The variables of Slurm itself restrict nothing.
 */
function slurmNotes(visible: number, env: Env): readonly string[] {
  const allocated = env.SLURM_STEP_GPUS ?? env.SLURM_JOB_GPUS;
  if (allocated === undefined || allocated === '') return [];
  const count = allocated.split(',').reduce((sum, part) => sum + sizeOfRange(part), 0);
  const note = `Slurm allocated the GPUs ${allocated} of this node`;
  return [visible > count ? `${note}, but ${visible} are visible: other jobs can use the rest` : note];
}

function sizeOfRange(text: string): number {
  const [, from, to] = /^(\d+)-(\d+)$/.exec(text.trim()) ?? [];
  return from === undefined || to === undefined ? 1 : Math.max(1, Number(to) - Number(from) + 1);
}

/**
 * Returns the variables that restrict a program to the given GPUs. An empty list hides all GPUs of the machine.
 * @param vendor the vendor of the machine's GPUs; undefined if the machine has no usable GPU
 */
export function gpuEnvironment(vendor: Gpu['vendor'] | undefined, gpus: readonly VisibleGpu[]): Record<string, string> {
  const ids = gpus.map(({ id }) => id).join(',');
  switch (vendor) {
    case undefined:
      return {};
    case 'nvidia':
      return { CUDA_DEVICE_ORDER: 'PCI_BUS_ID', CUDA_VISIBLE_DEVICES: ids };
    case 'amd': {
      // HIP reads the first of these variables that is set and not empty. Other libraries read the variables in other
      // orders, so all of them are set.
      const list = ids || '-1';
      return { HIP_VISIBLE_DEVICES: list, CUDA_VISIBLE_DEVICES: list, GPU_DEVICE_ORDINAL: list };
    }
  }
}
