/** Connects the coordinator and the agents to NATS. */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type NatsConnection } from 'nats';
import { UnreachableError } from '../../proto/errors.ts';
import { inboxPrefix, withoutSecrets } from '../../proto/subjects.ts';
import { errorMessage } from '../text/error-message.ts';
import { IDENTITY_FILES, type Identity } from './identity.ts';

const RECONNECT_WAIT_MS = 500;
/** An absent member of a cluster must not delay the others. */
const CONNECT_LIMIT_MS = 5_000;
/**
 * Pings detect a server whose machine lost power or network. With the client's default of two minutes, an agent would
 * stay disconnected for six minutes.
 */
const PING_EVERY_MS = 5_000;
const UNANSWERED_PINGS = 2;
const CLOSE_LIMIT_MS = 1_000;

/**
 * Connects to NATS. A lost connection is restored without a limit on the retries.
 * @param url one server, or several of a cluster separated by commas; it can contain USER:PASSWORD@ or TOKEN@
 * @param name the connection's name in the server's monitoring
 * @param identity the credentials; with them, the server must use TLS
 * @throws {UnreachableError} if no server responds, or it rejects the identity
 */
export async function connectNats(url: string, name: string, identity?: Identity): Promise<NatsConnection> {
  try {
    return await connect({
      servers: withoutSecrets(url).split(','),
      ...secretsOf(url),
      name,
      maxReconnectAttempts: -1,
      // By default, the client closes the connection for good when its login is rejected twice.
      ignoreAuthErrorAbort: true,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      timeout: CONNECT_LIMIT_MS,
      pingInterval: PING_EVERY_MS,
      maxPingOut: UNANSWERED_PINGS,
      ...(identity === undefined ? {} : secured(identity)),
    });
  } catch (error) {
    const reason = errorMessage(error);
    throw new UnreachableError(
      `no NATS server answers at ${withoutSecrets(url)} (${reason}): is nats-server -js running there` +
        `${identity === undefined ? '' : `, with TLS, and does it know the ${identity.role}${identity.role === identity.name ? '' : ` ${identity.name}`}`}?`,
      { cause: error },
    );
  }
}

/** Returns the credentials of the first URL that has some. The servers of a cluster share their users. */
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

/** The client reads the files again for each connection, so that it uses a renewed certificate. */
function secured({ role, name, dir }: Identity) {
  const { authority, certificate, key } = IDENTITY_FILES;
  const tls = { caFile: join(dir, authority), certFile: join(dir, certificate), keyFile: join(dir, key) };
  return { tls, inboxPrefix: inboxPrefix(role, name) };
}

/** Sends pending messages if the server is available, and closes the connection. */
export async function closeNats(nats: NatsConnection): Promise<void> {
  await Promise.race([nats.close(), sleep(CLOSE_LIMIT_MS)]);
}
