/** The pages that coordinator and agents serve to whoever runs them: for Prometheus, for a supervisor, for a load balancer. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import type { Address } from './address.ts';
import { UnreachableError } from './errors.ts';

export interface OperatorPages {
  readonly registry: Registry;
  /** Brings the gauges up to date, before each answer of `/metrics`. */
  readonly measure: () => void;
  /** Why no work can be done at present; undefined when it can. */
  readonly unready: () => string | undefined;
  /** Answers in JSON, by path. */
  readonly json?: Readonly<Record<string, () => unknown>>;
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
export async function serveOperatorPages(pages: OperatorPages, at: Address): Promise<ServedPages> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    answer(pages, path).then(
      ({ code, type, text }) => response.writeHead(code, { 'content-type': type }).end(text),
      (error: unknown) => response.writeHead(500).end(`${error}\n`),
    );
  });
  const address = await listen(server, at);
  return {
    address,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
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
