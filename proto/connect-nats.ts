/** The connection to NATS that coordinator and agents keep for their whole life. */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type NatsConnection } from 'nats';
import { UnreachableError } from './errors.ts';
import { withoutSecrets } from './subjects.ts';

const RECONNECT_WAIT_MS = 500;
/** A server that is away does not hold up the end. */
const CLOSE_LIMIT_MS = 1_000;

/**
 * Connects, and from then on reconnects for as long as it takes.
 * @param url one server, or several of a cluster with commas between
 * @param name what the server's monitoring shows
 * @throws {UnreachableError} when no server answers now
 */
export async function connectNats(url: string, name: string): Promise<NatsConnection> {
  try {
    return await connect({
      servers: url.split(','),
      name,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_WAIT_MS,
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : `${error}`;
    throw new UnreachableError(
      `no NATS server answers at ${withoutSecrets(url)} (${why}): is nats-server -js running there?`,
      { cause: error },
    );
  }
}

/** Sends what is still to be sent, if the server is there, and closes. */
export async function closeNats(nats: NatsConnection): Promise<void> {
  await Promise.race([nats.close(), sleep(CLOSE_LIMIT_MS)]);
}
