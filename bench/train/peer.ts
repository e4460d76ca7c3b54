/** Processes that measure training speed. Requests and answers are one line of JSON each. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { BackendName } from '../../agent/machine/backend.ts';
import { threadEnvironment } from '../../agent/machine/slots.ts';
import type { Strategy } from '../../agent/trainers/autoencoder/engine.ts';

/**
 * The measured computation: `trawl` is a step of the built-in trainer, `stock` is a step of the same network built from
 * stock layers, and `matmul` is a single matrix product.
 */
export type Computation = 'trawl' | 'stock' | 'matmul';

export interface Request {
  readonly subject: Computation;
  readonly depth: 3 | 5;
  /** The number of images per step and pack member. */
  readonly batch: number;
  /** The number of trials that are trained together; 1 for computations other than `trawl`. */
  readonly pack: number;
  /** The strategy with which `trawl` computes a pack. Default: the strategy of a worker. */
  readonly strategy?: Strategy;
  /** How PyTorch computes: eagerly (default), with `torch.compile`, or a pack with `torch.compile` and `vmap`. */
  readonly mode?: 'eager' | 'compile' | 'vmap';
  /** Whether PyTorch uses its fused Adam; by default, only for compiled networks on a GPU. */
  readonly fusedAdam?: boolean;
  /** Duration of the measurement. A warm-up precedes the first measurement of each computation. */
  readonly seconds: number;
}

export interface Answer {
  /** The number of steps or products. */
  readonly count: number;
  readonly seconds: number;
  /**
   * Duration of the fastest step in seconds. On a GPU, which works asynchronously, this is the time to submit the step.
   */
  readonly least: number;
  /** The CPU time of all threads of the process, in seconds. */
  readonly cpuSeconds: number;
  /** Duration in seconds of the first step of this computation in the process. It includes any compilation. */
  readonly firstStepSeconds: number;
}

/** The first line that a measuring process prints, when it is ready for requests. */
export interface Ready {
  /** The library, its version, and the backend or device that it uses. */
  readonly description: string;
}

/** Number of training images. MNIST has 60,000 images, but the cost of a step does not depend on this number. */
export const IMAGES = 10_000;
export const LATENT_DIM = 30;
export const LEARNING_RATE = 1e-3;
/** lambda_l1 and weight_decay by depth, as in examples/autoencoder-study.yaml. */
export const PENALTY = { 3: 1e-5, 5: 1e-7 } as const;

/**
 * The sizes of the matrix product `[MATMUL_ROWS, MATMUL_INNER] x [MATMUL_INNER, batch]`. It multiplies the weights of
 * the widest layer of the 5-layer network by a batch.
 */
export const MATMUL_ROWS = 640;
export const MATMUL_INNER = 784;

/** The maximum number of characters that are kept from the end of the error output of a process. */
const MAX_ERRORS = 20_000;

/** Returns the last line that names an error, or else the last line. */
export function lastErrorOf(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return (lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? 'no error output').trim();
}

/** A process that answers measurement requests. */
export class MeasuringProcess {
  readonly description: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #lastError: () => string;

  private constructor(
    child: ChildProcess,
    lines: AsyncIterator<string>,
    { description }: Ready,
    lastError: () => string,
  ) {
    this.#child = child;
    this.#lines = lines;
    this.description = description;
    this.#lastError = lastError;
  }

  /**
   * Starts a process. Returns undefined if the process ends before it is ready, for example because the backend or
   * PyTorch is not installed.
   */
  static async start(
    command: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<MeasuringProcess | undefined> {
    const [program = '', ...args] = command;
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    child.on('error', () => {});
    child.stdin.on('error', () => {});
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-MAX_ERRORS);
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value, done } = await lines.next();
    return done ? undefined : new MeasuringProcess(child, lines, JSON.parse(value) as Ready, () => lastErrorOf(errors));
  }

  /** @throws {Error} if the process has ended */
  async request(request: Request): Promise<Answer> {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.description} ended during ${JSON.stringify(request)}: ${this.#lastError()}`);
    return JSON.parse(value) as Answer;
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}

export function tfjsPeer(backend: BackendName, threads: number): Promise<MeasuringProcess | undefined> {
  const program = fileURLToPath(new URL('./tfjs-process.js', import.meta.url));
  return MeasuringProcess.start([process.execPath, program, backend], threadEnvironment(threads, 1, process.env));
}

/**
 * Starts PyTorch. Returns undefined if the interpreter has no torch.
 * @param python the interpreter; default: TRAWL_PYTHON, or python3
 */
export function pytorchPeer(
  threads: number,
  device: 'cpu' | 'cuda',
  python = process.env.TRAWL_PYTHON ?? 'python3',
): Promise<MeasuringProcess | undefined> {
  const script = fileURLToPath(new URL('../../../bench/pytorch_train.py', import.meta.url));
  return MeasuringProcess.start([python, script, `${threads}`, `${IMAGES}`, device], {});
}
