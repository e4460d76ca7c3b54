/** Options that protect /metrics with a username and a password. */
import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { BasicAuth } from '../../lib/net/http.ts';
import { BadInputError } from '../../proto/errors.ts';

export interface MetricsAuthOptions {
  readonly metricsUser?: string;
  readonly metricsPasswordFile?: string;
  readonly metricsHost?: readonly string[];
}

/** Adds `--metrics-user`, `--metrics-password-file` and `--metrics-host`. */
export function withMetricsAuth(command: Command): Command {
  return command
    .option('--metrics-user <name>', 'username required to read /metrics')
    .option('--metrics-password-file <file>', 'file with the password of --metrics-user')
    .option(
      '--metrics-host <name>',
      'additional host name under which /metrics can be read, such as the name of a Kubernetes Service; repeatable',
      (name: string, names: readonly string[] = []) => [...names, name],
    );
}

/**
 * Returns the username and the password, or undefined if neither option is given.
 * @throws {BadInputError} when only one of these two options is given, or the file is missing or empty
 */
export function metricsAuth({ metricsUser, metricsPasswordFile }: MetricsAuthOptions): BasicAuth | undefined {
  if (metricsUser === undefined && metricsPasswordFile === undefined) return undefined;
  if (metricsUser === undefined || metricsPasswordFile === undefined) {
    throw new BadInputError('--metrics-user and --metrics-password-file must be used together');
  }
  if (!existsSync(metricsPasswordFile)) {
    throw new BadInputError(`--metrics-password-file: file ${metricsPasswordFile} does not exist`);
  }
  const password = readFileSync(metricsPasswordFile, 'utf8').trim();
  if (password === '') throw new BadInputError(`--metrics-password-file: file ${metricsPasswordFile} is empty`);
  return { user: metricsUser, password };
}
