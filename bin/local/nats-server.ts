import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UnreachableError } from '../../proto/errors.ts';
import { spawnTied } from './child-process.ts';
import { askNatsServer, findNatsBinary } from './find-nats-server.ts';

/** Everything that a nats-server of trawl's own needs to know, as its configuration file. */
interface NatsConfig {
  host: string;
  /** -1 lets the server choose a free one. */
  port: number;
  /** Where JetStream keeps its streams, and the server its process id and ports. */
  storeDir: string;
  /** Bytes that streams in memory may take; the server's own default is 75 % of the machine. */
  maxMemoryBytes: number;
}

const PID_FILE = 'nats-server.pid';

/** Text of the file. JSON's strings are valid there, whatever characters a path has. */
function natsConfig({ host, port, storeDir, maxMemoryBytes }: NatsConfig): string {
  const text = (value: string) => JSON.stringify(value);
  return `# Written by trawl on every start of this server.
host: ${text(host)}
port: ${port}
pid_file: ${text(`${storeDir}/${PID_FILE}`)}
ports_file_dir: ${text(storeDir)}
jetstream {
  store_dir: ${text(storeDir)}
  max_memory_store: ${maxMemoryBytes}
}
`;
}

/**
 * The command line of a live process, its arguments separated by spaces, or null if there is none of that id. Tells
 * whether an id read from a file is still the process that wrote it.
 */
export function processCommand(pid: number): string | null {
  try {
    const command = existsSync('/proc/self/cmdline')
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      : execFileSync('ps', ['-p', `${pid}`, '-o', 'command='], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        });
    return command.trim() || null;
  } catch {
    return null;
  }
}

/** A nats-server of trawl's own, for `trawl up` and for tests. */

/** From start to answer; JetStream reads its streams first, which takes long after a crash with many messages. */
const START_LIMIT_MS = 20_000;
/** A polite stop writes the streams out; after this the server is killed. */
const STOP_LIMIT_MS = 5_000;
const POLL_MS = 20;
const DEFAULT_MAX_MEMORY_BYTES = 64 * 2 ** 20;
const LOG_FILE = 'nats-server.log';
const LOG_LINES_SHOWN = 8;

export interface NatsServerOptions {
  /** Folder for streams, configuration and log; made if missing. One server at a time. */
  storeDir: string;
  /** Default: a free one, chosen by the server. */
  port?: number;
  /** Default: 127.0.0.1. */
  host?: string;
  /** Bytes for streams in memory. Default: 64 MiB; trawl's streams are on disk. */
  maxMemory?: number;
  /** The program. Default: the one that findNatsBinary finds without installing. */
  binary?: string;
}

export interface LocalNatsServer {
  url: string;
  port: number;
  /** Of nats-server itself. */
  pid: number;
  /** Settles when the server is gone, however it went; the code is 128 + number for a signal. */
  exited: Promise<{ code: number }>;
  /** Stops it and resolves once it is gone; safe to call again. */
  stop(): Promise<void>;
}

/**
 * Starts nats-server with JetStream and resolves once it answers. It ends when this process does, even by SIGKILL.
 * A server that an earlier, killed process left in the same folder, still on its way out, is waited for.
 * @throws {UnreachableError} no program was found, or it did not start; the message ends with its log
 */
export async function startNatsServer(options: NatsServerOptions): Promise<LocalNatsServer> {
  const { port = -1, host = '127.0.0.1', maxMemory = DEFAULT_MAX_MEMORY_BYTES } = options;
  const storeDir = resolve(options.storeDir);
  const binary = options.binary ?? (await findNatsBinary({ install: false })).path;
  mkdirSync(storeDir, { recursive: true });
  const configFile = join(storeDir, 'nats-server.conf');
  await previousServerGone(storeDir, configFile);
  writeFileSync(configFile, natsConfig({ host, port, storeDir, maxMemoryBytes: maxMemory }));
  const log = openSync(join(storeDir, LOG_FILE), 'a');
  const child = spawnTied(binary, ['--config', configFile], log);
  closeSync(log);
  let running = true;
  const exited = new Promise<{ code: number }>((settle) => {
    child.once('error', () => settle({ code: 127 }));
    child.once('exit', (code, signal) =>
      settle({ code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) }),
    );
  }).finally(() => {
    running = false;
  });
  // Writing to a pipe whose reader is gone is not an error here: there is nothing to be told.
  child.stdin?.on('error', () => {});

  const stop = async (): Promise<void> => {
    child.stdin?.end();
    const pid = readPid(storeDir);
    const killer = setTimeout(() => running && pid !== null && kill(pid), STOP_LIMIT_MS);
    await exited;
    clearTimeout(killer);
  };

  const deadlineMs = performance.now() + START_LIMIT_MS;
  while (running && performance.now() < deadlineMs) {
    const found = await answering(storeDir);
    if (found !== null) return { ...found, exited, stop };
    await Promise.race([sleep(POLL_MS), exited]);
  }
  const how = running ? `did not answer within ${START_LIMIT_MS / 1000} s` : 'ended while starting';
  await stop();
  throw new UnreachableError(`nats-server (${binary}) ${how}; its log ends:\n${logEnd(storeDir)}`);
}

/** The server writes its addresses to a file once it listens. */
async function answering(storeDir: string): Promise<{ url: string; port: number; pid: number } | null> {
  const name = portsFiles(storeDir)[0];
  const pid = readPid(storeDir);
  if (name === undefined || pid === null) return null;
  const url = /"(nats:\/\/[^"]+)"/.exec(readFileSync(join(storeDir, name), 'utf8'))?.[1];
  if (url === undefined) return null;
  const info = await askNatsServer(url).catch(() => null);
  return info?.jetstream ? { url, port: Number(new URL(url).port), pid } : null;
}

function portsFiles(storeDir: string): string[] {
  return readdirSync(storeDir).filter((name) => name.endsWith('.ports'));
}

/** Two servers on one folder would damage the streams. */
async function previousServerGone(storeDir: string, configFile: string): Promise<void> {
  const deadlineMs = performance.now() + STOP_LIMIT_MS;
  for (;;) {
    const pid = readPid(storeDir);
    if (pid === null || !processCommand(pid)?.includes(configFile)) break;
    if (performance.now() > deadlineMs) {
      throw new UnreachableError(`another nats-server (process ${pid}) already uses ${storeDir}`);
    }
    await sleep(POLL_MS);
  }
  for (const name of [PID_FILE, ...portsFiles(storeDir)]) rmSync(join(storeDir, name), { force: true });
}

function readPid(storeDir: string): number | null {
  try {
    const pid = Number.parseInt(readFileSync(join(storeDir, PID_FILE), 'utf8'), 10);
    return Number.isNaN(pid) ? null : pid;
  } catch {
    return null;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It went between the look and the kill, which is what was wanted.
  }
}

function logEnd(storeDir: string): string {
  const lines = readFileSync(join(storeDir, LOG_FILE), 'utf8').trimEnd().split('\n');
  return lines.slice(-LOG_LINES_SHOWN).join('\n');
}
