/** Runs a coordinator in a separate process, and measures its resource usage. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../../bin/package.ts';
import { readCoordinatorFile, removeCoordinatorFile } from '../../lib/files/coordinator-file.ts';
import { readToken, tokenFile } from '../../lib/files/token-file.ts';
import { cpuSeconds, peakBytes } from '../process-figures.ts';

const TRAWL = join(packageRoot(), 'bin', 'trawl.mjs');

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class MeasuredCoordinator {
  readonly address: string;
  readonly #metrics: string;
  readonly #token: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, addresses: { address: string; metrics: string }, token: string) {
    this.#token = token;
    this.#child = child;
    this.address = addresses.address;
    this.#metrics = addresses.metrics;
  }

  /** Starts a coordinator and waits until it is ready. */
  static async start(dir: string, natsUrl: string, profile?: string): Promise<MeasuredCoordinator> {
    removeCoordinatorFile(dir);
    // The coordinator requires no token. Before a client on the same machine sends a token, it reads the list of all
    // connections, which is long if all agents are on one machine.
    const listen = ['--no-auth', '--listen', '127.0.0.1:0', '--metrics', '127.0.0.1:0', '--log-level', 'warn'];
    const profiling = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile];
    const args = [...profiling, TRAWL, 'coordinator', '--dir', dir, '--nats', natsUrl, ...listen];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    running.add(child);
    let addresses = readCoordinatorFile(dir);
    while (addresses === undefined) {
      await sleep(20);
      addresses = readCoordinatorFile(dir);
    }
    return new MeasuredCoordinator(child, addresses, readToken(tokenFile(dir)));
  }

  get cpuSeconds(): number {
    return cpuSeconds(this.#child.pid);
  }

  get peakMiB(): number {
    return peakBytes(this.#child.pid) / 2 ** 20;
  }

  /** Scrapes the metrics. Returns a function that returns the sum of a metric over its series. */
  async scrape(): Promise<(name: string) => number> {
    const headers = { authorization: `Bearer ${this.#token}` };
    const text = await (await fetch(`http://${this.#metrics}/metrics`, { headers })).text();
    return (name) => {
      const values = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'gm'))];
      return values.reduce((sum, [, value]) => sum + Number(value), 0);
    };
  }

  /** Returns the sum of a metric over its series. */
  async metric(name: string): Promise<number> {
    return (await this.scrape())(name);
  }

  /** Runs a `trawl` command. An error is thrown if the command fails. */
  async trawl(...args: string[]): Promise<void> {
    const child = spawn(process.execPath, [TRAWL, ...args, '--server', this.address], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`trawl ${args[0]} exited with code ${code}`);
  }

  /** Stops the coordinator, so that it writes its profile. */
  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill('SIGTERM');
    await gone;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill('SIGKILL');
    await gone;
    running.delete(this.#child);
  }
}
