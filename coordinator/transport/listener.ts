/**
 * Opens the socket in front of the gRPC server. The listener terminates TLS, so that an untrusted peer never reaches
 * HTTP/2. Each rejection is passed to `onRejected` with its reason.
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
import { Turns } from './handlers.ts';
import { HANDSHAKE_MS, MAX_CONNECTIONS, MAX_REJECTED_CALLS } from './limits.ts';

export interface ListenerOptions {
  /** The server's identity. If undefined, TLS is not used. */
  readonly identity?: Identity | undefined;
  readonly maxConnections?: number;
  /**
   * Whether calls are authenticated. If so, `Listener.authenticated` must be called after each authenticated call.
   * Default: false. Not needed with TLS, because the certificate of the client authenticates the whole connection.
   */
  readonly authenticatesCalls?: boolean;
  readonly handshakeMs?: number;
  /** Called for each rejection. `from` is the address of the peer. */
  readonly onRejected?: (reason: RejectionReason, from: string, detail: string) => void;
  /** Called for a connection that is closed because the number of connections is at the limit. */
  readonly onFull?: (from: string) => void;
}

export interface Listener extends Address {
  /** Marks the connection of a peer as authenticated, after an authenticated call. */
  authenticated(peer: string): void;
  /**
   * Counts a rejected call of a peer. An unauthenticated connection is closed after MAX_REJECTED_CALLS rejected calls.
   */
  rejected(peer: string): void;
  /** Uses a renewed certificate for new connections. */
  renew(identity: Identity): void;
  /** Stops listening and closes every connection. */
  close(): void;
}

/**
 * Listens for connections, and passes them to the gRPC server. If the number of connections is at the limit, a new
 * connection replaces the oldest unauthenticated connection, so that an attacker cannot lock out users. If there is no
 * unauthenticated connection, or if authentication is not required, the new connection is closed instead.
 * @returns the address, with the port that the system chose if port 0 was requested
 * @throws {UnreachableError} if the address cannot be used
 */
export function listen(grpc: GrpcServer, address: Address, options: ListenerOptions = {}): Promise<Listener> {
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const turns = new Turns();
  const accept = async (socket: Socket) => {
    // New connections wait for their turn, so that open connections are served in between. Otherwise, many new
    // connections that each open a thousand streams at once would delay the other callers.
    await turns.next();
    if (!socket.destroyed) injector.injectConnection(socket);
  };
  const tls = options.identity === undefined ? undefined : tlsServer(options.identity, accept, options);
  const server = tls ?? createServer();
  const open = new Set<Socket>();
  /** The unauthenticated connections by peer, oldest first. */
  const unknown = new Map<string, Socket>();
  const rejectedCalls = new WeakMap<Socket, number>();
  const { maxConnections = MAX_CONNECTIONS, authenticatesCalls = false } = options;
  server.on('connection', (socket: Socket) => {
    const peer = peerOf(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    if (open.size >= maxConnections) {
      const [[victim, connection] = [peer, socket]] = unknown;
      options.onFull?.(victim);
      unknown.delete(victim);
      open.delete(connection);
      connection.destroy();
      if (connection === socket) return;
    }
    open.add(socket);
    if (tls !== undefined || authenticatesCalls) unknown.set(peer, socket);
    socket.on('close', () => {
      open.delete(socket);
      if (unknown.get(peer) === socket) unknown.delete(peer);
    });
    if (tls === undefined) void accept(socket);
  });
  tls?.on('secureConnection', (socket) => {
    if (socket.authorized) unknown.delete(peerOf(socket));
  });
  return bind(server, address, {
    authenticated: (peer) => void unknown.delete(peer),
    rejected(peer) {
      const socket = unknown.get(peer);
      if (socket === undefined) return;
      const calls = (rejectedCalls.get(socket) ?? 0) + 1;
      rejectedCalls.set(socket, calls);
      if (calls >= MAX_REJECTED_CALLS) socket.destroy();
    },
    renew: (identity) => tls?.setSecureContext(secureContext(identity)),
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  });
}

function tlsServer(identity: Identity, accept: (socket: Socket) => Promise<void>, options: ListenerOptions): TlsServer {
  const server = createTlsServer({
    ...secureContext(identity),
    ALPNProtocols: ['h2'],
    handshakeTimeout: options.handshakeMs ?? HANDSHAKE_MS,
    requestCert: true,
    rejectUnauthorized: false,
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.authorized) return void accept(socket);
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

/** Returns the name that gRPC uses for the peer. */
const peerOf = ({ remoteAddress = '', remotePort = 0 }: Socket) => `${remoteAddress}:${remotePort}`;

function bind(server: Server, { host, port }: Address, control: Omit<Listener, keyof Address>): Promise<Listener> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new UnreachableError(`cannot listen on ${host}:${port}: ${error.message}`)));
    server.listen(port, host.replace(/^\[|\]$/g, ''), () => {
      const bound = server.address();
      resolve({ host, port: typeof bound === 'object' && bound !== null ? bound.port : port, ...control });
    });
  });
}
