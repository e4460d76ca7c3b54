/** A coordinator in a process of its own, and what it uses. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../../bin/package.ts';
import { cpuSeconds, peakBytes } from '../process-figures.ts';

const TRAWL = join(packageRoot(), 'bin', 'trawl.mjs');

/** Ended with this process, should it fail. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class MeasuredCoordinator {
  readonly address: string;
  readonly #metrics: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, where: { address: string; metrics: string }) {
    this.#child = child;
    this.address = where.address;
    this.#metrics = where.metrics;
  }

  /** Resolves when it answers. */
  static async start(dir: string, natsUrl: string): Promise<MeasuredCoordinator> {
    const file = join(dir, 'coordinator.json');
    rmSync(file, { force: true });
    const listen = ['--listen', '127.0.0.1:0', '--metrics', '127.0.0.1:0', '--log-level', 'warn'];
    const args = [TRAWL, 'coordinator', '--dir', dir, '--nats', natsUrl, ...listen];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    running.add(child);
    while (!existsSync(file)) await sleep(20);
    return new MeasuredCoordinator(child, JSON.parse(readFileSync(file, 'utf8')));
  }

  get cpuSeconds(): number {
    return cpuSeconds(this.#child.pid);
  }

  get peakMiB(): number {
    return peakBytes(this.#child.pid) / 2 ** 20;
  }

  /** The sum of a family over its series. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://${this.#metrics}/metrics`)).text();
    const values = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'gm'))];
    return values.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  /** Ends when the command has; throws when it failed. */
  async trawl(...args: string[]): Promise<void> {
    const child = spawn(process.execPath, [TRAWL, ...args, '--server', this.address], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`trawl ${args[0]} ended with ${code}`);
  }

  async kill(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill('SIGKILL');
    await gone;
    running.delete(this.#child);
  }
}
