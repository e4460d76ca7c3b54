/** The agent's face to whoever runs it: `/metrics`, `/healthz`, `/readyz`. */
import { hostname } from 'node:os';
import { Events, type NatsConnection } from 'nats';
import type { Logger } from 'pino';
import { watchDiskSpace } from '../../lib/files/disk-space.ts';
import type { Address } from '../../lib/net/address.ts';
import type { BasicAuth } from '../../lib/net/basic-auth.ts';
import type { Identity } from '../../lib/net/identity.ts';
import { serveOperatorPages } from '../../lib/net/operator-http.ts';
import { cachedBytes } from '../data/status.ts';
import type { DatasetUse } from '../data/use.ts';
import type { GpuFigures } from '../machine/gpu-figures.ts';
import { agentMetrics } from './families.ts';
import { setGpuGauges } from './gpu-gauges.ts';

export interface OperatorOptions {
  readonly at: Address;
  /** Who may read `/metrics`; undefined: whoever reaches it. */
  readonly auth: BasicAuth | undefined;
  /** With it, the pages are served over TLS. */
  readonly identity: Identity | undefined;
  readonly log: Logger;
  readonly agentId: string;
  readonly version: string;
  /** Unix time in seconds at which the agent's certificate runs out; undefined: it has none. */
  readonly certificateExpires: number | undefined;
  readonly dir: string;
  readonly dataDir: string;
  /** What is told of the GPUs: nothing where another exporter tells it, or there are none. */
  readonly gpuFigures: () => readonly GpuFigures[];
  readonly spooled: () => number;
  /** Why no work can be done at present; undefined when it can. */
  readonly unready: () => string | undefined;
}

export interface Operator {
  /** HOST:PORT at which other machines find it. */
  readonly advertised: string;
  datasetUsed(use: DatasetUse): void;
  /** A message came that is none. */
  couldNotRead(via: 'nats'): void;
  countReconnects(nats: NatsConnection): Promise<void>;
  stop(): void;
}

/** @throws {UnreachableError} when the address is taken */
export async function startOperator(options: OperatorOptions): Promise<Operator> {
  const { agentId: agent, dir, dataDir } = options;
  const metrics = agentMetrics();
  metrics.buildInfo.set({ version: options.version }, 1);
  metrics.startTime.set(Date.now() / 1000);
  metrics.datasetHits.inc({ agent }, 0);
  metrics.datasetMisses.inc({ agent }, 0);
  metrics.natsReconnects.inc({ component: 'agent' }, 0);
  metrics.unreadable.inc({ via: 'nats' }, 0);
  if (options.certificateExpires === undefined) metrics.certificateExpiry.remove();
  else metrics.certificateExpiry.set(options.certificateExpires);
  const pages = await serveOperatorPages(
    {
      registry: metrics.registry,
      measure() {
        metrics.spooled.set({ agent }, options.spooled());
        setGpuGauges(agent, metrics, options.gpuFigures());
      },
      unready: options.unready,
    },
    options.at,
    {
      auth: options.auth,
      identity: options.identity,
      onRefused: (from, why) => options.log.warn({ from, why }, 'refused'),
    },
  );
  const stopDiskWatch = watchDiskSpace(dir, ({ free, size }) => {
    metrics.diskFree.set({ agent }, free);
    metrics.diskSize.set({ agent }, size);
    // Data sets come and go as seldom.
    void cachedBytes(dataDir).then((bytes) => metrics.datasetBytes.set({ agent }, bytes));
  });
  return {
    advertised: `${reachableHost(pages.address.host)}:${pages.address.port}`,
    datasetUsed: (use) => (use === 'hit' ? metrics.datasetHits : metrics.datasetMisses).inc({ agent }),
    couldNotRead: (via) => metrics.unreadable.inc({ via }),
    async countReconnects(nats) {
      for await (const { type } of nats.status()) {
        if (type === Events.Reconnect) metrics.natsReconnects.inc({ component: 'agent' });
      }
    },
    stop() {
      stopDiskWatch();
      pages.stop();
    },
  };
}

/** Who listens on every address is found by the machine's name. */
function reachableHost(host: string): string {
  return host === '0.0.0.0' || host === '[::]' ? hostname() : host;
}
