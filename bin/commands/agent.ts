import { type Command, Option } from 'commander';
import { defaultDataDir } from '../../agent/data/cache.ts';
import { defaultAgentDir } from '../../agent/folders.ts';
import { DEFAULT_ADDRESS, DEFAULT_NATS, parseAddress } from '../../lib/net/address.ts';
import { readIdentity } from '../../lib/net/identity.ts';
import { EXIT_CANNOT_WRITE, isDiskFull } from '../../proto/errors.ts';
import { untilSignals } from '../local/signals.ts';
import { durationOption, withHelp } from '../options/common.ts';
import { type LogOptions, newLogger, withLog } from '../options/logging.ts';
import { type MetricsAuthOptions, metricsAuth, withMetricsAuth } from '../options/metrics-auth.ts';
import { packOption, type SlotOptions, withSlots } from '../options/slots.ts';
import { trawlVersion } from '../package.ts';

interface Options extends LogOptions, MetricsAuthOptions, SlotOptions {
  readonly nats?: string;
  readonly server?: string;
  readonly identity?: string;
  readonly dir: string;
  readonly data: string;
  readonly workdir: string;
  readonly id?: string;
  readonly requireGpu?: true;
  readonly pack: number | 'auto';
  readonly drainGrace: number;
  readonly metrics: string;
  readonly gpuMetrics: boolean;
  readonly metricsTls?: true;
  readonly insecure?: true;
}

/** With a program's own time to stop, this is over before a service manager's usual 30 s are. */
const DEFAULT_DRAIN_GRACE_MS = 15_000;

async function agent(options: Options): Promise<void> {
  const log = newLogger('agent', options);
  const { startAgent } = await import('../../agent/main.ts');
  const identity = options.identity === undefined ? undefined : readIdentity(options.identity, ['agent']);
  const running = await startAgent({
    natsUrl: options.nats ?? (process.env.TRAWL_NATS || identity?.servers.nats || DEFAULT_NATS),
    server: options.server ?? (process.env.TRAWL_SERVER || identity?.servers.coordinator || DEFAULT_ADDRESS),
    identity,
    slots: options.slots,
    slotsPerGpu: options.slotsPerGpu,
    labels: options.label,
    dir: options.dir,
    dataDir: options.data,
    workdir: options.workdir,
    id: options.id,
    requireGpu: options.requireGpu ?? false,
    pack: options.pack,
    metrics: options.metrics === 'off' ? undefined : parseAddress(options.metrics, '--metrics', 0),
    metricsAuth: metricsAuth(options),
    metricsTls: options.metricsTls ?? false,
    gpuMetrics: options.gpuMetrics,
    insecure: options.insecure ?? false,
    version: trawlVersion(),
    log,
  }).catch((error: unknown) => {
    if (!isDiskFull(error)) throw error;
    log.fatal({ err: error }, `the disk of ${options.dir} is full: make room on it, and start the agent again`);
    process.exit(EXIT_CANNOT_WRITE);
  });
  const { first, second } = untilSignals();
  try {
    const { code } = await Promise.race([first, running.rejected]);
    log.info(
      { graceMs: options.drainGrace },
      'the agent takes nothing new, and ends once nothing runs (again: at once)',
    );
    await Promise.race([running.leave(options.drainGrace), second.then(() => running.stop())]);
    log.info('the agent ended');
    process.exit(code);
  } catch (error) {
    await running.stop();
    throw error;
  }
}

export function registerAgent(program: Command): void {
  const command = program
    .command('agent')
    .description('run an agent: it trains trials on this machine, one in each slot')
    .option(
      '--nats <urls>',
      'NATS server, or those of a cluster with commas between ' +
        `(default: TRAWL_NATS, else the identity's, else ${DEFAULT_NATS})`,
    )
    .option(
      '--server <host:port>',
      `the coordinator (default: TRAWL_SERVER, else the identity's, else ${DEFAULT_ADDRESS})`,
    )
    .option('--identity <dir>', 'who the agent is, for servers that ask: a folder that "trawl certs agent" made');
  withSlots(command)
    .option('--dir <dir>', 'where records wait for the coordinator; each agent its own', defaultAgentDir())
    .option('--data <dir>', 'cache of data sets', defaultDataDir(process.env))
    .option('--workdir <dir>', "where sweeps' own programs run", '.')
    .option('--id <name>', 'what the agent is called (default: the host, and a suffix kept in --dir)')
    .option('--require-gpu', 'refuse to train on the CPU')
    .addOption(
      new Option(
        '--drain-grace <duration>',
        'on SIGTERM or Ctrl-C, how long what runs may go on before it is handed back',
      )
        .argParser(durationOption)
        .default(DEFAULT_DRAIN_GRACE_MS, '15s'),
    )
    .addOption(packOption())
    .option(
      '--metrics <host:port>',
      'where it serves /metrics, /healthz and /readyz; port 0: a free one; off: nowhere',
      '127.0.0.1:0',
    )
    .option('--metrics-tls', 'serve /metrics over TLS, to who has a password or a certificate')
    .option('--no-gpu-metrics', 'leave the GPUs out of /metrics, where another exporter tells of them')
    .option('--insecure', 'serve /metrics where other machines reach it, without encryption or passwords');
  withHelp(withLog(withMetricsAuth(command)), {
    remote: false,
    examples: [
      ['trawl agent', 'for a coordinator and a NATS server on this machine'],
      ['trawl agent --identity agent-gpu-1', 'for a coordinator elsewhere: the identity says where'],
      ['trawl agent --slots-per-gpu 4 --label zone=a', 'four trials on each GPU, for sweeps that ask for zone a too'],
      ['trawl agent --drain-grace 1h', 'a SIGTERM lets trials of an hour finish; a second one hands them back now'],
    ],
    exits: [
      [3, 'NATS could not be reached'],
      [4, 'refused: the folder is in use, no backend fits, or the coordinator speaks another protocol'],
      [EXIT_CANNOT_WRITE, 'the disk of --dir is full'],
    ],
  }).action((_options: Options, self: Command) => agent(self.optsWithGlobals<Options>()));
}
