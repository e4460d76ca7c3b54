/** A nats-server with the configuration that `trawl certs` writes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Consumer, type ConsumerInfo, connect, type NatsConnection } from 'nats';
import { onTestFinished } from 'vitest';
import { findNatsBinary } from '../../bin/local/find-nats-server.ts';
import { readIdentity } from '../../lib/net/identity.ts';
import { COORDINATOR, OFFER_CONSUMER } from '../../proto/subjects.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

export interface SecuredNats {
  readonly url: string;
  /** Returns the server's log. */
  log(): string;
  /** Reloads the configuration. */
  reload(): void;
}

/**
 * Starts a server that stops at the end of the test.
 * @param dir the server's identity folder
 * @param binary the path of nats-server; default: the installed program
 */
export async function startSecuredNats(dir: string, binary?: string): Promise<SecuredNats> {
  const path = binary ?? (await findNatsBinary({ install: false })).path;
  const port = await freePort();
  const args = ['--config', 'nats.conf', '--addr', '127.0.0.1', '--port', `${port}`];
  const server = spawn(path, args, { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  server.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  onTestFinished(() => end(server));
  await until('nats-server is ready', () => {
    if (server.exitCode !== null) throw new Error(`nats-server ended:\n${log}`);
    return log.includes('Server is ready');
  });
  return { url: `tls://127.0.0.1:${port}`, log: () => log, reload: () => void server.kill('SIGHUP') };
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exit = once(server, 'exit');
  server.kill('SIGKILL');
  await exit;
}

/** Connects with the certificate in a folder. Only the server limits what the returned client can do. */
export async function connectAs(nats: SecuredNats, folder: string, inboxPrefix: string) {
  const { authority, certificate, key } = readIdentity(folder, ['agent', 'viewer', 'operator', COORDINATOR]);
  const connection = await connect({
    servers: nats.url,
    tls: { ca: `${authority}`, cert: `${certificate}`, key: `${key}` },
    inboxPrefix,
    reconnect: false,
  });
  onTestFinished(() => connection.close());
  return connection;
}

/** Returns the consumer of a stream's offers without requesting its state, because agents may not send that request. */
export function offersOf(agent: NatsConnection, stream: string): Consumer {
  const info = { stream_name: stream, name: OFFER_CONSUMER, config: {} } as ConsumerInfo;
  return agent.jetstream().consumers.getPullConsumerFor(info);
}
