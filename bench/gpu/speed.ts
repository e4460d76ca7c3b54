/** Measures training steps on a GPU: packs in trawl, and single networks in one or in several processes of PyTorch. */
import { BACKENDS, type BackendName } from '../../agent/machine/backend.ts';
import { measureInTurns, type Rate } from '../train/compare.ts';
import { type MeasuringProcess, pytorchPeer, type Request, tfjsPeer } from '../train/peer.ts';
import { type GpuUse, sampleGpuDuring } from './nvidia-smi.ts';

const THREADS = 4;
const BATCH = 64;

export interface Measured {
  readonly name: string;
  readonly depth: 3 | 5;
  readonly pack: number;
  /** Images per second, of all trials together. */
  readonly samplesPerSecond: number;
  readonly stepMs: number;
  readonly use: GpuUse | undefined;
}

export const SPEED_COLUMNS = [
  'trainer',
  'layers',
  'pack',
  'images/s',
  'per trial',
  'step ms',
  'GPU busy',
  'GPU MiB',
] as const;

/** Formats a measurement for SPEED_COLUMNS. */
export function speedCells({ name, depth, pack, samplesPerSecond, stepMs, use }: Measured): string[] {
  return [
    name,
    `${depth}`,
    `${pack}`,
    samplesPerSecond.toFixed(0),
    (samplesPerSecond / pack).toFixed(0),
    stepMs.toFixed(2),
    use === undefined ? '-' : `${Math.round(use.utilization * 100)}%`,
    use === undefined ? '-' : `${use.memoryMiB}`,
  ];
}

/** A request to measure training steps. `measureOne` fills in the fields that are left out. */
export type Wanted = Pick<Request, 'depth' | 'pack' | 'seconds'> & Partial<Request>;

/** Measures one computation, and the use of the GPU during the measurement. */
export async function measureOne(name: string, peer: MeasuringProcess, wanted: Wanted): Promise<Measured> {
  const request: Request = { subject: 'trawl', batch: BATCH, ...wanted };
  const { result, use } = await sampleGpuDuring(() => measureInTurns([{ name, peer, request }], 1));
  const [{ samplesPerSecond, stepMs } = NOTHING] = result;
  return { name, depth: request.depth, pack: request.pack, samplesPerSecond, stepMs, use };
}

const NOTHING: Pick<Rate, 'samplesPerSecond' | 'stepMs'> = { samplesPerSecond: Number.NaN, stepMs: Number.NaN };

/** @throws {Error} if the backend does not load */
export async function trawlPeer(backend: BackendName): Promise<MeasuringProcess> {
  const peer = await tfjsPeer(backend, THREADS);
  if (peer === undefined) throw new Error(`the process that uses ${backend} ended before it was ready`);
  return peer;
}

/** Starts PyTorch on the device that corresponds to the backend. Resolves to undefined if PyTorch is not installed. */
export function torchPeer(backend: BackendName): Promise<MeasuringProcess | undefined> {
  return pytorchPeer(THREADS, backend === 'tensorflow-gpu' ? 'cuda' : 'cpu');
}

/**
 * Measures `count` processes of PyTorch, each of which trains one network at the same time as the others.
 * @returns undefined if PyTorch is not installed
 */
export async function torchProcesses(
  backend: BackendName,
  count: number,
  depth: 3 | 5,
  seconds: number,
): Promise<Measured | undefined> {
  const peers = await Promise.all(Array.from({ length: count }, () => torchPeer(backend)));
  const ready = peers.filter((peer) => peer !== undefined);
  try {
    if (ready.length < count) return undefined;
    const request: Request = { subject: 'trawl', depth, batch: BATCH, pack: 1, seconds };
    // The first request is a warm-up. During the second request, all processes measure at the same time.
    await Promise.all(ready.map((peer) => peer.request({ ...request, seconds: 0.1 })));
    const { result, use } = await sampleGpuDuring(() => Promise.all(ready.map((peer) => peer.request(request))));
    const steps = result.reduce((sum, answer) => sum + answer.count / answer.seconds, 0);
    const name = `PyTorch, ${count} processes`;
    return { name, depth, pack: count, samplesPerSecond: steps * BATCH, stepMs: 1000 / steps, use };
  } finally {
    for (const peer of ready) peer.stop();
  }
}

/** @throws {RangeError} if the name is unknown */
export function backendNamed(name: string): BackendName {
  const backend = BACKENDS.find((each) => each === name);
  if (backend === undefined) throw new RangeError(`--backend ${name}: expected one of ${BACKENDS.join(', ')}`);
  return backend;
}
