import { join } from 'node:path';
import type { Command } from 'commander';
import { DEFAULT_DIR, DEFAULT_LEASE_MS, DEFAULT_METRICS_ADDRESS } from '../../coordinator/app/defaults.ts';
import { DEFAULT_ADDRESS, DEFAULT_NATS, parseAddress } from '../../lib/net/address.ts';
import { EXIT_CANNOT_WRITE, isDiskFull } from '../../proto/errors.ts';
import { untilSignal } from '../local/signals.ts';
import { ageOption, durationOption, withHelp } from '../options/common.ts';
import { type LogOptions, newLogger, withLog } from '../options/logging.ts';
import { type MetricsAuthOptions, metricsAuth, withMetricsAuth } from '../options/metrics-auth.ts';
import { packageRoot, trawlVersion } from '../package.ts';

interface Options extends LogOptions, MetricsAuthOptions {
  readonly dir: string;
  readonly nats?: string;
  readonly listen: string;
  readonly metrics: string;
  readonly lease: number;
  readonly retain?: number;
  readonly identity?: string;
  readonly insecure?: true;
  readonly metricsTls?: true;
  readonly trialMetrics?: true;
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
    natsUrl: options.nats ?? (process.env.TRAWL_NATS || undefined),
    listen: parseAddress(options.listen, '--listen', 0),
    metrics: parseAddress(options.metrics, '--metrics', 0),
    identityDir: options.identity,
    insecure: options.insecure ?? false,
    metricsAuth: metricsAuth(options),
    metricsTls: options.metricsTls ?? false,
    leaseMs: options.lease,
    retainMs: options.retain,
    version: trawlVersion(),
    trialMetrics: options.trialMetrics ?? false,
    protoDir: join(packageRoot(), 'proto'),
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

export function registerCoordinator(program: Command): void {
  const command = program
    .command('coordinator')
    .description('run a coordinator: it keeps the sweeps and hands their trials to agents')
    .option('--dir <dir>', 'where everything is kept', DEFAULT_DIR)
    .option(
      '--nats <urls>',
      'NATS server with JetStream, or those of a cluster with commas between ' +
        `(default: TRAWL_NATS, else the identity's, else ${DEFAULT_NATS})`,
    )
    .option('--listen <host:port>', 'where it serves gRPC; port 0: a free one', DEFAULT_ADDRESS)
    .option(
      '--metrics <host:port>',
      'where it serves /metrics, /sd, /healthz and /readyz; port 0: a free one',
      DEFAULT_METRICS_ADDRESS,
    )
    .option('--trial-metrics', 'series of single trials in /metrics: those that run, and the best 50 of each sweep')
    .option('--lease <duration>', 'how long an agent may be silent', durationOption, DEFAULT_LEASE_MS)
    .option('--retain <duration>', 'remove sweeps that have been over for so long (default: never)', ageOption)
    .option('--identity <dir>', 'speak TLS, and let in only whom "trawl certs" has made known: its folder "server"')
    .option('--metrics-tls', 'serve /metrics over TLS, to who has a password or a certificate')
    .option('--insecure', 'listen where other machines reach it, without encryption or passwords');
  withHelp(withLog(withMetricsAuth(command)), {
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
