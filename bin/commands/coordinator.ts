import { join } from 'node:path';
import { type Command, Option } from 'commander';
import {
  DEFAULT_DIR,
  DEFAULT_LEASE_MS,
  DEFAULT_METRICS_ADDRESS,
  MIN_LEASE_MS,
} from '../../coordinator/app/defaults.ts';
import { DEFAULT_PYTHON } from '../../coordinator/search/optuna/process.ts';
import { requireFolder } from '../../lib/files/folder.ts';
import { keepFilesPrivate } from '../../lib/files/private-files.ts';
import { DEFAULT_ADDRESS, DEFAULT_NATS, natsUrls, parseAddress } from '../../lib/net/address.ts';
import { EXIT_CANNOT_WRITE, EXIT_NOT_LEADER, isDiskFull, NotLeaderError } from '../../proto/errors.ts';
import { untilSignal } from '../local/signals.ts';
import { withAuth, withHelp } from '../options/common.ts';
import { type LogOptions, newLogger, withLog } from '../options/logging.ts';
import { type MetricsAuthOptions, metricsAuth, withMetricsAuth } from '../options/metrics-auth.ts';
import { ageOption, artifactsLocation, durationFrom, pathOption, storeLocation } from '../options/values.ts';
import { packageRoot, trawlVersion } from '../package.ts';

interface Options extends LogOptions, MetricsAuthOptions {
  readonly dir: string;
  readonly nats?: string;
  readonly listen: string;
  readonly advertise?: string;
  readonly standby: boolean;
  readonly allowLocalArtifacts?: true;
  readonly metrics: string;
  readonly lease: number;
  readonly retain?: number;
  readonly store?: string;
  readonly artifacts?: string;
  readonly identity?: string;
  readonly insecure?: true;
  readonly auth: boolean;
  readonly metricsTls?: true;
  readonly trialMetrics?: true;
  readonly python: string;
  readonly allowSamplerCode?: true;
}

async function coordinator(options: Options): Promise<void> {
  keepFilesPrivate();
  const log = await newLogger('coordinator', options);
  const exitLost = ({ message }: NotLeaderError): never => {
    log.fatal(`${message}: this coordinator stops, and no acknowledged change is lost`);
    process.exit(EXIT_NOT_LEADER);
  };
  const { startReplica } = await import('../../coordinator/replica.ts');
  // After a failed write, the state in memory is ahead of the store. The process exits at once, so that it never
  // acknowledges a change that is not stored.
  const exitBroken = (error: unknown): never => {
    if (error instanceof NotLeaderError) return exitLost(error);
    const reason = isDiskFull(error)
      ? `the disk of ${options.dir} is full: free some space, then restart the coordinator`
      : 'the store could not be written';
    log.fatal({ err: error }, `${reason}; the coordinator stops, and no acknowledged change is lost`);
    process.exit(EXIT_CANNOT_WRITE);
  };
  const running = await startReplica({
    dir: requireFolder('--dir', options.dir),
    natsUrl: natsUrls(options.nats),
    listen: parseAddress(options.listen, '--listen', 0),
    advertise: options.advertise === undefined ? undefined : parseAddress(options.advertise, '--advertise'),
    standsBy: options.standby,
    allowLocalArtifacts: options.allowLocalArtifacts ?? false,
    metrics: parseAddress(options.metrics, '--metrics', 0),
    identityDir: options.identity,
    insecure: options.insecure ?? false,
    requireToken: options.auth,
    metricsAuth: metricsAuth(options),
    metricsHosts: options.metricsHost ?? [],
    metricsTls: options.metricsTls ?? false,
    store: storeLocation(options.store),
    artifacts: artifactsLocation(options.artifacts),
    leaseMs: options.lease,
    retainMs: options.retain,
    version: trawlVersion(),
    trialMetrics: options.trialMetrics ?? false,
    python: options.python,
    allowSamplerCode: options.allowSamplerCode ?? false,
    protoDir: join(packageRoot(), 'proto'),
    log,
    onBroken: exitBroken,
    onLost: exitLost,
  }).catch((error: unknown) => {
    if (isDiskFull(error)) return exitBroken(error);
    throw error;
  });
  const { code } = await Promise.race([untilSignal(), running.failed]);
  await running.stop();
  log.info('the coordinator stopped');
  process.exit(code);
}

export function registerCoordinator(program: Command): void {
  const command = program
    .command('coordinator')
    .description('run a coordinator, which stores sweeps and offers their trials to agents')
    .option('--dir <dir>', 'data folder', pathOption, DEFAULT_DIR)
    .option(
      '--nats <urls>',
      'NATS server with JetStream, or comma-separated servers of a cluster ' +
        `(default: TRAWL_NATS, or else the identity's servers, or else ${DEFAULT_NATS})`,
    )
    .option('--listen <host:port>', 'gRPC address; port 0 picks a free port', DEFAULT_ADDRESS)
    .option(
      '--advertise <host:port>',
      'gRPC address of this coordinator for clients and agents, if several coordinators share a store ' +
        '(default: --listen, with the name of the machine instead of 0.0.0.0)',
    )
    .option('--no-standby', 'exit with code 4 if another coordinator leads the store (default: stand by)')
    .option(
      '--allow-local-artifacts',
      'stand by although artifacts are in the data folder of the leader, for sweeps without artifacts and code ' +
        '(default: exit with code 4)',
    )
    .option(
      '--metrics <host:port>',
      'address of /metrics, /sd, /healthz, /readyz and /leader; port 0 picks a free port',
      DEFAULT_METRICS_ADDRESS,
    )
    .option('--trial-metrics', 'export metrics of single trials: running trials, and the best 50 of each sweep')
    .addOption(
      new Option(
        '--lease <duration>',
        `time without a heartbeat after which an attempt is lost, at least ${MIN_LEASE_MS / 1000}s`,
      )
        .argParser(durationFrom(MIN_LEASE_MS, `${MIN_LEASE_MS / 1000}s`))
        .default(DEFAULT_LEASE_MS, `${DEFAULT_LEASE_MS / 1000}s`),
    )
    .option(
      '--store <postgres-url>',
      'keep sweeps and results in PostgreSQL 14 or later, as postgres://USER@HOST/DATABASE?sslmode=verify-full ' +
        '(default: TRAWL_STORE, or else a file in the data folder)',
    )
    .option(
      '--artifacts <s3-url>',
      'keep artifacts in an S3-compatible store, as s3://BUCKET/PREFIX?endpoint=URL&region=NAME ' +
        '(default: TRAWL_ARTIFACT_STORE, or else the location used at the last start, or else the data folder)',
    )
    .option('--python <program>', 'Python interpreter with Optuna, for sweeps with method: optuna', DEFAULT_PYTHON)
    .option(
      '--allow-sampler-code',
      'allow sweep files to name a custom sampler class (module:Class) or a Python interpreter; both run code on this machine',
    )
    .option('--retain <duration>', 'delete sweeps this long after they end (default: never)', ageOption)
    .option('--identity <dir>', 'require TLS and identities; DIR is the folder "server" from "trawl certs"', pathOption)
    .option('--metrics-tls', 'serve /metrics over TLS, and require a password or a client certificate')
    .option('--insecure', 'allow public addresses without encryption or a password');
  withAuth(command, 'each call, /metrics and /sd');
  withHelp(withLog(withMetricsAuth(command)), {
    remote: false,
    examples: [
      ['trawl coordinator --dir sweeps', 'use a NATS server at 127.0.0.1:4222'],
      [
        'trawl coordinator --identity trawl-certs/server --listen 0.0.0.0:7070',
        'accept agents on other machines (see "trawl certs")',
      ],
    ],
    exits: [
      [3, 'NATS or PostgreSQL could not be reached, or the address is in use'],
      [
        4,
        'rejected: the store is in use, damaged or newer than this trawl, PostgreSQL rejects the user or the database, ' +
          'the artifacts are not at the location in --artifacts, or an address is public (see --insecure)',
      ],
      [EXIT_NOT_LEADER, 'another coordinator of the same store leads now; when this one is restarted, it stands by'],
      [EXIT_CANNOT_WRITE, 'the store could not be written: the disk is full or broken, or PostgreSQL is unreachable'],
    ],
  }).action((_options: Options, self: Command) => coordinator(self.optsWithGlobals<Options>()));
}
