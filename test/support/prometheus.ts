/** A real Prometheus (Debian's package) with the configuration in deploy/prometheus. */

import { execFile, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { packageRoot } from '../../bin/package.ts';
import { aptInstall } from '../../deploy/setup/nats/install.mjs';
import { errorMessage } from '../../lib/text/error-message.ts';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

const run = promisify(execFile);

export const PROMETHEUS_FILES = join(packageRoot(), 'deploy', 'prometheus');

/**
 * Installs Debian's package if Prometheus is missing.
 * @returns why Prometheus cannot be used; undefined if Prometheus can be used
 */
export async function prometheusMissing(): Promise<string | undefined> {
  if (await isInstalled()) return undefined;
  if (process.getuid?.() !== 0) return 'prometheus is not installed, and only root can install it';
  try {
    await aptInstall(process.env, 'prometheus');
  } catch (error) {
    return `could not install prometheus: ${errorMessage(error)}`;
  }
  return (await isInstalled()) ? undefined : 'prometheus was installed but does not start';
}

const isInstalled = () =>
  Promise.all([run('prometheus', ['--version']), run('promtool', ['--version'])]).then(
    () => true,
    () => false,
  );

/**
 * Runs promtool.
 * @throws {Error} with the output of the program if the program fails
 */
export async function promtool(args: readonly string[], input = ''): Promise<string> {
  const child = run('promtool', [...args], { cwd: PROMETHEUS_FILES });
  child.child.stdin?.end(input);
  const { stdout, stderr } = await child.catch((error: { stdout?: string; stderr?: string; message: string }) => {
    throw new Error(`promtool ${args.join(' ')}: ${error.message}\n${error.stdout}\n${error.stderr}`);
  });
  return `${stdout}${stderr}`;
}

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

export interface Target {
  readonly labels: Readonly<Record<string, string>>;
  readonly health: string;
}

export class Prometheus {
  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
  }

  /**
   * Starts Prometheus with the shipped configuration, but with intervals of one second, and with this coordinator's
   * address and token.
   * @param coordinator HOST:PORT of the coordinator's metrics
   * @param dir the coordinator's data folder
   */
  static async start(folder: string, coordinator: string, dir: string): Promise<Prometheus> {
    mkdirSync(folder, { recursive: true });
    const config = readFileSync(join(PROMETHEUS_FILES, 'prometheus.yml'), 'utf8')
      .replaceAll('coordinator:9464', coordinator)
      .replaceAll(
        '# authorization: {type: Bearer, credentials_file: DIR/token}',
        `authorization: {type: Bearer, credentials_file: ${dir}/token}`,
      )
      .replaceAll(/: 15s$/gm, ': 1s');
    writeFileSync(join(folder, 'prometheus.yml'), config);
    copyFileSync(join(PROMETHEUS_FILES, 'alerts.yml'), join(folder, 'alerts.yml'));
    const port = await freePort();
    const child = spawn(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=warn',
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const gone = new Promise((resolve) => child.once('exit', resolve));
    onTestFinished(async () => {
      child.kill('SIGKILL');
      await gone;
    });
    return Prometheus.at(`http://127.0.0.1:${port}`);
  }

  /** Connects to a running Prometheus, and waits until it is ready. */
  static async at(url: string): Promise<Prometheus> {
    const prometheus = new Prometheus(url);
    await until('Prometheus is ready', () =>
      fetch(`${prometheus.#url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    return prometheus;
  }

  async targets(): Promise<readonly Target[]> {
    return (await this.#ask<{ activeTargets: Target[] }>('targets', { state: 'active' })).activeTargets;
  }

  /**
   * Runs a range query over the last `seconds`, as a Grafana panel does.
   * @throws {Error} with the error message of Prometheus
   */
  async range(query: string, seconds: number, stepSeconds: number): Promise<readonly Sample[]> {
    const end = Date.now() / 1000;
    const times = { start: `${end - seconds}`, end: `${end}`, step: `${stepSeconds}` };
    return (await this.#ask<{ result: Sample[] }>('query_range', { query, ...times })).result;
  }

  async #ask<T>(what: string, parameters: Readonly<Record<string, string>>): Promise<T> {
    const response = await fetch(`${this.#url}/api/v1/${what}?${new URLSearchParams(parameters)}`);
    const answer = (await response.json()) as { status: string; data: T; error?: string };
    if (answer.status !== 'success') throw new Error(`${parameters.query ?? what}: ${answer.error}`);
    return answer.data;
  }
}
