/** Serves the agent's `/metrics`, `/healthz` and `/readyz`. */
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { watchDiskSpace } from '../../lib/files/disk-space.ts';
import type { Address } from '../../lib/net/address.ts';
import type { BasicAuth, TokenAuth } from '../../lib/net/http.ts';
import { serveOperatorPages } from '../../lib/net/http.ts';
import type { Identity } from '../../lib/net/identity.ts';
import type { DatasetUse } from '../data/cache.ts';
import { cachedBytes } from '../data/cache.ts';
import type { GpuFigures } from '../machine/gpus.ts';
import { agentMetrics, setGpuGauges } from './families.ts';

export interface AgentPagesOptions {
  readonly at: Address;
  /** Credentials for `/metrics`. Undefined if neither a password nor a token is required. */
  readonly auth: BasicAuth | TokenAuth | undefined;
  /** Names that a Host header may contain, besides the address, `localhost` and the name of the machine. */
  readonly hosts?: readonly string[];
  /** The certificate for TLS. If undefined, the pages are served over plain HTTP. */
  readonly identity: Identity | undefined;
  readonly log: Logger;
  readonly agentId: string;
  readonly version: string;
  /** Unix time in seconds at which the agent's certificate expires. Undefined if the agent has no certificate. */
  readonly certificateExpires: number | undefined;
  readonly dir: string;
  readonly dataDir: string;
  /** The measured values of the GPUs; empty if the machine has no GPUs, or if another exporter reports them. */
  readonly gpuFigures: () => readonly GpuFigures[];
  /** The number of records in the spool. */
  readonly spooled: () => number;
  /** Returns the reason why the agent is not ready; undefined if it is ready. */
  readonly unreadyReason: () => string | undefined;
}

export interface AgentPages {
  /**
   * The HOST:PORT of the pages, as the agent reports it to the coordinator. If the pages are served on all interfaces,
   * HOST is the name of the machine.
   */
  readonly advertised: string;
  countDatasetUse(use: DatasetUse): void;
  countUnreadable(via: 'nats'): void;
  /** Serves the pages with a renewed certificate, and exports the new expiry time as a metric. */
  renew(identity: Identity): void;
  /** Counts a reconnection to NATS. */
  countReconnect(): void;
  stop(): void;
}

/** @throws {UnreachableError} if the server cannot listen at the address */
export async function startAgentPages(options: AgentPagesOptions): Promise<AgentPages> {
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
      unready: options.unreadyReason,
    },
    options.at,
    {
      auth: options.auth,
      hosts: options.hosts ?? [],
      identity: options.identity,
      onRejected: (from, why) => options.log.warn({ from, why }, 'rejected a request'),
    },
  );
  const measureCache = async () => metrics.datasetBytes.set({ agent }, await cachedBytes(dataDir));
  const stopDiskWatch = watchDiskSpace(dir, ({ free, size }) => {
    metrics.diskFree.set({ agent }, free);
    metrics.diskSize.set({ agent }, size);
    void measureCache();
  });
  return {
    advertised: `${reachableHost(pages.address.host)}:${pages.address.port}`,
    countDatasetUse: (use) => (use === 'hit' ? metrics.datasetHits : metrics.datasetMisses).inc({ agent }),
    countUnreadable: (via) => metrics.unreadable.inc({ via }),
    renew(identity) {
      pages.renew(identity);
      metrics.certificateExpiry.set(identity.expires);
    },
    countReconnect: () => metrics.natsReconnects.inc({ component: 'agent' }),
    stop() {
      stopDiskWatch();
      pages.stop();
    },
  };
}

function reachableHost(host: string): string {
  return host === '0.0.0.0' || host === '[::]' ? hostname() : host;
}
