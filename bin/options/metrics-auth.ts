/** `--metrics-user`, `--metrics-password-file`: who may read /metrics. */
import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { BasicAuth } from '../../lib/net/http.ts';
import { BadInputError } from '../../proto/errors.ts';

export interface MetricsAuthOptions {
  readonly metricsUser?: string;
  readonly metricsPasswordFile?: string;
}

export function withMetricsAuth(command: Command): Command {
  return command
    .option('--metrics-user <name>', 'who may read /metrics')
    .option('--metrics-password-file <file>', 'the password of --metrics-user');
}

/** @throws {BadInputError} when one is there without the other, or the file holds no password */
export function metricsAuth({ metricsUser, metricsPasswordFile }: MetricsAuthOptions): BasicAuth | undefined {
  if (metricsUser === undefined && metricsPasswordFile === undefined) return undefined;
  if (metricsUser === undefined || metricsPasswordFile === undefined) {
    throw new BadInputError('--metrics-user and --metrics-password-file belong together');
  }
  if (!existsSync(metricsPasswordFile)) {
    throw new BadInputError(`--metrics-password-file: there is no file ${metricsPasswordFile}`);
  }
  const password = readFileSync(metricsPasswordFile, 'utf8').trim();
  if (password === '') throw new BadInputError(`${metricsPasswordFile} holds no password`);
  return { user: metricsUser, password };
}
