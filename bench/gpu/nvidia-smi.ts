/** Measures the use of the first GPU with nvidia-smi, twice a second. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface GpuUse {
  /** The utilization, from 0 to 1. For several samples, this is the mean. */
  readonly utilization: number;
  /** The memory use of all processes, in MiB. For several samples, this is the peak. */
  readonly memoryMiB: number;
}

const QUERY = ['--query-gpu=utilization.gpu,memory.used', '--format=csv,noheader,nounits', '--loop-ms=500', '--id=0'];

/** Runs `work`, and returns its result and the use of the GPU. The use is undefined without nvidia-smi. */
export async function sampleGpuDuring<T>(work: () => Promise<T>): Promise<{ result: T; use: GpuUse | undefined }> {
  const child = spawn('nvidia-smi', QUERY, { stdio: ['ignore', 'pipe', 'ignore'] });
  child.on('error', () => {});
  const samples: GpuUse[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const sample = parseSample(line);
    if (sample !== undefined) samples.push(sample);
  });
  try {
    const result = await work();
    return { result, use: summarize(samples) };
  } finally {
    child.kill();
  }
}

/** Parses a line of nvidia-smi such as `37, 1024`; returns undefined for other lines. */
export function parseSample(line: string): GpuUse | undefined {
  const [, percent, mebibytes] = /^\s*(\d+), (\d+)\s*$/.exec(line) ?? [];
  if (percent === undefined || mebibytes === undefined) return undefined;
  return { utilization: Number(percent) / 100, memoryMiB: Number(mebibytes) };
}

function summarize(samples: readonly GpuUse[]): GpuUse | undefined {
  if (samples.length === 0) return undefined;
  return {
    utilization: samples.reduce((sum, { utilization }) => sum + utilization, 0) / samples.length,
    memoryMiB: Math.max(...samples.map(({ memoryMiB }) => memoryMiB)),
  };
}
