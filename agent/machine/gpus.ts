/**
 * Uses the programs of the GPU drivers to find the GPUs of this machine, and to measure their utilization, memory,
 * temperature and power.
 */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Gpu,
  type GpuListing,
  nvidiaError,
  parseAmdSmi,
  parseNvidiaCards,
  parseNvidiaIds,
  parseNvidiaUuids,
  parseRocmSmi,
  withIds,
} from './gpu-tools.ts';
import { type VisibleGpu, type VisibleGpus, visibleGpus } from './visible-gpus.ts';

/** The time limit for nvidia-smi and similar programs, which can block for minutes if the driver does not respond. */
const TOOL_TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 4 * 2 ** 20;
const WATCH_INTERVAL_MS = 10_000;
const NO_FRAME = ['--format=csv,noheader,nounits'];

export interface GpuDiscovery extends VisibleGpus {
  /** The number of usable GPUs of the machine, including GPUs that are not visible. */
  readonly found: number;
  /** The vendor of the usable GPUs. Undefined if the machine has no usable GPU. */
  readonly vendor: Gpu['vendor'] | undefined;
  /** The reasons why GPUs of the machine cannot be used. Each reason is one sentence. */
  readonly problems: readonly string[];
}

/**
 * Returns the GPUs of this machine that the environment makes visible, and the reasons why other GPUs are not used.
 */
export async function discoverGpus(env: NodeJS.ProcessEnv = process.env): Promise<GpuDiscovery> {
  const nvidia = await listNvidia();
  const { gpus, broken, problem } = nvidia.gpus.length > 0 ? nvidia : ((await listAmd()) ?? nvidia);
  const visible = visibleGpus(gpus, env);
  const problems = [
    ...(problem === undefined ? [] : [problem]),
    ...broken.map(({ index, reason }) => `GPU ${index} cannot be used: ${reason}`),
  ];
  const notes = gpus.length === 0 ? [] : visible.notes;
  return { gpus: visible.gpus, found: gpus.length, vendor: gpus[0]?.vendor, problems, notes };
}

/** Returns the visible GPUs of this machine. */
export async function listGpus(): Promise<readonly VisibleGpu[]> {
  return (await discoverGpus()).gpus;
}

interface Listed extends GpuListing {
  /**
   * The error that prevents the driver's program from listing all cards. Undefined if there is no error, or if the
   * program is not installed.
   */
  readonly problem: string | undefined;
}

async function listNvidia(): Promise<Listed> {
  const query = await runTool('nvidia-smi', ['--query-gpu=index,name,memory.total', ...NO_FRAME]);
  if (query.problem !== undefined) return { gpus: [], broken: [], problem: query.problem };
  const { gpus, broken } = parseNvidiaCards(query.output);
  if (gpus.length === 0) return { gpus, broken, problem: nvidiaError(query.output) };
  const ids = parseNvidiaIds((await runTool('nvidia-smi', ['-L'])).output);
  const known = ids.length > 0 ? ids : parseNvidiaUuids(await queryUuids());
  return { gpus: withIds(gpus, known), broken, problem: nvidiaError(query.output) };
}

async function queryUuids(): Promise<string> {
  return (await runTool('nvidia-smi', ['--query-gpu=index,uuid', ...NO_FRAME])).output;
}

/** Returns undefined if no program of ROCm lists a GPU. */
async function listAmd(): Promise<Listed | undefined> {
  const query = ['--showproductname', '--showuniqueid', '--showmeminfo', 'vram', '--json'];
  const older = parseRocmSmi((await runTool('rocm-smi', query)).output);
  if (older.gpus.length > 0) return { ...older, problem: undefined };
  const newer = parseAmdSmi((await runTool('amd-smi', ['static', '--asic', '--vram', '--json'])).output);
  return newer.gpus.length > 0 ? { ...newer, problem: undefined } : undefined;
}

interface ToolOutput {
  readonly output: string;
  /** Set only if the program did not respond in time. The output is then empty. */
  readonly problem: string | undefined;
}

/**
 * Returns the output of a program even if the program fails: if one card is lost, nvidia-smi lists the other cards, but
 * exits with an error. Does not wait for a program that cannot be killed because its driver does not respond.
 */
function runTool(program: string, args: readonly string[]): Promise<ToolOutput> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { maxBuffer: MAX_OUTPUT_BYTES }, (_error, stdout, stderr) => {
      clearTimeout(timer);
      resolve({ output: `${stdout}\n${stderr}`, problem: undefined });
    });
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      child.stdout?.destroy();
      child.stderr?.destroy();
      child.unref();
      resolve({ output: '', problem: `${program} did not answer within ${TOOL_TIMEOUT_MS / 1000} s` });
    }, TOOL_TIMEOUT_MS);
  });
}

export interface GpuMemory {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/**
 * Returns the memory of the first GPU that this process can use; undefined when nvidia-smi does not report the memory.
 */
export async function gpuMemory(): Promise<GpuMemory | undefined> {
  const [visible] = (process.env.CUDA_VISIBLE_DEVICES ?? '0').split(',');
  const query = [`--id=${visible}`, '--query-gpu=memory.free,memory.total', ...NO_FRAME];
  return parseMemory((await runTool('nvidia-smi', query)).output);
}

/** Parses a line of the form `free MiB, total MiB`. */
function parseMemory(text: string): GpuMemory | undefined {
  const [, free, total] = /^\s*(\d+), (\d+)\s*$/m.exec(text) ?? [];
  if (free === undefined || total === undefined) return undefined;
  return { freeBytes: Number(free) * 2 ** 20, totalBytes: Number(total) * 2 ** 20 };
}

/**
 * The current utilization, memory, temperature and power of a GPU. Values that the card or its driver does not report
 * are undefined.
 */
export interface GpuFigures {
  /** The index that nvidia-smi assigns to the card. */
  readonly index: number;
  /** The share of time, from 0 to 1, in which a kernel ran during the last sample period. */
  readonly utilization: number | undefined;
  readonly memoryUsedBytes: number | undefined;
  readonly memoryTotalBytes: number | undefined;
  readonly temperatureCelsius: number | undefined;
  readonly powerWatts: number | undefined;
}

const FIGURES = 'index,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw';

/**
 * Returns the measured values of each NVIDIA card of the machine; empty if the machine has no driver or nvidia-smi does
 * not respond.
 */
async function gpuFigures(): Promise<readonly GpuFigures[]> {
  return parseGpuFigures((await runTool('nvidia-smi', [`--query-gpu=${FIGURES}`, ...NO_FRAME])).output);
}

/**
 * Parses lines such as `0, 37, 1024, 81559, 41, 118.24`, in which a field can be `[N/A]`. All other lines are skipped.
 */
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

/** The measured values of a card, and the positions of its GPUs in the list of the visible GPUs. */
export interface CardFigures extends GpuFigures {
  readonly gpus: readonly number[];
}

/**
 * Returns the values of the cards that have a visible GPU. A card in MIG mode has one GPU per instance.
 * @param visible the visible GPUs; if undefined, all cards are returned, with an empty list of positions
 */
export function figuresOfCards(figures: readonly GpuFigures[], visible: readonly Gpu[] | undefined): CardFigures[] {
  return figures.flatMap((card) => {
    const gpus = (visible ?? []).flatMap(({ index }, position) => (index === card.index ? [position] : []));
    return visible === undefined || gpus.length > 0 ? [{ ...card, gpus }] : [];
  });
}

/** Refreshes the measured values in the background, because nvidia-smi can take a second to respond. */
export class GpuWatch {
  readonly #stopped = new AbortController();
  readonly #visible: readonly Gpu[] | undefined;
  #figures: readonly CardFigures[] = [];

  /**
   * @param gpus the visible GPUs: `figures` has the values of their cards only. If undefined, `figures` has the values
   * of all cards
   */
  constructor(gpus?: readonly Gpu[]) {
    this.#visible = gpus;
    void this.#refresh();
  }

  /**
   * The values from the latest call of nvidia-smi. Empty before the first response, and if nvidia-smi did not respond
   * to the latest call.
   */
  get figures(): readonly CardFigures[] {
    return this.#figures;
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #refresh(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      this.#figures = figuresOfCards(await gpuFigures(), this.#visible);
      await sleep(WATCH_INTERVAL_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  }
}
