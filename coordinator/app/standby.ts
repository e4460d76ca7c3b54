/**
 * Runs the servers of a standby. Their answers contain the standby's health and role, and the address of the leader.
 */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsConnection } from 'nats';
import type { Logger } from 'pino';
import { claimPrivateFolder } from '../../lib/files/private-files.ts';
import { ensureToken, tokenFile } from '../../lib/files/token-file.ts';
import { type Address, DEFAULT_NATS, isLoopback } from '../../lib/net/address.ts';
import { Backoff } from '../../lib/net/backoff.ts';
import { closeNats, connectNats } from '../../lib/net/connect-nats.ts';
import { serveOperatorPages } from '../../lib/net/http.ts';
import type { Identity } from '../../lib/net/identity.ts';
import { NatsState } from '../../lib/net/nats-state.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { withoutSecrets } from '../../proto/subjects.ts';
import { callerOf, Guard } from '../auth/guard.ts';
import { RejectionLog } from '../auth/rejections.ts';
import type { Leadership } from '../leader/leadership.ts';
import { standbyMetrics } from '../metrics/families.ts';
import { concurrencyInterceptor } from '../transport/concurrent-calls.ts';
import { listen } from '../transport/listener.ts';
import { Health, newServer, SERVICES } from '../transport/server.ts';
import { addStandbyServices } from '../transport/standby-service.ts';
import { type AccessOptions, admission, checkAddresses, readServerIdentity, watchIdentities } from './access.ts';
import type { PageOptions } from './operator-pages.ts';

export interface StandbyOptions extends AccessOptions, PageOptions {
  readonly dir: string;
  /** See CoordinatorOptions. */
  readonly natsUrl: string | undefined;
  readonly requireToken: boolean;
  readonly version: string;
}

/** The parts whose problems can prevent a standby from leading. */
type StandbyPart = 'store' | 'artifacts' | 'nats';

export interface Standby {
  readonly address: Address;
  readonly metrics: Address;
  /** Sets the leader. The answers to all later calls name this leader. */
  follow(leadership: Leadership): void;
  /** @param problem the reason why this coordinator could not take over now; undefined if the part works */
  setProblem(part: StandbyPart, problem: string | undefined): void;
  stop(): void;
}

/** @throws {BadInputError | RejectedError | UnreachableError} if the options are invalid, or an address is in use */
export async function startStandby(options: StandbyOptions): Promise<Standby> {
  const { dir, log, version } = options;
  const identity = readServerIdentity(options);
  checkAddresses(options, identity);
  claimPrivateFolder(dir);
  const metrics = standbyMetrics(version);
  const rejections = new RejectionLog(metrics.authRejected, log);
  const ownToken = { token: ensureToken(dir), file: tokenFile(resolve(dir)) };
  const token = options.requireToken ? ownToken : undefined;
  const admit = admission(options, watchIdentities(options), token);
  const guard = new Guard(admit, (reason, facts) => rejections.record(reason, facts), {
    onAdmitted: (peer) => listener.authenticated(peer),
    onRejected: (peer) => listener.rejected(peer),
  });
  const server = newServer([...guard.interceptors, concurrencyInterceptor(callerOf)]);
  let leader = '';
  const problems = new Map<StandbyPart, string>();
  const setProblem = (part: StandbyPart, problem: string | undefined) => {
    if (problem === undefined) problems.delete(part);
    else problems.set(part, problem);
  };
  new Health(server, SERVICES);
  addStandbyServices(server, SERVICES, () => leader);
  const { metrics: pagesAddress, metricsAuth, metricsHosts, metricsTls } = options;
  const pages = await serveOperatorPages(
    {
      registry: metrics.registry,
      measure: () => {},
      unready: () => (problems.size === 0 ? undefined : [...problems.values()].join('; ')),
      // Prometheus gets the list of agents from the leader.
      json: { '/sd': () => [] },
      standby: () => (leader === '' ? 'no coordinator leads' : `the coordinator at ${leader} leads`),
    },
    pagesAddress,
    {
      auth: metricsAuth ?? (isLoopback(pagesAddress) && !metricsTls ? token : undefined),
      hosts: metricsHosts,
      identity: metricsTls ? identity : undefined,
      onRejected: (from, why) => rejections.record('metrics', { from, why }),
    },
  );
  const listener = await listen(server, options.listen, {
    identity,
    onRejected: (reason, from, detail) => rejections.record(reason, { from, detail }),
    authenticatesCalls: token !== undefined,
  }).catch((error: unknown) => {
    pages.stop();
    throw error;
  });
  const stopWatching = watchNats(options.natsUrl ?? identity?.servers.nats ?? DEFAULT_NATS, identity, log, (reason) =>
    setProblem('nats', reason),
  );
  return {
    address: { host: listener.host, port: listener.port },
    metrics: pages.address,
    follow({ holder, address, epoch }) {
      leader = holder === '' ? '' : address;
      metrics.leaderEpoch.set(epoch);
    },
    setProblem,
    stop() {
      stopWatching();
      server.forceShutdown();
      listener.close();
      pages.stop();
    },
  };
}

const NATS_RETRY_MS = 500;
const MAX_NATS_RETRY_MS = 5_000;

/**
 * Keeps a connection to NATS, so that a problem with NATS is noticed before this coordinator becomes the leader.
 * @returns a function that closes the connection
 */
function watchNats(
  url: string,
  identity: Identity | undefined,
  log: Logger,
  onProblem: (problem: string | undefined) => void,
): () => void {
  const stopping = new AbortController();
  const { signal } = stopping;
  let connection: NatsConnection | undefined;
  const backoff = new Backoff(NATS_RETRY_MS, MAX_NATS_RETRY_MS);
  const connect = async () => {
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      try {
        connection = await connectNats(url, 'trawl standby', identity);
        if (signal.aborted) return void closeNats(connection);
        new NatsState(connection, log, { onProblem });
        if (!isFirst) log.info({ nats: withoutSecrets(url) }, 'NATS answers');
        return onProblem(undefined);
      } catch (error) {
        const reason = errorMessage(error);
        if (isFirst) log.warn({ reason }, 'this standby cannot use NATS, so it could not take over now; retrying');
        onProblem(reason);
      }
      await sleep(backoff.next(), undefined, { signal }).catch(() => {});
    }
  };
  void connect();
  return () => {
    stopping.abort();
    if (connection !== undefined) void closeNats(connection);
  };
}
