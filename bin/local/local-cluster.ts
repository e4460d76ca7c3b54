/** Runs the processes of `trawl up` on this machine: nats-server, a coordinator and an agent. */
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CoordinatorFile, readCoordinatorFile, removeCoordinatorFile } from '../../lib/files/coordinator-file.ts';
import { claimPrivateFolder, tightenedText } from '../../lib/files/private-files.ts';
import { NO_AUTH_TEXT, tokenFile } from '../../lib/files/token-file.ts';
import { EXIT, RejectedError, UnreachableError } from '../../proto/errors.ts';
import { type SlotOptions, slotFlags } from '../options/slots.ts';
import { packageRoot } from '../package.ts';
import { exitOf, type RunningProcess, SupervisedProcess, spawnBound } from './child-process.ts';
import { startNatsServer } from './nats-server.ts';

export interface LocalClusterOptions {
  readonly dir: string;
  /** URL of a running NATS server. If undefined, a server is started. */
  readonly natsUrl: string | undefined;
  readonly slots: SlotOptions;
  readonly dataDir: string | undefined;
  /** Working directory of user programs. */
  readonly workdir: string;
  readonly requireGpu: boolean;
  /** Value of the agent's --pack. */
  readonly pack: number | 'auto';
  readonly logLevel: string;
  /** Whether the coordinator requires its token. */
  readonly requireToken: boolean;
  /** The value of the coordinator's --artifacts. */
  readonly artifacts?: string | undefined;
  /** Called with messages for the user. */
  readonly report: (line: string) => void;
  /** Called with each step of the start, such as `starting the coordinator`. */
  readonly onStep?: (step: string) => void;
}

export interface LocalCluster {
  /** HOST:PORT of the coordinator. */
  readonly address: string;
  /** HOST:PORT of the coordinator's metrics. */
  readonly metrics: string;
  /** The file with the coordinator's token. */
  readonly tokenFile: string;
  /** Rejects when a process has failed and is no longer restarted. */
  readonly broken: Promise<never>;
  stop(): Promise<void>;
}

/** The time limit for the start of the coordinator. It is long, because loading a large store is slow. */
const COORDINATOR_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 8_000;
const POLL_MS = 20;
const LOG_LINES_SHOWN = 5;

/**
 * Starts the processes, and resolves once the coordinator accepts connections.
 * @throws {UnreachableError} when nats-server or the coordinator does not start; the message has the end of the log
 * @throws {RejectedError} when the coordinator rejects the store, for example because a newer version of trawl wrote it
 */
export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const { dir, requireToken, report } = options;
  const auth = requireToken ? [] : ['--no-auth'];
  if (!requireToken) report(NO_AUTH_TEXT);
  if (claimPrivateFolder(dir)) report(tightenedText(dir));
  claimPrivateFolder(join(dir, 'logs'));
  let fail: (error: Error) => void = () => {};
  const broken = new Promise<never>((_, reject) => {
    fail = reject;
  });
  broken.catch(() => {});
  const processes: SupervisedProcess[] = [];
  const supervise = async (name: string, start: () => Promise<RunningProcess>) => {
    const supervised = new SupervisedProcess({
      start,
      onRestart: (code) => report(`${name} exited with code ${code}; restarting it`),
      onFailed: (code) => fail(new UnreachableError(`${name} keeps failing (exit code ${code}); ${logEnd(dir, name)}`)),
    });
    await supervised.start();
    processes.push(supervised);
  };
  const stop = async () => {
    for (const supervised of processes.toReversed()) await supervised.stop();
  };
  try {
    let natsUrl = options.natsUrl ?? '';
    let natsPort: number | undefined;
    if (options.natsUrl === undefined) {
      options.onStep?.('starting nats-server');
      await supervise('nats-server', async () => {
        const port = natsPort === undefined ? {} : { port: natsPort };
        const server = await startNatsServer({ storeDir: join(dir, 'nats'), ...port });
        natsPort = server.port;
        natsUrl = server.url;
        return server;
      });
    }
    let at: Pick<CoordinatorFile, 'address' | 'metrics'> = { address: '127.0.0.1:0', metrics: '127.0.0.1:0' };
    options.onStep?.('starting the coordinator');
    await supervise('coordinator', async () => {
      const addresses = ['--listen', at.address, '--metrics', at.metrics];
      const artifacts = options.artifacts === undefined ? [] : ['--artifacts', options.artifacts];
      // Sweep files can name a sampler, which runs code. Without a token, other users could submit such a file.
      const permitted = requireToken ? ['--allow-sampler-code'] : [];
      const args = ['--dir', dir, ...addresses, '--no-standby', ...artifacts, ...auth, ...permitted];
      const process = startVerb(options, 'coordinator', args, natsUrl);
      at = await coordinatorAddress(dir, process);
      return process;
    });
    const agentDir = join(dir, 'agent');
    options.onStep?.('starting the agent');
    await supervise('agent', async () =>
      startVerb(
        options,
        'agent',
        [
          ...['--server', at.address, '--dir', agentDir, '--workdir', options.workdir],
          ...slotFlags(options.slots),
          ...auth,
          ...['--token-file', tokenFile(dir)],
          ...(options.dataDir === undefined ? [] : ['--data', options.dataDir]),
          ...(options.requireGpu ? ['--require-gpu'] : []),
          ...['--pack', `${options.pack}`],
          // Ctrl-C should exit quickly. Interrupted trials resume from their checkpoints at the next start.
          ...['--drain-grace', '0s'],
        ],
        natsUrl,
      ),
    );
    return { ...at, tokenFile: tokenFile(dir), broken, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Starts a verb in a separate process. The URL of NATS contains a password, so it is passed in the environment: every
 * user of the machine can read command lines.
 */
function startVerb(
  { dir, logLevel }: LocalClusterOptions,
  verb: string,
  args: readonly string[],
  natsUrl: string,
): RunningProcess {
  if (verb === 'coordinator') removeCoordinatorFile(dir);
  const log = openSync(logFile(dir, verb), 'a');
  const program = join(packageRoot(), 'bin', 'trawl.mjs');
  const logging = ['--log-level', logLevel, '--log-format', 'json'];
  // A TRAWL_TOKEN in the environment belongs to another coordinator, so it is not passed on.
  const environment = { ...process.env, TRAWL_NATS: natsUrl, TRAWL_TOKEN: '' };
  const child = spawnBound(process.execPath, [program, verb, ...args, ...logging], log, environment);
  closeSync(log);
  const exited = exitOf(child);
  return {
    exited,
    async stop() {
      child.stdin?.end();
      await Promise.race([exited, sleep(STOP_LIMIT_MS, undefined, { ref: false })]);
    },
  };
}

async function coordinatorAddress(dir: string, process: RunningProcess): Promise<CoordinatorFile> {
  let exitCode: number | undefined;
  void process.exited.then(({ code }) => {
    exitCode = code;
  });
  for (const since = performance.now(); performance.now() - since < COORDINATOR_LIMIT_MS; await sleep(POLL_MS)) {
    const file = readCoordinatorFile(dir);
    if (file !== undefined) return file;
    if (exitCode !== undefined) break;
  }
  const message = `the coordinator did not start; ${logEnd(dir, 'coordinator')}`;
  throw exitCode === EXIT.rejected ? new RejectedError(message) : new UnreachableError(message);
}

function logFile(dir: string, name: string): string {
  return name === 'nats-server' ? join(dir, 'nats', 'nats-server.log') : join(dir, 'logs', `${name}.log`);
}

function logEnd(dir: string, name: string): string {
  const file = logFile(dir, name);
  if (!existsSync(file)) return `it wrote no log to ${file}`;
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN);
  return `end of its log ${file}:\n${lines.join('\n')}`;
}
