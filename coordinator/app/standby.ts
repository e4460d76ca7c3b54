/** Serves a coordinator that stands by: its health, its role, and the address of the leader. */
import { resolve } from 'node:path';
import { claimPrivateFolder } from '../../lib/files/private-files.ts';
import { ensureToken, tokenFile } from '../../lib/files/token-file.ts';
import { type Address, isLoopback } from '../../lib/net/address.ts';
import { serveOperatorPages } from '../../lib/net/http.ts';
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
  readonly requireToken: boolean;
  readonly version: string;
}

export interface Standby {
  readonly address: Address;
  readonly metrics: Address;
  /** Names the leader in the answers of all later calls. */
  follow(leadership: Leadership): void;
  /** @param problem the reason why this coordinator could not lead now; undefined if it could */
  setProblem(problem: string | undefined): void;
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
  let problem: string | undefined;
  new Health(server, SERVICES);
  addStandbyServices(server, SERVICES, () => leader);
  const { metrics: pagesAddress, metricsAuth, metricsHosts, metricsTls } = options;
  const pages = await serveOperatorPages(
    {
      registry: metrics.registry,
      measure: () => {},
      unready: () => problem,
      // Prometheus discovers the agents at the leader.
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
  return {
    address: { host: listener.host, port: listener.port },
    metrics: pages.address,
    follow({ holder, address, epoch }) {
      leader = holder === '' ? '' : address;
      metrics.leaderEpoch.set(epoch);
    },
    setProblem(reason) {
      problem = reason;
    },
    stop() {
      server.forceShutdown();
      listener.close();
      pages.stop();
    },
  };
}
