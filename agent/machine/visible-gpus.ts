/** The GPUs that the environment lets a program use, by the rules of CUDA_VISIBLE_DEVICES. */

export interface GpuId {
  readonly index: number;
  /** Undefined if the driver does not report it. */
  readonly uuid?: string | undefined;
}

/**
 * Returns the indexes that `list` (the value of CUDA_VISIBLE_DEVICES) makes visible, in its order. Undefined makes all
 * visible. As in CUDA, an entry is an index or the unique prefix of a UUID, all entries have the form of the first one, the
 * first invalid entry ends the list, and a GPU that is listed twice makes none visible.
 */
export function visibleIndexes(list: string | undefined, gpus: readonly GpuId[]): readonly number[] {
  if (list === undefined) return gpus.map(({ index }) => index);
  const entries = list.split(',').map((entry) => entry.trim());
  const byUuid = entries[0]?.startsWith('GPU-') === true;
  const visible: number[] = [];
  for (const entry of entries) {
    const matches = gpus.filter(({ index, uuid }) =>
      byUuid ? entry.startsWith('GPU-') && uuid?.startsWith(entry) : /^\d+$/.test(entry) && index === Number(entry),
    );
    const [match] = matches;
    if (match === undefined || matches.length > 1) break;
    if (visible.includes(match.index)) return [];
    visible.push(match.index);
  }
  return visible;
}

/** Parses the lines `index, UUID` of nvidia-smi. Skips other lines. */
export function parseGpuIds(text: string): readonly GpuId[] {
  return text.split('\n').flatMap((line) => {
    const [, index, uuid] = /^\s*(\d+), (GPU-[0-9a-f-]+)\s*$/.exec(line) ?? [];
    return index === undefined ? [] : [{ index: Number(index), uuid }];
  });
}
