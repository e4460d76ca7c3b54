/** The connection to NATS that coordinator and agents keep for their whole life. */

import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type NatsConnection } from 'nats';
import { UnreachableError } from '../../proto/errors.ts';
import { inboxPrefix, withoutSecrets } from '../../proto/subjects.ts';
import { errorMessage } from '../text/error-message.ts';
import type { Identity } from './identity.ts';

const RECONNECT_WAIT_MS = 500;
/** A server that is there answers within milliseconds; one of a cluster that is not must not keep the others waiting. */
const CONNECT_LIMIT_MS = 5_000;
/**
 * A machine that loses its power, or a link that is cut, says nothing: a connection on which three pings in a row are not
 * answered is given up after 15 s, as gRPC's is. The client's own two minutes would leave an agent silent for six.
 */
const PING_EVERY_MS = 5_000;
const UNANSWERED_PINGS = 2;
/** A server that is away does not hold up the end. */
const CLOSE_LIMIT_MS = 1_000;

/**
 * Connects, and from then on reconnects for as long as it takes.
 * @param url one server, or several of a cluster with commas between
 * @param name what the server's monitoring shows
 * @param identity who connects; with one, a server that does not speak TLS is refused
 * @throws {UnreachableError} when no server answers now, or it does not take this identity
 */
export async function connectNats(url: string, name: string, identity?: Identity): Promise<NatsConnection> {
  try {
    return await connect({
      servers: url.split(','),
      name,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      timeout: CONNECT_LIMIT_MS,
      pingInterval: PING_EVERY_MS,
      maxPingOut: UNANSWERED_PINGS,
      ...(identity === undefined ? {} : secured(identity)),
    });
  } catch (error) {
    const why = errorMessage(error);
    throw new UnreachableError(
      `no NATS server answers at ${withoutSecrets(url)} (${why}): is nats-server -js running there` +
        `${identity === undefined ? '' : `, with TLS, and does it know the ${identity.role}${identity.role === identity.name ? '' : ` ${identity.name}`}`}?`,
      { cause: error },
    );
  }
}

function secured({ role, name, authority, certificate, key }: Identity) {
  const tls = { ca: authority.toString('utf8'), cert: certificate.toString('utf8'), key: key.toString('utf8') };
  return { tls, inboxPrefix: inboxPrefix(role, name) };
}

/** Sends what is still to be sent, if the server is there, and closes. */
export async function closeNats(nats: NatsConnection): Promise<void> {
  await Promise.race([nats.close(), sleep(CLOSE_LIMIT_MS)]);
}
