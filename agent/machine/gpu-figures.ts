/** What the GPUs do at present, as NVIDIA's own tool tells it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A driver that is stuck can hang nvidia-smi for minutes. */
const ASK_MS = 10_000;

/** A figure that the card or its driver does not tell is undefined. */
export interface GpuFigures {
  readonly index: number;
  /** Share of the last sample's time in which a kernel ran, 0 to 1. */
  readonly utilization: number | undefined;
  readonly memoryUsedBytes: number | undefined;
  readonly memoryTotalBytes: number | undefined;
  readonly temperatureCelsius: number | undefined;
  readonly powerWatts: number | undefined;
}

const FIELDS = 'index,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw';

/** None where there is no driver, no GPU, or no answer. */
export async function gpuFigures(): Promise<readonly GpuFigures[]> {
  try {
    const query = [`--query-gpu=${FIELDS}`, '--format=csv,noheader,nounits'];
    return parseGpuFigures((await run('nvidia-smi', query, { timeout: ASK_MS })).stdout);
  } catch {
    return [];
  }
}

/** Reads lines such as `0, 37, 1024, 81559, 41, 118.24`; a field may be `[N/A]`. Other lines are no GPUs. */
export function parseGpuFigures(text: string): readonly GpuFigures[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(',').map((field) => field.trim());
    if (fields.length !== FIELDS.split(',').length) return [];
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
