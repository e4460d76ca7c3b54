import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { DEFAULT_DIR, DEFAULT_LEASE_MS, DEFAULT_METRICS_ADDRESS } from '../../coordinator/defaults.ts';
import type { BasicAuth } from '../../coordinator/metrics/basic-auth.ts';
import { DEFAULT_ADDRESS, DEFAULT_NATS, parseAddress } from '../../proto/address.ts';
import { BadInputError, EXIT_CANNOT_WRITE, isDiskFull } from '../../proto/errors.ts';
import { untilSignal } from '../local/until-signal.ts';
import { type LogOptions, newLogger, withLog } from '../logging.ts';
import { parseDuration, withHelp } from '../options.ts';
import { trawlVersion } from '../version.ts';

interface Options extends LogOptions {
  readonly dir: string;
  readonly nats: string;
  readonly listen: string;
  readonly metrics: string;
  readonly lease: number;
  readonly identity?: string;
  readonly insecure?: true;
  readonly metricsUser?: string;
  readonly metricsPasswordFile?: string;
  readonly metricsTls?: true;
}

async function coordinator(options: Options): Promise<void> {
  const log = newLogger('coordinator', options);
  const { startCoordinator } = await import('../../coordinator/main.ts');
  // Memory may be ahead of the store: nothing more may be said.
  const broken = (error: unknown): never => {
    const why = isDiskFull(error)
      ? `the disk of ${options.dir} is full: make room on it, and start the coordinator again`
      : 'the store could not be written';
    log.fatal({ err: error }, `${why}; the coordinator ends, nothing acknowledged is lost`);
    process.exit(EXIT_CANNOT_WRITE);
  };
  const running = await startCoordinator({
    dir: options.dir,
    natsUrl: options.nats,
    listen: parseAddress(options.listen, '--listen', 0),
    metrics: parseAddress(options.metrics, '--metrics', 0),
    identityDir: options.identity,
    insecure: options.insecure ?? false,
    metricsAuth: metricsAuth(options),
    metricsTls: options.metricsTls ?? false,
    leaseMs: options.lease,
    version: trawlVersion(),
    log,
    onBroken: broken,
  }).catch((error: unknown) => {
    if (isDiskFull(error)) return broken(error);
    throw error;
  });
  const { code } = await untilSignal();
  await running.stop();
  log.info('the coordinator ended');
  process.exit(code);
}

/** @throws {BadInputError} when one is there without the other, or the file holds no password */
function metricsAuth({ metricsUser, metricsPasswordFile }: Options): BasicAuth | undefined {
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

export function registerCoordinator(program: Command): void {
  const command = program
    .command('coordinator')
    .description('run a coordinator: it keeps the sweeps and hands their trials to agents')
    .option('--dir <dir>', 'where everything is kept', DEFAULT_DIR)
    .option('--nats <url>', 'NATS server with JetStream', process.env.TRAWL_NATS || DEFAULT_NATS)
    .option('--listen <host:port>', 'where it serves gRPC; port 0: a free one', DEFAULT_ADDRESS)
    .option(
      '--metrics <host:port>',
      'where it serves /metrics and /healthz; port 0: a free one',
      DEFAULT_METRICS_ADDRESS,
    )
    .option('--lease <duration>', 'how long an agent may be silent', parseDuration, DEFAULT_LEASE_MS)
    .option('--identity <dir>', 'speak TLS, and let in only whom "trawl certs" has made known: its folder "server"')
    .option('--metrics-user <name>', 'who may read /metrics')
    .option('--metrics-password-file <file>', 'the password of --metrics-user')
    .option('--metrics-tls', 'serve /metrics over TLS, to who has a password or a certificate')
    .option('--insecure', 'listen where other machines reach it, without encryption or passwords');
  withHelp(withLog(command), {
    remote: false,
    examples: [
      ['trawl coordinator --dir sweeps', 'on this machine, with a NATS server at 127.0.0.1:4222'],
      [
        'trawl coordinator --identity trawl-certs/server --listen 0.0.0.0:7070',
        'for agents on other machines (see "trawl certs")',
      ],
    ],
    exits: [
      [3, 'NATS could not be reached, or the address is taken'],
      [
        4,
        'refused: the folder is in use, its store is damaged or newer than this trawl, or the address is open to others',
      ],
      [EXIT_CANNOT_WRITE, 'the store could not be written: the disk is full or broken'],
    ],
  }).action((_options: Options, self: Command) => coordinator(self.optsWithGlobals<Options>()));
}
