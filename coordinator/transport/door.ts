/**
 * Where connections come in, before gRPC sees them: TLS is spoken here, so that a peer that is none of ours is refused,
 * logged and counted by its reason, and never reaches HTTP/2.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { type Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import type { Address } from '../../lib/net/address.ts';
import type { Identity } from '../../lib/net/identity.ts';
import { UnreachableError } from '../../proto/errors.ts';
import type { RefusalReason } from '../auth/admit.ts';
import { HANDSHAKE_MS, MAX_CONNECTIONS } from './limits.ts';

export interface DoorOptions {
  /** Undefined: no TLS. */
  readonly identity?: Identity | undefined;
  readonly maxConnections?: number;
  readonly handshakeMs?: number;
  /** @param from the peer's address */
  readonly onRefused?: (reason: RefusalReason, from: string, detail: string) => void;
  /** A connection too many. */
  readonly onFull?: (from: string) => void;
}

export interface Door extends Address {
  /** Takes nobody any more, and ends every connection. */
  close(): void;
}

/**
 * @returns the address that it listens on, its port chosen by the system when 0 was asked for
 * @throws {UnreachableError}
 */
export function openDoor(grpc: GrpcServer, address: Address, options: DoorOptions = {}): Promise<Door> {
  const within = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const enter = (socket: Socket) => within.injectConnection(socket);
  const server = options.identity === undefined ? createServer(enter) : guarded(options.identity, enter, options);
  const open = new Set<Socket>();
  server.maxConnections = options.maxConnections ?? MAX_CONNECTIONS;
  server.on('connection', (socket: Socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => {});
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  server.on('drop', (data) => options.onFull?.(data?.remoteAddress ?? ''));
  return listening(server, address, () => {
    server.close();
    for (const socket of open) socket.destroy();
  });
}

/** In: who shows a certificate of the authority that has not run out. */
function guarded(identity: Identity, enter: (socket: Socket) => void, options: DoorOptions): Server {
  const server = createTlsServer({
    ca: identity.authority,
    cert: identity.certificate,
    key: identity.key,
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['h2'],
    handshakeTimeout: options.handshakeMs ?? HANDSHAKE_MS,
    requestCert: true,
    // Looked at below, where the reason is known.
    rejectUnauthorized: false,
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.authorized) return enter(socket);
    const { reason, detail } = whyRefused(socket);
    options.onRefused?.(reason, socket.remoteAddress ?? '', detail);
    socket.destroy();
  });
  server.on('tlsClientError', (error, socket) => {
    options.onRefused?.('handshake', socket.remoteAddress ?? '', error.message);
    socket.destroy();
  });
  return server;
}

function whyRefused(socket: TLSSocket): { reason: RefusalReason; detail: string } {
  const detail = `${socket.authorizationError}`;
  if (socket.getPeerX509Certificate() === undefined) return { reason: 'no_certificate', detail };
  return { reason: detail === 'CERT_HAS_EXPIRED' ? 'expired_certificate' : 'wrong_certificate', detail };
}

function listening(server: Server, { host, port }: Address, close: () => void): Promise<Door> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new UnreachableError(`cannot listen on ${host}:${port}: ${error.message}`)));
    server.listen(port, host.replace(/^\[|\]$/g, ''), () => {
      const at = server.address();
      resolve({ host, port: typeof at === 'object' && at !== null ? at.port : port, close });
    });
  });
}
