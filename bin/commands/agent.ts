import type { Command } from 'commander';
import { defaultDataDir } from '../../agent/data/cache.ts';
import { defaultAgentDir } from '../../agent/default-dir.ts';
import { DEFAULT_ADDRESS, DEFAULT_NATS } from '../../proto/address.ts';
import { readIdentity } from '../../proto/identity.ts';
import { untilSignal } from '../local/until-signal.ts';
import { type LogOptions, newLogger, withLog } from '../logging.ts';
import { parseCount, withHelp } from '../options.ts';
import { packOption } from '../pack-option.ts';
import { trawlVersion } from '../version.ts';

interface Options extends LogOptions {
  readonly nats?: string;
  readonly server?: string;
  readonly identity?: string;
  readonly slots?: number;
  readonly dir: string;
  readonly data: string;
  readonly workdir: string;
  readonly id?: string;
  readonly requireGpu?: true;
  readonly pack: number | 'auto';
}

async function agent(options: Options): Promise<void> {
  const log = newLogger('agent', options);
  const { startAgent } = await import('../../agent/main.ts');
  const identity = options.identity === undefined ? undefined : readIdentity(options.identity, ['agent']);
  const running = await startAgent({
    natsUrl: options.nats ?? (process.env.TRAWL_NATS || identity?.servers.nats || DEFAULT_NATS),
    server: options.server ?? (process.env.TRAWL_SERVER || identity?.servers.coordinator || DEFAULT_ADDRESS),
    identity,
    slots: options.slots,
    dir: options.dir,
    dataDir: options.data,
    workdir: options.workdir,
    id: options.id,
    requireGpu: options.requireGpu ?? false,
    pack: options.pack,
    version: trawlVersion(),
    log,
  });
  const { code } = await untilSignal();
  await running.stop();
  log.info('the agent ended');
  process.exit(code);
}

export function registerAgent(program: Command): void {
  const command = program
    .command('agent')
    .description('run an agent: it trains trials on this machine, one in each slot')
    .option('--nats <url>', `NATS server (default: TRAWL_NATS, else the identity's, else ${DEFAULT_NATS})`)
    .option(
      '--server <host:port>',
      `the coordinator (default: TRAWL_SERVER, else the identity's, else ${DEFAULT_ADDRESS})`,
    )
    .option('--identity <dir>', 'who the agent is, for servers that ask: a folder that "trawl certs agent" made')
    .option('--slots <n>', 'trials at a time (default: one a GPU, without GPUs one a core)', parseCount)
    .option('--dir <dir>', 'where records wait for the coordinator; each agent its own', defaultAgentDir())
    .option('--data <dir>', 'cache of data sets', defaultDataDir(process.env))
    .option('--workdir <dir>', "where sweeps' own programs run", '.')
    .option('--id <name>', 'what the agent is called (default: the host, and a suffix kept in --dir)')
    .option('--require-gpu', 'refuse to train on the CPU')
    .addOption(packOption());
  withHelp(withLog(command), {
    remote: false,
    examples: [
      ['trawl agent', 'for a coordinator and a NATS server on this machine'],
      ['trawl agent --identity agent-gpu-1', 'for a coordinator elsewhere: the identity says where'],
    ],
    exits: [
      [3, 'NATS could not be reached'],
      [4, 'refused: the folder is in use, or no backend fits'],
    ],
  }).action((_options: Options, self: Command) => agent(self.optsWithGlobals<Options>()));
}
