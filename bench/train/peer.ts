/** A process that is asked to measure something, one line of JSON each way. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { BackendName } from '../../agent/machine/backend.ts';
import { threadEnvironment } from '../../agent/machine/slots.ts';
import { type Answer, IMAGES, type Ready, type Request } from './measurement.ts';

export class Peer {
  readonly description: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, { description }: Ready) {
    this.#child = child;
    this.#lines = lines;
    this.description = description;
  }

  /** @returns undefined when it ends before it is ready: that backend, or PyTorch, is not here */
  static async start(command: readonly string[], env: Readonly<Record<string, string>>): Promise<Peer | undefined> {
    const [program = '', ...args] = command;
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'], env: { ...process.env, ...env } });
    child.on('error', () => {});
    child.stdin.on('error', () => {});
    const lines = reader(createInterface({ input: child.stdout }));
    const { value, done } = await lines.next();
    return done ? undefined : new Peer(child, lines, JSON.parse(value) as Ready);
  }

  /** @throws {Error} when it has ended */
  async ask(request: Request): Promise<Answer> {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.description} ended while it was asked for ${JSON.stringify(request)}`);
    return JSON.parse(value) as Answer;
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}

export function tfjsPeer(backend: BackendName, threads: number): Promise<Peer | undefined> {
  const program = fileURLToPath(new URL('./tfjs-process.js', import.meta.url));
  // As a slot has them that is alone on a machine of so many cores.
  return Peer.start([process.execPath, program, backend], threadEnvironment(threads, 1, process.env));
}

/** The Python that TRAWL_PYTHON names, or python3, where it has torch. */
export function pytorchPeer(threads: number, device: 'cpu' | 'cuda'): Promise<Peer | undefined> {
  const script = fileURLToPath(new URL('../../../bench/pytorch_train.py', import.meta.url));
  return Peer.start([process.env.TRAWL_PYTHON ?? 'python3', script, `${threads}`, `${IMAGES}`, device], {});
}

function reader(lines: Interface): AsyncIterator<string> {
  return lines[Symbol.asyncIterator]();
}
