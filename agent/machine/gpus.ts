/** The GPUs of this machine, as NVIDIA's own tool lists them. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A driver that is stuck can hang nvidia-smi for minutes; no machine with working GPUs takes this long. */
const LIST_MS = 10_000;

export interface Gpu {
  /** As nvidia-smi and, with CUDA_DEVICE_ORDER=PCI_BUS_ID, CUDA_VISIBLE_DEVICES count them. */
  readonly index: number;
  readonly name: string;
  readonly memoryBytes: number;
}

/** None where there is no driver, no GPU, or no answer. */
export async function listGpus(): Promise<readonly Gpu[]> {
  try {
    const query = ['--query-gpu=index,name,memory.total', '--format=csv,noheader,nounits'];
    return parseGpus((await run('nvidia-smi', query, { timeout: LIST_MS })).stdout);
  } catch {
    return [];
  }
}

export interface GpuMemory {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Of the GPU that this process sees first; undefined where nvidia-smi does not tell. */
export async function gpuMemory(): Promise<GpuMemory | undefined> {
  const [visible] = (process.env.CUDA_VISIBLE_DEVICES ?? '0').split(',');
  try {
    const query = [`--id=${visible}`, '--query-gpu=memory.free,memory.total', '--format=csv,noheader,nounits'];
    return parseMemory((await run('nvidia-smi', query, { timeout: LIST_MS })).stdout);
  } catch {
    return undefined;
  }
}

/** Reads nvidia-smi's line `MiB free, MiB in all`. */
export function parseMemory(text: string): GpuMemory | undefined {
  const [, free, total] = /^\s*(\d+), (\d+)\s*$/.exec(text) ?? [];
  if (free === undefined || total === undefined) return undefined;
  return { freeBytes: Number(free) * 2 ** 20, totalBytes: Number(total) * 2 ** 20 };
}

/** Reads nvidia-smi's lines `index, name, MiB`; lines of another form (warnings, "No devices were found") are no GPUs. */
export function parseGpus(text: string): readonly Gpu[] {
  return text.split('\n').flatMap((line) => {
    const [, index, name, mebibytes] = /^\s*(\d+), (.+), (\d+)\s*$/.exec(line) ?? [];
    if (index === undefined || name === undefined || mebibytes === undefined) return [];
    return [{ index: Number(index), name, memoryBytes: Number(mebibytes) * 2 ** 20 }];
  });
}
