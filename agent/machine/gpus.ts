/** The GPUs of this machine and their current figures, from nvidia-smi. */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { parseGpuIds, visibleIndexes } from './visible-gpus.ts';

const run = promisify(execFile);

/** A stuck driver can block nvidia-smi for minutes. */
const NVIDIA_SMI_TIMEOUT_MS = 10_000;
const WATCH_INTERVAL_MS = 10_000;

export interface Gpu {
  /** The index that nvidia-smi uses, and CUDA_VISIBLE_DEVICES too when CUDA_DEVICE_ORDER is PCI_BUS_ID. */
  readonly index: number;
  readonly name: string;
  readonly memoryBytes: number;
}

/** Returns the GPUs that CUDA_VISIBLE_DEVICES makes visible, in its order; none when there is no driver or nvidia-smi does not answer. */
export async function listGpus(): Promise<readonly Gpu[]> {
  try {
    const query = ['--query-gpu=index,name,memory.total', '--format=csv,noheader,nounits'];
    const gpus = parseGpus((await run('nvidia-smi', query, { timeout: NVIDIA_SMI_TIMEOUT_MS })).stdout);
    const list = process.env.CUDA_VISIBLE_DEVICES;
    const ids = list?.includes('GPU-') ? await gpuIds() : gpus;
    return visibleIndexes(list, ids).flatMap((index) => gpus.filter((gpu) => gpu.index === index));
  } catch {
    return [];
  }
}

async function gpuIds() {
  const query = ['--query-gpu=index,uuid', '--format=csv,noheader,nounits'];
  return parseGpuIds((await run('nvidia-smi', query, { timeout: NVIDIA_SMI_TIMEOUT_MS })).stdout);
}

export interface GpuMemory {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Returns the memory of the first GPU that this process can use; undefined when nvidia-smi does not report it. */
export async function gpuMemory(): Promise<GpuMemory | undefined> {
  const [visible] = (process.env.CUDA_VISIBLE_DEVICES ?? '0').split(',');
  try {
    const query = [`--id=${visible}`, '--query-gpu=memory.free,memory.total', '--format=csv,noheader,nounits'];
    return parseMemory((await run('nvidia-smi', query, { timeout: NVIDIA_SMI_TIMEOUT_MS })).stdout);
  } catch {
    return undefined;
  }
}

/** The line is `free MiB, total MiB`. */
function parseMemory(text: string): GpuMemory | undefined {
  const [, free, total] = /^\s*(\d+), (\d+)\s*$/.exec(text) ?? [];
  if (free === undefined || total === undefined) return undefined;
  return { freeBytes: Number(free) * 2 ** 20, totalBytes: Number(total) * 2 ** 20 };
}

/** Parses the lines `index, name, total MiB` of nvidia-smi. Skips other lines (warnings, "No devices were found"). */
export function parseGpus(text: string): readonly Gpu[] {
  return text.split('\n').flatMap((line) => {
    const [, index, name, mebibytes] = /^\s*(\d+), (.+), (\d+)\s*$/.exec(line) ?? [];
    if (index === undefined || name === undefined || mebibytes === undefined) return [];
    return [{ index: Number(index), name, memoryBytes: Number(mebibytes) * 2 ** 20 }];
  });
}

/** The current figures of a GPU. Figures that the card or its driver does not report are undefined. */
export interface GpuFigures {
  readonly index: number;
  /** Share of the last sample period in which a kernel ran, 0 to 1. */
  readonly utilization: number | undefined;
  readonly memoryUsedBytes: number | undefined;
  readonly memoryTotalBytes: number | undefined;
  readonly temperatureCelsius: number | undefined;
  readonly powerWatts: number | undefined;
}

const FIGURES = 'index,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw';

/** Returns the figures of each GPU; none when there is no driver or nvidia-smi does not answer. */
async function gpuFigures(): Promise<readonly GpuFigures[]> {
  try {
    const query = [`--query-gpu=${FIGURES}`, '--format=csv,noheader,nounits'];
    return parseGpuFigures((await run('nvidia-smi', query, { timeout: NVIDIA_SMI_TIMEOUT_MS })).stdout);
  } catch {
    return [];
  }
}

/** Parses lines such as `0, 37, 1024, 81559, 41, 118.24`, in which a field can be `[N/A]`. Skips other lines. */
export function parseGpuFigures(text: string): readonly GpuFigures[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(',').map((field) => field.trim());
    if (fields.length !== FIGURES.split(',').length) return [];
    const [index, utilization, used, total, temperature, power] = fields.map(numberOf);
    if (index === undefined) return [];
    return [
      {
        index,
        utilization: shareOf(utilization),
        memoryUsedBytes: bytesOf(used),
        memoryTotalBytes: bytesOf(total),
        temperatureCelsius: temperature,
        powerWatts: power,
      },
    ];
  });
}

function numberOf(field: string): number | undefined {
  return /^\d+(\.\d+)?$/.test(field) ? Number(field) : undefined;
}

function shareOf(percent: number | undefined): number | undefined {
  return percent === undefined ? undefined : percent / 100;
}

function bytesOf(mebibytes: number | undefined): number | undefined {
  return mebibytes === undefined ? undefined : Math.round(mebibytes * 2 ** 20);
}

/** Refreshes the GPUs' figures in the background, because nvidia-smi can take a second to answer. */
export class GpuWatch {
  readonly #stopped = new AbortController();
  #figures: readonly GpuFigures[] = [];

  constructor() {
    void this.#refresh();
  }

  /** The latest figures; none when nvidia-smi did not answer. */
  get figures(): readonly GpuFigures[] {
    return this.#figures;
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #refresh(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      this.#figures = await gpuFigures();
      await sleep(WATCH_INTERVAL_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  }
}
