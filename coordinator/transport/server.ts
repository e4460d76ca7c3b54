/** The gRPC server: where it listens, and what it refuses to. */
import { Server, ServerCredentials, type ServerInterceptor } from '@grpc/grpc-js';
import { type Address, isLoopback } from '../../proto/address.ts';
import { RefusedError, UnreachableError } from '../../proto/errors.ts';

/** Larger messages are refused: a sweep file, or a batch of trials, is far smaller. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** @throws {RefusedError} for an address that other machines reach, unless `insecure` accepts that */
export function refuseOpenDoors(address: Address, insecure: boolean): void {
  if (insecure || isLoopback(address)) return;
  throw new RefusedError(
    `${address.host}:${address.port} can be reached by other machines, and nothing here is encrypted or authenticated ` +
      'yet: listen on 127.0.0.1, or accept it with --insecure on a network that you trust',
  );
}

/** @param interceptors see every call, the first first */
export function newServer(interceptors: ServerInterceptor[] = []): Server {
  return new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    // A peer that went away without a word is noticed, and its stream closed.
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
    interceptors,
  });
}

/** @returns the address that it listens on, its port chosen by the system when 0 was asked for */
export function listen(server: Server, address: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${address.host}:${address.port}`, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve({ host: address.host, port });
      else reject(new UnreachableError(`cannot listen on ${address.host}:${address.port}: ${error.message}`));
    });
  });
}
