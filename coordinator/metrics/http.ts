/** `/metrics` for Prometheus, `/healthz` for whoever restarts us. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { TLSSocket } from 'node:tls';
import type { Registry } from 'prom-client';
import type { Address } from '../../proto/address.ts';
import { UnreachableError } from '../../proto/errors.ts';
import type { Identity } from '../../proto/identity.ts';
import { type BasicAuth, isAuthorised } from './basic-auth.ts';

/** Scrapers and probes, each with a connection or two. */
const MAX_CONNECTIONS = 64;
/** From a request's first byte to its last. */
const REQUEST_MS = 10_000;
const REQUEST_HEADER_BYTES = 8 * 1024;

export interface MetricsOptions {
  readonly registry: Registry;
  /** Brings the gauges up to date. */
  readonly measure: () => void;
  readonly at: Address;
  /** Who may read /metrics; undefined: whoever reaches it, or with TLS whoever has a certificate of the authority. */
  readonly auth?: BasicAuth | undefined;
  /** With it, TLS is spoken. */
  readonly identity?: Identity | undefined;
  readonly onRefused: (from: string, why: string) => void;
}

/** @throws {UnreachableError} */
export function serveMetrics(options: MetricsOptions): Promise<{ server: Server; port: number }> {
  const { registry, measure, at, identity, onRefused } = options;
  const answer: RequestListener = (request, response) => {
    const path = request.url?.split('?')[0];
    if (path === '/healthz') return void response.writeHead(200).end('ok\n');
    const why = whyNot(request, options);
    if (why !== undefined) {
      onRefused(request.socket.remoteAddress ?? '', why);
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="trawl"' }).end(`${why}\n`);
    }
    if (path !== '/metrics') return void response.writeHead(404).end('try /metrics or /healthz\n');
    measure();
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(`${error}\n`),
    );
  };
  const limits = { headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS, maxHeaderSize: REQUEST_HEADER_BYTES };
  const server = identity === undefined ? createServer(limits, answer) : overTls(identity, limits, answer);
  server.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    const { host, port } = at;
    server.once('error', (error) => reject(new UnreachableError(`cannot listen on ${host}:${port}: ${error.message}`)));
    server.listen(port, host.replace(/^\[|\]$/g, ''), () => {
      const bound = server.address();
      resolve({ server, port: typeof bound === 'object' && bound !== null ? bound.port : port });
    });
  });
}

function overTls(identity: Identity, limits: object, answer: RequestListener): Server {
  return createTlsServer(
    {
      ...limits,
      ca: identity.authority,
      cert: identity.certificate,
      key: identity.key,
      minVersion: 'TLSv1.2',
      requestCert: true,
      // A probe of /healthz has none.
      rejectUnauthorized: false,
    },
    answer,
  );
}

function whyNot(request: IncomingMessage, { auth, identity }: MetricsOptions): string | undefined {
  if (auth !== undefined) {
    return isAuthorised(request.headers.authorization, auth) ? undefined : 'a user and a password are asked for here';
  }
  if (identity === undefined) return undefined;
  const certified = request.socket instanceof TLSSocket && request.socket.authorized;
  return certified ? undefined : "a certificate of the coordinator's authority is asked for here";
}
