/**
 * Opens the socket in front of the gRPC server. The listener terminates TLS, so that an untrusted peer is rejected,
 * logged and counted by reason, and never reaches HTTP/2.
 */
import { createServer, type Server, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import { type Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import type { Address } from '../../lib/net/address.ts';
import type { Identity } from '../../lib/net/identity.ts';
import { UnreachableError } from '../../proto/errors.ts';
import type { RejectionReason } from '../auth/rejections.ts';
import { HANDSHAKE_MS, MAX_CONNECTIONS } from './limits.ts';

export interface ListenerOptions {
  /** The server's identity. Undefined means no TLS. */
  readonly identity?: Identity | undefined;
  readonly maxConnections?: number;
  readonly handshakeMs?: number;
  /** @param from the peer's address */
  readonly onRejected?: (reason: RejectionReason, from: string, detail: string) => void;
  /** Called for a connection that is closed because there are too many. */
  readonly onFull?: (from: string) => void;
}

export interface Listener extends Address {
  /** Uses a renewed certificate for new connections. */
  renew(identity: Identity): void;
  /** Stops listening and closes every connection. */
  close(): void;
}

/**
 * Listens for connections and passes them to the gRPC server.
 * @returns the address, with the port that the system chose if 0 was requested
 * @throws {UnreachableError} when the address cannot be used
 */
export function listen(grpc: GrpcServer, address: Address, options: ListenerOptions = {}): Promise<Listener> {
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const accept = (socket: Socket) => injector.injectConnection(socket);
  const tls = options.identity === undefined ? undefined : tlsServer(options.identity, accept, options);
  const server = tls ?? createServer(accept);
  const open = new Set<Socket>();
  server.maxConnections = options.maxConnections ?? MAX_CONNECTIONS;
  server.on('connection', (socket: Socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => {});
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  server.on('drop', (data) => options.onFull?.(data?.remoteAddress ?? ''));
  return bind(server, address, {
    renew: (identity) => tls?.setSecureContext(secureContext(identity)),
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  });
}

function tlsServer(identity: Identity, accept: (socket: Socket) => void, options: ListenerOptions): TlsServer {
  const server = createTlsServer({
    ...secureContext(identity),
    ALPNProtocols: ['h2'],
    handshakeTimeout: options.handshakeMs ?? HANDSHAKE_MS,
    requestCert: true,
    rejectUnauthorized: false,
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.authorized) return accept(socket);
    const { reason, detail } = rejectionOf(socket);
    options.onRejected?.(reason, socket.remoteAddress ?? '', detail);
    socket.destroy();
  });
  server.on('tlsClientError', (error, socket) => {
    options.onRejected?.('handshake', socket.remoteAddress ?? '', error.message);
    socket.destroy();
  });
  return server;
}

function secureContext({ authority, certificate, key }: Identity): SecureContextOptions {
  return { ca: authority, cert: certificate, key, minVersion: 'TLSv1.3' };
}

function rejectionOf(socket: TLSSocket): { reason: RejectionReason; detail: string } {
  const detail = `${socket.authorizationError}`;
  if (socket.getPeerX509Certificate() === undefined) return { reason: 'no_certificate', detail };
  return { reason: detail === 'CERT_HAS_EXPIRED' ? 'expired_certificate' : 'wrong_certificate', detail };
}

function bind(server: Server, { host, port }: Address, control: Pick<Listener, 'renew' | 'close'>): Promise<Listener> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new UnreachableError(`cannot listen on ${host}:${port}: ${error.message}`)));
    server.listen(port, host.replace(/^\[|\]$/g, ''), () => {
      const bound = server.address();
      resolve({ host, port: typeof bound === 'object' && bound !== null ? bound.port : port, ...control });
    });
  });
}
