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

/** Memory that is free on the GPU that this process sees first; undefined where nvidia-smi does not tell. */
export async function freeGpuBytes(): Promise<number | undefined> {
  const [visible] = (process.env.CUDA_VISIBLE_DEVICES ?? '0').split(',');
  try {
    const query = [`--id=${visible}`, '--query-gpu=memory.free', '--format=csv,noheader,nounits'];
    const { stdout } = await run('nvidia-smi', query, { timeout: LIST_MS });
    const mebibytes = /^\s*(\d+)\s*$/.exec(stdout)?.[1];
    return mebibytes === undefined ? undefined : Number(mebibytes) * 2 ** 20;
  } catch {
    return undefined;
  }
}

/** Reads nvidia-smi's lines `index, name, MiB`; lines of another form (warnings, "No devices were found") are no GPUs. */
export function parseGpus(text: string): readonly Gpu[] {
  return text.split('\n').flatMap((line) => {
    const [, index, name, mebibytes] = /^\s*(\d+), (.+), (\d+)\s*$/.exec(line) ?? [];
    if (index === undefined || name === undefined || mebibytes === undefined) return [];
    return [{ index: Number(index), name, memoryBytes: Number(mebibytes) * 2 ** 20 }];
  });
}
