/** The pages that coordinator and agents serve to whoever runs them: for Prometheus, for a supervisor, for a load balancer. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Registry } from 'prom-client';
import { UnreachableError } from '../../proto/errors.ts';
import type { Address } from './address.ts';
import { type BasicAuth, isAuthorised } from './basic-auth.ts';
import type { Identity } from './identity.ts';

/** Scrapers and probes, each with a connection or two. */
const MAX_CONNECTIONS = 64;
/** What one request may take. */
const LIMITS = { headersTimeout: 10_000, requestTimeout: 10_000, maxHeaderSize: 8 * 1024 };
/** Supervisors and load balancers have no password. */
const OPEN_PATHS = ['/healthz', '/readyz'];

export interface OperatorPages {
  readonly registry: Registry;
  /** Brings the gauges up to date, before each answer of `/metrics`. */
  readonly measure: () => void;
  /** Why no work can be done at present; undefined when it can. */
  readonly unready: () => string | undefined;
  /** Answers in JSON, by path. */
  readonly json?: Readonly<Record<string, () => unknown>>;
}

export interface Protection {
  /** Who may read; undefined: whoever comes, or over TLS whoever has a certificate of the authority. */
  readonly auth?: BasicAuth | undefined;
  /** With it, TLS is spoken. */
  readonly identity?: Identity | undefined;
  /** @param from the peer's address */
  readonly onRefused: (from: string, why: string) => void;
}

export interface ServedPages {
  /** Its port chosen by the system when 0 was asked for. */
  readonly address: Address;
  stop(): void;
}

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly text: string;
}

/**
 * Serves `/metrics`, `/healthz` (the process answers), `/readyz` (200 when it can do its work, else 503 and why), and
 * what `json` holds.
 * @throws {UnreachableError} when the address is taken
 */
export async function serveOperatorPages(
  pages: OperatorPages,
  at: Address,
  protection: Protection,
): Promise<ServedPages> {
  const listener: RequestListener = (request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    const why = OPEN_PATHS.includes(path) ? undefined : whyNot(request, protection);
    if (why !== undefined) {
      protection.onRefused(request.socket.remoteAddress ?? '', why);
      response.writeHead(401, { 'www-authenticate': 'Basic realm="trawl"' }).end(`${why}\n`);
      return;
    }
    answer(pages, path).then(
      ({ code, type, text }) => response.writeHead(code, { 'content-type': type }).end(text),
      (error: unknown) => response.writeHead(500).end(`${error}\n`),
    );
  };
  const { identity } = protection;
  const server = identity === undefined ? createServer(LIMITS, listener) : overTls(identity, listener);
  server.maxConnections = MAX_CONNECTIONS;
  const address = await listen(server, at);
  return {
    address,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function overTls({ authority, certificate, key }: Identity, listener: RequestListener): Server {
  const tls = { ca: authority, cert: certificate, key, requestCert: true };
  // A probe of /healthz has no certificate: who has one is looked at below.
  return createTlsServer({ ...LIMITS, ...tls, rejectUnauthorized: false, minVersion: 'TLSv1.2' }, listener);
}

function whyNot({ headers, socket }: IncomingMessage, { auth, identity }: Protection): string | undefined {
  if (auth !== undefined) {
    return isAuthorised(headers.authorization, auth) ? undefined : 'a user and a password are asked for here';
  }
  if (identity === undefined || (socket instanceof TLSSocket && socket.authorized)) return undefined;
  return "a certificate of the coordinator's authority is asked for here";
}

async function answer({ registry, measure, unready, json = {} }: OperatorPages, path: string): Promise<Answer> {
  if (path === '/metrics') {
    measure();
    return { code: 200, type: registry.contentType, text: await registry.metrics() };
  }
  if (path === '/healthz') return plain(200, 'ok');
  if (path === '/readyz') {
    const why = unready();
    return why === undefined ? plain(200, 'ok') : plain(503, why);
  }
  const page = json[path];
  if (page !== undefined) return { code: 200, type: 'application/json', text: `${JSON.stringify(page())}\n` };
  return plain(404, `try ${['/metrics', '/healthz', '/readyz', ...Object.keys(json)].join(', ')}`);
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
