/** Serves the operator pages of the coordinator and the agents: metrics, health and readiness, over HTTP or HTTPS. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { hostname } from 'node:os';
import { type SecureContextOptions, TLSSocket } from 'node:tls';
import { collectDefaultMetrics, type Registry } from 'prom-client';
import { UnreachableError } from '../../proto/errors.ts';
import type { Address } from './address.ts';
import { type HostRule, isAllowedHost } from './allowed-host.ts';
import type { Identity } from './identity.ts';
import { bearerToken, isSameSecret } from './secret.ts';

/**
 * The maximum number of connections. When a further connection is opened, the oldest connection without a request in
 * progress is closed. If every older connection has a request in progress, the new connection is closed.
 */
const MAX_CONNECTIONS = 64;
/** Time limits in milliseconds, and size limits in bytes. */
const LIMITS = { headersTimeout: 10_000, requestTimeout: 10_000, maxHeaderSize: 8 * 1024 };
const METHODS: readonly string[] = ['GET', 'HEAD'];
/**
 * Pages that require neither credentials nor an allowed Host header, because probes of load balancers send neither.
 */
const OPEN_PATHS = ['/healthz', '/readyz', '/leader'];

export interface OperatorPages {
  readonly registry: Registry;
  /** Updates the gauges. Called before each response of `/metrics`. */
  readonly measure: () => void | Promise<void>;
  /** Returns the reason why the process is not ready; undefined if it is ready. */
  readonly unready: () => string | undefined;
  /**
   * Returns the reason why the process does not lead; undefined if it leads. Without this function, there is no page
   * `/leader`.
   */
  readonly standby?: () => string | undefined;
  /** Additional pages, by path. Each function returns the value that the page sends as JSON. */
  readonly json?: Readonly<Record<string, () => unknown>>;
}

export interface BasicAuth {
  readonly user: string;
  readonly password: string;
}

/** A token that Prometheus sends with `authorization: {type: Bearer, credentials_file: FILE}`. */
export interface TokenAuth {
  readonly token: string;
  /** The path of the file with the token, for the error message. */
  readonly file: string;
}

export interface Protection {
  /**
   * The required credentials. By default, callers over plain HTTP need no credentials, and callers over TLS need a
   * client certificate that the identity's authority issued.
   */
  readonly auth?: BasicAuth | TokenAuth | undefined;
  /** The server's identity. If set, the pages are served over TLS. */
  readonly identity?: Identity | undefined;
  /** Names that a Host header may contain, in addition to the names and addresses of this machine. */
  readonly hosts?: readonly string[];
  /** Called for each rejected request, with the address of the peer and the reason. */
  readonly onRejected: (from: string, why: string) => void;
}

export interface ServedPages {
  /** The address of the server. If port 0 was requested, the address contains the port that the system chose. */
  readonly address: Address;
  /** Uses a renewed certificate for new connections, if the pages are served over TLS. */
  renew(identity: Identity): void;
  stop(): void;
}

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly text: string;
}

/**
 * Serves `/metrics`, `/healthz` (200 while the process responds), `/readyz` (200 if ready, else 503 with the reason),
 * `/leader` (200 if the process leads, else 503) and the pages in `json`.
 * @throws {UnreachableError} if the server cannot listen at the address
 */
export async function serveOperatorPages(
  pages: OperatorPages,
  at: Address,
  protection: Protection,
): Promise<ServedPages> {
  const { hosts = [] } = protection;
  const listener: RequestListener = (request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    const { method = '' } = request;
    if (!METHODS.includes(method)) {
      response.writeHead(405, { allow: METHODS.join(', ') }).end(`${method} is not supported: use GET or HEAD\n`);
      return;
    }
    const isOpen = OPEN_PATHS.includes(path);
    const foreign = isOpen ? undefined : foreignHost(request, { listen: at, hostname: hostname(), names: hosts });
    const reason = foreign ?? (isOpen ? undefined : rejectionReason(request, protection));
    if (reason !== undefined) {
      protection.onRejected(request.socket.remoteAddress ?? '', reason);
      const scheme = protection.auth !== undefined && 'token' in protection.auth ? 'Bearer' : 'Basic';
      const headers = foreign === undefined ? { 'www-authenticate': `${scheme} realm="trawl"` } : {};
      response.writeHead(foreign === undefined ? 401 : 403, headers).end(`${reason}\n`);
      return;
    }
    answer(pages, path, mayKnowReasons(request, protection)).then(
      ({ code, type, text }) => response.writeHead(code, { 'content-type': type }).end(text),
      (error: unknown) => response.writeHead(500).end(`${error}\n`),
    );
  };
  const { identity } = protection;
  const tls = identity === undefined ? undefined : overTls(identity, listener);
  const server: Server = tls ?? createServer(LIMITS, listener);
  limitConnections(server);
  const address = await listen(server, at);
  return {
    address,
    renew: (renewed) => tls?.setSecureContext(secureContext(renewed)),
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/**
 * When there are too many connections, closes the oldest connection without a request in progress. Clients that send
 * nothing, or only a part of a request, therefore cannot block other clients.
 */
function limitConnections(server: Server): void {
  /**
   * The open connections by remote address and port, oldest first. The keys are not sockets, because over TLS, a
   * request and its connection have different sockets.
   */
  const open = new Map<string, { readonly socket: Socket; requests: number }>();
  const keyOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;
  server.on('connection', (socket) => {
    const key = keyOf(socket);
    open.set(key, { socket, requests: 0 });
    socket.once('close', () => open.delete(key));
    if (open.size <= MAX_CONNECTIONS) return;
    const idle = [...open.values()].find((other) => other.requests === 0 && other.socket !== socket);
    (idle?.socket ?? socket).destroy();
  });
  server.on('request', ({ socket }, response) => {
    const connection = open.get(keyOf(socket));
    if (connection === undefined) return;
    connection.requests += 1;
    response.once('close', () => {
      connection.requests -= 1;
    });
  });
}

function overTls(identity: Identity, listener: RequestListener): TlsServer {
  // Probes of /healthz have no certificate, so the TLS layer accepts connections without one. For other pages,
  // rejectionReason checks the certificate for each request.
  const access = { requestCert: true, rejectUnauthorized: false };
  return createTlsServer({ ...LIMITS, ...secureContext(identity), ...access }, listener);
}

function secureContext({ authority, certificate, key }: Identity): SecureContextOptions {
  return { ca: authority, cert: certificate, key, minVersion: 'TLSv1.2' };
}

function foreignHost({ headers, headersDistinct }: IncomingMessage, rule: HostRule): string | undefined {
  if ((headersDistinct.host?.length ?? 0) > 1) return 'the request has several Host headers';
  if (isAllowedHost(headers.host, rule)) return undefined;
  const host = JSON.stringify(headers.host ?? '');
  return `the Host ${host} is not an address of this server: use its address, or allow the name with --metrics-host`;
}

function rejectionReason({ headers, socket }: IncomingMessage, { auth, identity }: Protection): string | undefined {
  if (auth !== undefined && 'token' in auth) {
    const given = bearerToken(headers.authorization);
    return given !== undefined && isSameSecret(given, auth.token)
      ? undefined
      : `token required: send the header "Authorization: Bearer TOKEN" with the token in ${auth.file}`;
  }
  if (auth !== undefined) {
    return isAuthorized(headers.authorization, auth) ? undefined : 'username and password required';
  }
  if (identity === undefined || (socket instanceof TLSSocket && socket.authorized)) return undefined;
  return "a client certificate of the coordinator's authority is required";
}

/**
 * Whether the responses of `/readyz` and `/leader` may contain the reason for a 503. If a token is required, only a
 * caller with the token may see the reason.
 */
function mayKnowReasons(request: IncomingMessage, protection: Protection): boolean {
  const { auth } = protection;
  return auth === undefined || !('token' in auth) || rejectionReason(request, protection) === undefined;
}

async function answer(
  { registry, measure, unready, standby, json = {} }: OperatorPages,
  path: string,
  withReason: boolean,
): Promise<Answer> {
  if (path === '/metrics') {
    await measure();
    return { code: 200, type: registry.contentType, text: await registry.metrics() };
  }
  if (path === '/healthz') return plain(200, 'ok');
  if (path === '/readyz') {
    const reason = unready();
    return reason === undefined ? plain(200, 'ok') : plain(503, withReason ? reason : 'not ready');
  }
  if (path === '/leader' && standby !== undefined) {
    const reason = standby();
    return reason === undefined ? plain(200, 'leads') : plain(503, withReason ? reason : 'does not lead');
  }
  const page = json[path];
  if (page !== undefined) return { code: 200, type: 'application/json', text: `${JSON.stringify(page())}\n` };
  const own = ['/metrics', '/healthz', '/readyz', ...(standby === undefined ? [] : ['/leader'])];
  return plain(404, `try ${[...own, ...Object.keys(json)].join(', ')}`);
}

const plain = (code: number, text: string): Answer => ({ code, type: 'text/plain; charset=utf-8', text: `${text}\n` });

function listen(server: Server, { host, port }: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(new UnreachableError(`cannot serve /metrics at ${host}:${port}: ${error.message}`)),
    );
    server.listen(port, host.replace(/^\[|\]$/g, ''), () =>
      resolve({ host, port: (server.address() as AddressInfo).port }),
    );
  });
}

function isAuthorized(header: string | undefined, { user, password }: BasicAuth): boolean {
  const given = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(header ?? '')?.[1] ?? '';
  return isSameSecret(Buffer.from(given, 'base64'), `${user}:${password}`);
}

/**
 * Matches the names of the default metrics of a process that are not exported. Gauges whose names end in `_total` are
 * omitted, because the naming rules of Prometheus reserve this ending for counters. Metrics that are of little use or
 * repeat other metrics are also omitted, because every agent would export them as separate series.
 */
const OMITTED_METRICS =
  /^(nodejs_(active_(resources|handles|requests).*|heap_space_.*|external_memory_bytes|gc_duration_seconds|eventloop_lag_((min|max|mean|stddev|p50|p90)_)?seconds|heap_size_total_bytes|version_info)|process_((heap|virtual_memory)_bytes|cpu_(user|system)_seconds_total|start_time_seconds|max_fds))$/;

/** Adds the metrics of this process to a registry. */
export function addProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  for (const { name } of registry.getMetricsAsArray()) {
    if (OMITTED_METRICS.test(name)) registry.removeSingleMetric(name);
  }
}
