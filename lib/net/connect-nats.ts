/** Connects the coordinator and the agents to NATS. */

import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, Events, type NatsConnection } from 'nats';
import type { Logger } from 'pino';
import { UnreachableError } from '../../proto/errors.ts';
import { inboxPrefix, withoutSecrets } from '../../proto/subjects.ts';
import { errorMessage } from '../text/error-message.ts';
import { Backoff } from './backoff.ts';
import { IDENTITY_FILES, type Identity } from './identity.ts';
import { rejectedLogin } from './nats-state.ts';

const RECONNECT_WAIT_MS = 500;
const RECONNECT_JITTER_MS = 100;
/** The longest delay between login attempts while the server rejects them. */
const MAX_LOGIN_WAIT_MS = 5_000;
/** The time limit for the INFO message, which a server sends as soon as a client connects. */
const INFO_LIMIT_MS = 3_000;
const DEFAULT_PORT = 4222;
/**
 * The time limit for connecting to one member of a cluster. If the member does not respond in time, the next member is
 * tried.
 */
const CONNECT_LIMIT_MS = 5_000;
/**
 * Pings detect a server whose machine lost power or network. By default, the NATS client pings every two minutes, and
 * gives up only at the third ping, so an agent would not notice the loss for six minutes.
 */
const PING_EVERY_MS = 5_000;
const UNANSWERED_PINGS = 2;
const CLOSE_LIMIT_MS = 1_000;

/**
 * Connects to NATS. If the connection is lost, the client retries without a limit.
 * @param url the URL of a server, or the URLs of a cluster's servers, separated by commas; a URL can contain
 * USER:PASSWORD@ or TOKEN@
 * @param name the connection's name in the server's monitoring
 * @param identity the credentials; if given, the server must use TLS
 * @throws {UnreachableError} if no server responds, or the server rejects the login
 */
export async function connectNats(url: string, name: string, identity?: Identity): Promise<NatsConnection> {
  const delay = new ReconnectDelay();
  try {
    const nats = await connect({
      servers: withoutSecrets(url).split(','),
      ...secretsOf(url),
      name,
      maxReconnectAttempts: -1,
      // By default, the client closes the connection permanently when its login is rejected twice.
      ignoreAuthErrorAbort: true,
      reconnectDelayHandler: () => delay.next(),
      timeout: CONNECT_LIMIT_MS,
      pingInterval: PING_EVERY_MS,
      maxPingOut: UNANSWERED_PINGS,
      // Without this option, the client records a stack trace for each request, even if the request succeeds.
      noAsyncTraces: true,
      ...(identity === undefined ? {} : secured(identity)),
    });
    void delay.follow(nats);
    return nats;
  } catch (error) {
    const reason = errorMessage(error);
    throw new UnreachableError(
      `no NATS server answers at ${withoutSecrets(url)} (${reason}): is nats-server -js running there` +
        `${identity === undefined ? '' : `, with TLS, and does it know the ${identity.role}${identity.role === identity.name ? '' : ` ${identity.name}`}`}?`,
      { cause: error },
    );
  }
}

/**
 * Connects to NATS, and retries while a server answers but does not accept the login (a wrong password, an expired
 * certificate, a limit on connections). Logs one line at the first rejection, and another line when the login is
 * accepted.
 * @param onProblem called with the reason at each rejection, and with undefined when the login is accepted
 * @throws {UnreachableError} if no server answers
 */
export async function awaitNats(
  url: string,
  name: string,
  identity: Identity | undefined,
  log: Logger,
  onProblem: (problem: string | undefined) => void = () => {},
): Promise<NatsConnection> {
  const backoff = new Backoff(RECONNECT_WAIT_MS, MAX_LOGIN_WAIT_MS);
  for (let isFirst = true; ; isFirst = false) {
    try {
      const nats = await connectNats(url, name, identity);
      if (!isFirst) log.info('NATS accepts the login');
      onProblem(undefined);
      return nats;
    } catch (error) {
      if (!(await isNatsServer(url))) throw error;
      const { cause } = error as Error;
      const reason = errorMessage(cause);
      if (isFirst) log.warn({ reason, nats: withoutSecrets(url) }, 'NATS does not accept the login; retrying');
      onProblem(`NATS does not accept the login: ${reason}`);
    }
    await sleep(backoff.next());
  }
}

/** Whether one of the servers sends the INFO message, with which a NATS server greets every client. */
async function isNatsServer(urls: string): Promise<boolean> {
  const answers = await Promise.all(withoutSecrets(urls).split(',').map(sendsInfo));
  return answers.includes(true);
}

function sendsInfo(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url.includes('://') ? url : `nats://${url}`);
  return new Promise((resolve) => {
    const socket = connectTcp({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || DEFAULT_PORT) });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(INFO_LIMIT_MS, () => end(false));
    socket.once('data', (data) => end(data.toString('latin1').startsWith('INFO ')));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}

/** Computes the delay before each attempt to reconnect. The delay increases while the server rejects the login. */
class ReconnectDelay {
  readonly #backoff = new Backoff(RECONNECT_WAIT_MS, MAX_LOGIN_WAIT_MS);
  #ms = RECONNECT_WAIT_MS;

  next(): number {
    return this.#ms + Math.random() * RECONNECT_JITTER_MS;
  }

  async follow(nats: NatsConnection): Promise<void> {
    for await (const { type, data } of nats.status()) {
      if (type === Events.Error && rejectedLogin(data) !== undefined) this.#ms = this.#backoff.next();
      else if (type === Events.Reconnect) {
        this.#backoff.reset();
        this.#ms = RECONNECT_WAIT_MS;
      }
    }
  }
}

/** Returns the credentials of the first URL with credentials. All servers of a cluster accept the same users. */
function secretsOf(urls: string): { user?: string; pass?: string; token?: string } {
  const secrets = /^(?:[a-z+]+:\/\/)?(?<user>[^:@,]*)(?::(?<pass>[^@,]*))?@/i;
  for (const url of urls.split(',')) {
    const { user, pass } = secrets.exec(url)?.groups ?? {};
    if (user === undefined) continue;
    return pass === undefined
      ? { token: decodeURIComponent(user) }
      : { user: decodeURIComponent(user), pass: decodeURIComponent(pass) };
  }
  return {};
}

/**
 * Returns the options for TLS. The NATS client reads the files for each new connection, so it uses a renewed
 * certificate without a restart.
 */
function secured({ role, name, dir }: Identity) {
  const { authority, certificate, key } = IDENTITY_FILES;
  const tls = { caFile: join(dir, authority), certFile: join(dir, certificate), keyFile: join(dir, key) };
  return { tls, inboxPrefix: inboxPrefix(role, name) };
}

/** Sends pending messages if the server is available, and closes the connection. */
export async function closeNats(nats: NatsConnection): Promise<void> {
  await Promise.race([nats.close(), sleep(CLOSE_LIMIT_MS)]);
}
