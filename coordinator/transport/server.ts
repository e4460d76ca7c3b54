/** The gRPC server, and what it refuses to be. */
import { Server, type ServerInterceptor } from '@grpc/grpc-js';
import { type Address, isLoopback } from '../../lib/net/address.ts';
import { RefusedError } from '../../proto/errors.ts';
import { type CallEnding, endingInterceptor } from './endings.ts';
import {
  CONNECTION_AGE_GRACE_MS,
  KEEPALIVE_EVERY_MS,
  KEEPALIVE_WAIT_MS,
  MAX_CONNECTION_AGE_MS,
  MAX_IDLE_MS,
  MAX_MESSAGE_BYTES,
  MAX_STREAMS,
} from './limits.ts';

/**
 * @param secured whether whoever comes has to show who they are
 * @param instead what would secure it
 * @throws {RefusedError} for an address that other machines reach, unless it is secured or `insecure` accepts that
 */
export function refuseOpenDoors(address: Address, insecure: boolean, secured: boolean, instead: string): void {
  if (insecure || secured || isLoopback(address)) return;
  throw new RefusedError(
    `${address.host}:${address.port} can be reached by other machines, and nothing here is encrypted or authenticated: ` +
      `${instead}, listen on 127.0.0.1, or accept it with --insecure on a network that you trust`,
  );
}

/**
 * @param interceptors see every call, the first first
 * @param onEnding told of every call that ends with a status
 * @param keepalive how long a silent peer is trusted; other values are for tests
 */
export function newServer(
  interceptors: ServerInterceptor[] = [],
  onEnding: (ending: CallEnding) => void = () => {},
  keepalive = { everyMs: KEEPALIVE_EVERY_MS, waitMs: KEEPALIVE_WAIT_MS },
): Server {
  return new Server({
    interceptors: [endingInterceptor(onEnding), ...interceptors],
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': MAX_STREAMS,
    'grpc.keepalive_time_ms': keepalive.everyMs,
    'grpc.keepalive_timeout_ms': keepalive.waitMs,
    'grpc.max_connection_idle_ms': MAX_IDLE_MS,
    'grpc.max_connection_age_ms': MAX_CONNECTION_AGE_MS,
    'grpc.max_connection_age_grace_ms': CONNECTION_AGE_GRACE_MS,
  });
}
