import { type Command, Option } from 'commander';
import { defaultDataDir } from '../../agent/data/cache.ts';
import { defaultAgentDir } from '../../agent/folders.ts';
import { requireExistingFolder, requireFolder } from '../../lib/files/folder.ts';
import { findLocalCoordinator, type LocalCoordinator } from '../../lib/files/local-coordinators.ts';
import { keepFilesPrivate } from '../../lib/files/private-files.ts';
import { tokenFile } from '../../lib/files/token-file.ts';
import { coordinatorAddresses, DEFAULT_ADDRESS, DEFAULT_NATS, natsUrls, parseAddress } from '../../lib/net/address.ts';
import { readIdentity } from '../../lib/net/identity.ts';
import { NO_TOKENS, tokenSources } from '../../lib/net/token-source.ts';
import { EXIT, EXIT_CANNOT_WRITE, isDiskFull } from '../../proto/errors.ts';
import { withoutSecrets } from '../../proto/subjects.ts';
import { untilSignals } from '../local/signals.ts';
import { TOKEN_FILE_HELP, withAuth, withHelp } from '../options/common.ts';
import { type LogOptions, newLogger, withLog } from '../options/logging.ts';
import { type MetricsAuthOptions, metricsAuth, withMetricsAuth } from '../options/metrics-auth.ts';
import { packOption, type SlotOptions, withSlots } from '../options/slots.ts';
import { durationOption, pathOption } from '../options/values.ts';
import { trawlVersion } from '../package.ts';

interface Options extends LogOptions, MetricsAuthOptions, SlotOptions {
  readonly nats?: string;
  readonly server?: string;
  readonly identity?: string;
  readonly tokenFile?: string;
  readonly auth: boolean;
  readonly dir: string;
  readonly data: string;
  readonly workdir: string;
  readonly id?: string;
  readonly requireGpu?: true;
  readonly pack: number | 'auto';
  readonly drainGrace: number;
  readonly idleTimeout?: number;
  readonly maxTime?: number;
  readonly metrics: string;
  readonly gpuMetrics: boolean;
  readonly metricsTls?: true;
  readonly insecure?: true;
}

/**
 * This grace period plus the time limit for stopping a program is less than 30 s. By default, Kubernetes kills a
 * container that has not stopped after 30 s.
 */
const DEFAULT_DRAIN_GRACE_MS = 15_000;

async function agent(options: Options): Promise<void> {
  keepFilesPrivate();
  const log = await newLogger('agent', options);
  const { startAgent } = await import('../../agent/main.ts');
  requireExistingFolder('--workdir', options.workdir);
  const identity = options.identity === undefined ? undefined : readIdentity(options.identity, ['agent']);
  const servers = coordinatorAddresses(options.server, identity?.servers.coordinator);
  const local = identity === undefined ? localCoordinator(servers) : undefined;
  const running = await startAgent({
    natsUrl: natsUrlOf(natsUrls(options.nats) ?? identity?.servers.nats, local),
    servers,
    identity,
    tokenOf: identity === undefined ? tokenSources(servers, options.tokenFile) : NO_TOKENS,
    tokenPath: options.tokenFile ?? (local === undefined ? undefined : tokenFile(local.dir)),
    requireToken: options.auth,
    slots: options.slots,
    slotsPerGpu: options.slotsPerGpu,
    labels: options.label,
    dir: requireFolder('--dir', options.dir),
    dataDir: options.data,
    workdir: options.workdir,
    id: options.id,
    requireGpu: options.requireGpu ?? false,
    pack: options.pack,
    metrics: options.metrics === 'off' ? undefined : parseAddress(options.metrics, '--metrics', 0),
    metricsAuth: metricsAuth(options),
    metricsHosts: options.metricsHost ?? [],
    metricsTls: options.metricsTls ?? false,
    gpuMetrics: options.gpuMetrics,
    insecure: options.insecure ?? false,
    version: trawlVersion(),
    log,
  }).catch((error: unknown) => {
    if (!isDiskFull(error)) throw error;
    log.fatal({ err: error }, `the disk of ${options.dir} is full: free some space, then restart the agent`);
    process.exit(EXIT_CANNOT_WRITE);
  });
  const { first, second } = untilSignals();
  try {
    const limits = { idleTimeoutMs: options.idleTimeout, maxTimeMs: options.maxTime };
    const over = running.untilOver(limits).then((limit) => {
      log.info({ limit }, `the agent reached --${limit} and shuts down`);
      return { code: EXIT.done };
    });
    const { code } = await Promise.race([first, over, running.rejected]);
    log.info(
      { graceMs: options.drainGrace },
      'draining: the agent takes no new trials and exits when running attempts end (a second signal stops it now)',
    );
    await Promise.race([running.leave(options.drainGrace), second.then(() => running.stop())]);
    log.info('the agent stopped');
    process.exit(code);
  } catch (error) {
    await running.stop();
    throw error;
  }
}

/** Returns the first of the given coordinators that this user runs on this machine. */
function localCoordinator(servers: readonly string[]): LocalCoordinator | undefined {
  const found = servers.map((server) => findLocalCoordinator(parseAddress(server, '--server')));
  return found.find((each) => each !== undefined);
}

/**
 * Returns the URL of NATS: the given URL, or else the URL from the coordinator on this machine. If both URLs name the
 * same server, returns the coordinator's URL, which has the password.
 */
function natsUrlOf(given: string | undefined, local: LocalCoordinator | undefined): string {
  if (local === undefined) return given ?? DEFAULT_NATS;
  return given === undefined || given === withoutSecrets(local.nats) ? local.nats : given;
}

export function registerAgent(program: Command): void {
  const command = program
    .command('agent')
    .description('run an agent, which runs trials on this machine: one trial, or one pack of trials, per slot')
    .option(
      '--nats <urls>',
      'NATS server, or comma-separated servers of a cluster ' +
        "(default: TRAWL_NATS, or else the identity's servers, or else the server of a coordinator on this machine, " +
        `or else ${DEFAULT_NATS})`,
    )
    .option(
      '--server <host:port>',
      `coordinator, or comma-separated coordinators of one store (default: TRAWL_SERVER, or else the identity's coordinator, or else ${DEFAULT_ADDRESS})`,
    )
    .option(
      '--identity <dir>',
      'identity of the agent, created by "trawl certs agent", for servers that require one',
      pathOption,
    )
    .option('--token-file <file>', TOKEN_FILE_HELP, pathOption);
  withSlots(command)
    .option('--dir <dir>', 'spool of unsent reports; each agent needs a separate folder', pathOption, defaultAgentDir())
    .option('--data <dir>', 'data set cache', pathOption, defaultDataDir(process.env))
    .option('--workdir <dir>', 'working directory of user programs', pathOption, '.')
    .option(
      '--id <name>',
      'agent id (default: the name in --identity, or else an id stored in --dir, made from the host name)',
    )
    .option('--require-gpu', 'fail instead of training on the CPU')
    .addOption(
      new Option(
        '--drain-grace <duration>',
        'time that running attempts get to finish after SIGTERM or Ctrl-C, before they are handed back',
      )
        .argParser(durationOption)
        .default(DEFAULT_DRAIN_GRACE_MS, '15s'),
    )
    .option(
      '--idle-timeout <duration>',
      'exit with code 0 when no trial has run for this time (default: never)',
      durationOption,
    )
    .option(
      '--max-time <duration>',
      'after this time, take no new trials, wait up to --drain-grace for running ones, and exit with code 0 (default: never)',
      durationOption,
    )
    .addOption(packOption())
    .option(
      '--metrics <host:port>',
      'address of /metrics, /healthz and /readyz; port 0 picks a free port; off disables them',
      '127.0.0.1:0',
    )
    .option('--metrics-tls', 'serve /metrics over TLS, and require a password or a client certificate')
    .option('--no-gpu-metrics', 'omit GPU metrics, for machines with another GPU exporter')
    .option('--insecure', 'allow /metrics on a public address without encryption or a password');
  withAuth(command, '/metrics');
  withHelp(withLog(withMetricsAuth(command)), {
    remote: false,
    examples: [
      ['trawl agent', 'connect to a coordinator and a NATS server on this machine'],
      ['trawl agent --identity agent-gpu-1', 'connect to the servers that the identity names'],
      ['trawl agent --slots-per-gpu 4 --label zone=a', 'four slots per GPU, and a label for placement'],
      ['trawl agent --idle-timeout 10m --max-time 7h', 'in a batch job: free the machine when there is nothing to do'],
      ['trawl agent --drain-grace 1h', 'on SIGTERM, wait up to an hour; a second SIGTERM hands attempts back now'],
    ],
    exits: [
      [3, 'NATS could not be reached'],
      [4, 'rejected: --dir or --id is in use, no backend is usable, or the coordinator uses another protocol version'],
      [EXIT_CANNOT_WRITE, 'the disk of --dir is full'],
    ],
  }).action((_options: Options, self: Command) => {
    const options = self.optsWithGlobals<Options>();
    // An agent that trains only users' programs needs no data cache, so an unusable default folder is not an error.
    if (self.getOptionValueSource('data') === 'cli') requireFolder('--data', options.data);
    return agent(options);
  });
}
