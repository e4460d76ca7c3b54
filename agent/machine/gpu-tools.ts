/** Parses the output of nvidia-smi, rocm-smi and amd-smi, the programs of the GPU drivers. */

/** A GPU that a program can use: a whole card, or one instance of a card in MIG mode. */
export interface Gpu {
  readonly vendor: 'nvidia' | 'amd';
  /** The index that the driver's program assigns to the card. */
  readonly index: number;
  readonly name: string;
  readonly memoryBytes: number;
  /** The UUID of the card or of the instance. Undefined if the driver reports none. */
  readonly uuid?: string | undefined;
  /** The UUID of the card. Set only for an instance of a card in MIG mode. */
  readonly migCard?: string;
}

/** The cards that one driver reports. */
export interface GpuListing {
  readonly gpus: readonly Gpu[];
  /** The cards that cannot be used, each with the reason. */
  readonly broken: readonly { readonly index: number; readonly reason: string }[];
}

const MIB = 2 ** 20;

/**
 * Parses the lines `index, name, total MiB` of nvidia-smi. A card is broken if its line contains an error instead of
 * the size of its memory. Lines in other formats are skipped.
 */
export function parseNvidiaCards(text: string): GpuListing {
  const gpus: Gpu[] = [];
  const broken: { index: number; reason: string }[] = [];
  for (const line of text.split('\n')) {
    const [, index, name, memory] = /^\s*(\d+), (.+), ([^,]+?)\s*$/.exec(line) ?? [];
    if (index === undefined || name === undefined || memory === undefined) continue;
    const card = { vendor: 'nvidia', index: Number(index), name } as const;
    if (/^\d+$/.test(memory)) gpus.push({ ...card, memoryBytes: Number(memory) * MIB });
    else broken.push({ index: card.index, reason: `nvidia-smi reports ${memory}` });
  }
  return { gpus, broken };
}

/** Returns the first line in which nvidia-smi reports an error; undefined if no line reports an error. */
export function nvidiaError(text: string): string | undefined {
  const error =
    /(?:NVIDIA-SMI has failed|Failed to initialize NVML|Unable to determine|GPU is lost|Insufficient Permissions)/i;
  return text
    .split('\n')
    .map((line) => line.trim())
    .find((line) => error.test(line) && !/^\d+, /.test(line));
}

/** The UUIDs of a card and of its MIG instances. */
export interface NvidiaIds {
  readonly index: number;
  readonly uuid: string;
  readonly instances: readonly { readonly profile: string; readonly uuid: string }[];
}

/**
 * Parses the output of `nvidia-smi -L`. Drivers before R470 print the UUIDs of MIG instances as `MIG-GPU-UUID/GI/CI`.
 */
export function parseNvidiaIds(text: string): readonly NvidiaIds[] {
  const cards: (NvidiaIds & { instances: { profile: string; uuid: string }[] })[] = [];
  for (const line of text.split('\n')) {
    const [, index, uuid] = /^GPU (\d+): .*\(UUID: (GPU-[0-9a-f-]+)\)\s*$/.exec(line) ?? [];
    if (index !== undefined && uuid !== undefined) cards.push({ index: Number(index), uuid, instances: [] });
    const [, profile, instance] = /^\s+MIG (\S+)\s+Device\s+\d+: \(UUID: (MIG-[\w/-]+)\)\s*$/.exec(line) ?? [];
    if (profile !== undefined && instance !== undefined) cards.at(-1)?.instances.push({ profile, uuid: instance });
  }
  return cards;
}

/** Parses the lines `index, UUID` of nvidia-smi. All other lines are skipped. */
export function parseNvidiaUuids(text: string): readonly NvidiaIds[] {
  return text.split('\n').flatMap((line) => {
    const [, index, uuid] = /^\s*(\d+), (GPU-[0-9a-f-]+)\s*$/.exec(line) ?? [];
    return index === undefined || uuid === undefined ? [] : [{ index: Number(index), uuid, instances: [] }];
  });
}

/** Adds UUIDs to the GPUs, and replaces a card in MIG mode with its instances. */
export function withIds(cards: readonly Gpu[], ids: readonly NvidiaIds[]): readonly Gpu[] {
  return cards.flatMap((card): Gpu[] => {
    const found = ids.find(({ index }) => index === card.index);
    if (found === undefined || found.instances.length === 0) return [{ ...card, uuid: found?.uuid }];
    return found.instances.map(({ profile, uuid }) => {
      const memoryBytes = Math.min(card.memoryBytes, profileBytes(profile) ?? card.memoryBytes);
      return { ...card, name: `${card.name} MIG ${profile}`, memoryBytes, uuid, migCard: found.uuid };
    });
  });
}

/**
 * Returns the memory of a MIG instance in bytes, as its profile states it. For example, `1c.3g.20gb` states 20 GB, and
 * `1g.10gb+me` states 10 GB. The number is read as decimal gigabytes, so the result is slightly too low.
 */
function profileBytes(profile: string): number | undefined {
  const gigabytes = /(\d+)gb/.exec(profile)?.[1];
  return gigabytes === undefined ? undefined : Number(gigabytes) * 1e9;
}

/**
 * Parses the output of `rocm-smi --showproductname --showuniqueid --showmeminfo vram --json`. Returns no GPUs if the
 * text has another format.
 */
export function parseRocmSmi(text: string): GpuListing {
  const gpus: Gpu[] = [];
  const broken: { index: number; reason: string }[] = [];
  for (const [card, facts] of Object.entries(objectIn(text))) {
    const index = /^card(\d+)$/.exec(card)?.[1];
    if (index === undefined || typeof facts !== 'object' || facts === null) continue;
    const values = new Map(Object.entries(facts).map(([name, value]) => [name.toLowerCase(), `${value}`]));
    const memoryBytes = Number(values.get('vram total memory (b)'));
    const name = values.get('card series') ?? values.get('device name') ?? 'AMD GPU';
    if (memoryBytes > 0) gpus.push(amdGpu(Number(index), name, memoryBytes, values.get('unique id')));
    else broken.push({ index: Number(index), reason: 'rocm-smi reports no memory' });
  }
  return { gpus: gpus.sort((a, b) => a.index - b.index), broken };
}

/** Parses the output of `amd-smi static --asic --vram --json`. Returns no GPUs if the text has another format. */
export function parseAmdSmi(text: string): GpuListing {
  const found = jsonIn(text);
  const list: unknown = Array.isArray(found) ? found : objectIn(text).gpu_data;
  const gpus: Gpu[] = [];
  const broken: { index: number; reason: string }[] = [];
  for (const entry of Array.isArray(list) ? list : []) {
    const index: unknown = entry?.gpu;
    if (typeof index !== 'number') continue;
    const size = Number(entry.vram?.size?.value ?? entry.vram?.size);
    if (!(size > 0)) broken.push({ index, reason: 'amd-smi reports no memory' });
    else gpus.push(amdGpu(index, `${entry.asic?.market_name ?? 'AMD GPU'}`, size * MIB, `${entry.asic?.asic_serial}`));
  }
  return { gpus, broken };
}

/** @param uniqueId the 64-bit number from which ROCm derives the UUID */
function amdGpu(index: number, name: string, memoryBytes: number, uniqueId: string | undefined): Gpu {
  const id = /^0x([0-9a-f]+)$/i.exec(uniqueId ?? '')?.[1];
  const uuid = id === undefined ? undefined : `GPU-${id.toLowerCase().padStart(16, '0')}`;
  return { vendor: 'amd', index, name, memoryBytes, uuid };
}

function jsonIn(text: string): unknown {
  // The programs can print warnings before the JSON text.
  const start = text.search(/^[[{]/m);
  try {
    return JSON.parse(text.slice(Math.max(0, start)));
  } catch {
    return undefined;
  }
}

function objectIn(text: string): Record<string, unknown> {
  const found = jsonIn(text);
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? { ...found } : {};
}
