/** Runs Optuna's searches in a Python process. The process sends one point at a time, and waits for its value. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Point, TestFunction } from './functions.ts';

export type OptunaSampler = 'default' | 'multivariate+group';

export class OptunaPeer {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stderr.pipe(process.stderr);
  }

  /** @throws {Error} if the interpreter does not start or has no Optuna */
  static async start(interpreter: string): Promise<{ readonly peer: OptunaPeer; readonly versions: string }> {
    const script = fileURLToPath(new URL('../../../bench/search/optuna_peer.py', import.meta.url));
    // The arrays are so small that more than one thread would only add waiting time.
    const env = { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' };
    const peer = new OptunaPeer(spawn(interpreter, [script], { env }));
    const { version, python } = (await peer.#receive()) as { readonly version: string; readonly python: string };
    return { peer, versions: `Optuna ${version}, Python ${python}` };
  }

  /** Runs one study. Returns the points in the order of the trials. */
  async study(f: TestFunction, sampler: OptunaSampler, seed: number, trials: number): Promise<Point[]> {
    const parameters = [...f.space].map(([name, distribution]) => ({
      name,
      ...distribution,
      condition: f.conditions.get(name),
    }));
    this.#send({ sampler, seed, trials, parameters });
    const points: Point[] = [];
    while (points.length < trials) {
      const point = (await this.#receive()) as Point;
      this.#send(f.observe(point, `${seed}/${points.length}`) ?? null);
      points.push(point);
    }
    return points;
  }

  close(): void {
    this.#child.stdin.end();
  }

  #send(message: unknown): void {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  async #receive(): Promise<unknown> {
    const next = await this.#lines.next();
    if (next.done === true) throw new Error('the Python process of Optuna ended; its error is above');
    return JSON.parse(next.value);
  }
}
