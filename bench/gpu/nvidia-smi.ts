/** What a GPU does while something is measured, as nvidia-smi tells it twice a second. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface GpuUse {
  /** Mean over the samples, 0 to 1. */
  readonly utilisation: number;
  /** The most that was in use, of all processes, in MiB. */
  readonly memoryMiB: number;
}

const QUERY = ['--query-gpu=utilization.gpu,memory.used', '--format=csv,noheader,nounits', '--loop-ms=500', '--id=0'];

export async function whileSampling<T>(work: () => Promise<T>): Promise<{ result: T; use: GpuUse | undefined }> {
  const child = spawn('nvidia-smi', QUERY, { stdio: ['ignore', 'pipe', 'ignore'] });
  child.on('error', () => {});
  const samples: GpuUse[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const sample = sampleOf(line);
    if (sample !== undefined) samples.push(sample);
  });
  try {
    const result = await work();
    return { result, use: summaryOf(samples) };
  } finally {
    child.kill();
  }
}

/** Reads `37, 1024`. */
export function sampleOf(line: string): GpuUse | undefined {
  const [, percent, mebibytes] = /^\s*(\d+), (\d+)\s*$/.exec(line) ?? [];
  if (percent === undefined || mebibytes === undefined) return undefined;
  return { utilisation: Number(percent) / 100, memoryMiB: Number(mebibytes) };
}

function summaryOf(samples: readonly GpuUse[]): GpuUse | undefined {
  if (samples.length === 0) return undefined;
  return {
    utilisation: samples.reduce((sum, { utilisation }) => sum + utilisation, 0) / samples.length,
    memoryMiB: Math.max(...samples.map(({ memoryMiB }) => memoryMiB)),
  };
}
