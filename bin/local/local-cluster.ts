/** Everything on this machine, for `trawl up`: nats-server, a coordinator and an agent, each its own process. */

import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CoordinatorFile, readCoordinatorFile, removeCoordinatorFile } from '../../lib/files/coordinator-file.ts';
import { UnreachableError } from '../../proto/errors.ts';
import { type SlotOptions, slotFlags } from '../options/slots.ts';
import { packageRoot } from '../package.ts';
import { KeptRunning, type Started, spawnTied } from './child-process.ts';
import { startNatsServer } from './nats-server.ts';

export interface LocalClusterOptions {
  readonly dir: string;
  /** A running server; undefined: one of our own. */
  readonly natsUrl: string | undefined;
  readonly slots: SlotOptions;
  readonly dataDir: string | undefined;
  /** Where programs of the user's own run. */
  readonly workdir: string;
  readonly requireGpu: boolean;
  /** As the agent's --pack takes it. */
  readonly pack: number | 'auto';
  readonly logLevel: string;
  /** One line for a person. */
  readonly say: (line: string) => void;
}

export interface LocalCluster {
  /** HOST:PORT of the coordinator. */
  readonly address: string;
  /** HOST:PORT of its metrics. */
  readonly metrics: string;
  /** Rejects when a part cannot be kept running. */
  readonly broken: Promise<never>;
  stop(): Promise<void>;
}

/** From start to its address in the folder: reading a large store takes a while. */
const COORDINATOR_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 8_000;
const POLL_MS = 20;
const LOG_LINES_SHOWN = 5;

/** @throws {UnreachableError} when a part does not start; the message ends with its log */
export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const { dir, say } = options;
  mkdirSync(join(dir, 'logs'), { recursive: true });
  let fail: (error: Error) => void = () => {};
  const broken = new Promise<never>((_, reject) => {
    fail = reject;
  });
  broken.catch(() => {});
  const parts: KeptRunning[] = [];
  const keep = async (name: string, start: () => Promise<Started>) => {
    const part = new KeptRunning(
      name,
      start,
      (who, code) => say(`${who} ended (code ${code}); it is started again`),
      (who, code) => fail(new UnreachableError(`${who} cannot be kept running (code ${code}); ${logEnd(dir, who)}`)),
    );
    await part.begin();
    parts.push(part);
  };
  const stop = async () => {
    for (const part of parts.toReversed()) await part.stop();
  };
  try {
    let natsUrl = options.natsUrl ?? '';
    let natsPort: number | undefined;
    if (options.natsUrl === undefined) {
      await keep('nats-server', async () => {
        const port = natsPort === undefined ? {} : { port: natsPort };
        const server = await startNatsServer({ storeDir: join(dir, 'nats'), ...port });
        natsPort = server.port;
        natsUrl = server.url;
        return server;
      });
    }
    let at: Pick<CoordinatorFile, 'address' | 'metrics'> = { address: '127.0.0.1:0', metrics: '127.0.0.1:0' };
    await keep('coordinator', async () => {
      const where = ['--listen', at.address, '--metrics', at.metrics];
      const process = startPart(options, 'coordinator', ['--dir', dir, '--nats', natsUrl, ...where]);
      at = await coordinatorUp(dir, process);
      return process;
    });
    const agentDir = join(dir, 'agent');
    await keep('agent', async () =>
      startPart(options, 'agent', [
        ...['--nats', natsUrl, '--server', at.address, '--dir', agentDir, '--workdir', options.workdir],
        ...slotFlags(options.slots),
        ...(options.dataDir === undefined ? [] : ['--data', options.dataDir]),
        ...(options.requireGpu ? ['--require-gpu'] : []),
        ...['--pack', `${options.pack}`],
        // Who presses Ctrl-C wants to go: what runs goes on from its checkpoints the next time.
        ...['--drain-grace', '0s'],
      ]),
    );
    return { ...at, broken, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function startPart({ dir, logLevel }: LocalClusterOptions, verb: string, args: readonly string[]): Started {
  if (verb === 'coordinator') removeCoordinatorFile(dir);
  const log = openSync(logFile(dir, verb), 'a');
  const program = join(packageRoot(), 'bin', 'trawl.mjs');
  const logging = ['--log-level', logLevel, '--log-format', 'json'];
  const child = spawnTied(process.execPath, [program, verb, ...args, ...logging], log);
  closeSync(log);
  // The pipe only holds the two together: nothing is said through it.
  child.stdin?.on('error', () => {});
  const exited = new Promise<{ code: number }>((settle) => {
    child.once('error', () => settle({ code: 127 }));
    child.once('exit', (code, signal) =>
      settle({ code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) }),
    );
  });
  return {
    exited,
    async stop() {
      child.stdin?.end();
      await Promise.race([exited, sleep(STOP_LIMIT_MS, undefined, { ref: false })]);
    },
  };
}

async function coordinatorUp(dir: string, process: Started): Promise<CoordinatorFile> {
  let gone = false;
  const markGone = () => {
    gone = true;
  };
  process.exited.then(markGone, markGone);
  for (const since = performance.now(); performance.now() - since < COORDINATOR_LIMIT_MS; await sleep(POLL_MS)) {
    const file = readCoordinatorFile(dir);
    if (file !== undefined) return file;
    if (gone) break;
  }
  throw new UnreachableError(`the coordinator did not start; ${logEnd(dir, 'coordinator')}`);
}

function logFile(dir: string, part: string): string {
  return part === 'nats-server' ? join(dir, 'nats', 'nats-server.log') : join(dir, 'logs', `${part}.log`);
}

function logEnd(dir: string, part: string): string {
  const file = logFile(dir, part);
  if (!existsSync(file)) return `it left no log at ${file}`;
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN);
  return `its log ${file} ends:\n${lines.join('\n')}`;
}
