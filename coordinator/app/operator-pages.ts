/** Serves a coordinator's pages for operators, even before the coordinator is ready. */
import { hostname } from 'node:os';
import { type Address, isLoopback } from '../../lib/net/address.ts';
import { type BasicAuth, type ServedPages, serveOperatorPages, type TokenAuth } from '../../lib/net/http.ts';
import type { Identity } from '../../lib/net/identity.ts';
import type { RejectionLog } from '../auth/rejections.ts';
import { agentTargets } from '../metrics/agent-series.ts';
import type { MetricsCollector } from '../metrics/collect.ts';
import type { CoordinatorMetrics } from '../metrics/families.ts';
import type { Health } from '../transport/server.ts';
import type { NatsPart } from './rounds.ts';
import { now, type Runtime } from './runtime.ts';

export interface PageOptions {
  readonly metrics: Address;
  readonly metricsAuth: BasicAuth | undefined;
  /** The names that a Host header may contain, besides the address, `localhost` and the name of the machine. */
  readonly metricsHosts: readonly string[];
  readonly metricsTls: boolean;
}

/** The parts of a coordinator that can make it unready. */
type Part = NatsPart | 'start' | 'store' | 'artifacts';

/** Tracks whether the coordinator is ready, for the health checks. */
export class Readiness {
  readonly #health: Health;
  readonly #problems = new Map<Part, string>([['start', 'the coordinator is starting']]);

  constructor(health: Health) {
    this.#health = health;
  }

  /** @param problem the problem; undefined if the part works */
  set(part: Part, problem: string | undefined): void {
    if (this.#problems.get(part) === problem) return;
    if (problem === undefined) this.#problems.delete(part);
    else this.#problems.set(part, problem);
    this.#health.set(this.problem === undefined);
  }

  /** Returns the reason why the coordinator is not ready, or undefined if it is ready. */
  get problem(): string | undefined {
    const connection = this.#problems.get('connection');
    if (connection !== undefined) return connection;
    return this.#problems.size === 0 ? undefined : [...this.#problems.values()].join('; ');
  }
}

/**
 * The parts of a coordinator that are loaded after the login to NATS. Before the login, the coordinator's pages are
 * served without these parts.
 */
export interface LoadedParts {
  runtime?: Runtime;
  collecting?: MetricsCollector;
}

interface PageParts {
  readonly loaded: LoadedParts;
  readonly metrics: CoordinatorMetrics;
  readonly readiness: Readiness;
  readonly rejections: RejectionLog;
  /** Returns why it is uncertain whether this coordinator leads; undefined if it certainly leads. */
  readonly uncertainty: () => string | undefined;
}

/** Serves `/metrics`, the health checks and the list of agents. */
export function servePages(
  { metrics: address, metricsAuth, metricsHosts, metricsTls }: PageOptions,
  identity: Identity | undefined,
  token: TokenAuth | undefined,
  { loaded, metrics, readiness, rejections, uncertainty }: PageParts,
): Promise<ServedPages> {
  return serveOperatorPages(
    {
      registry: metrics.registry,
      measure: () => loaded.collecting?.measure(),
      unready: () => readiness.problem ?? uncertainty(),
      standby: uncertainty,
      json: { '/sd': () => (loaded.runtime === undefined ? [] : agentTargets(loaded.runtime.core, hostname(), now())) },
    },
    address,
    {
      auth: metricsAuth ?? (isLoopback(address) && !metricsTls ? token : undefined),
      hosts: metricsHosts,
      identity: metricsTls ? identity : undefined,
      onRejected: (from, why) => rejections.record('metrics', { from, why }),
    },
  );
}
