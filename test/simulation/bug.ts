/** A planted bug, which is put into the simulated processes to show that the simulation finds such bugs. */
import type { NatsConnection } from 'nats';
import type { Logger } from 'pino';
import type { CoordinatorClient } from '../../agent/supervisor/coordinator-client.ts';
import type { Spool } from '../../agent/supervisor/spool.ts';
import type { Runtime, RuntimeOptions } from '../../coordinator/app/runtime.ts';
import type { StartProcess } from '../../coordinator/search/optuna/process.ts';
import type { Offers } from '../../coordinator/transport/offers.ts';
import type { AttemptServiceServer } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { SubmitRequest } from '../../proto/gen/trawl/v1/sweep_service.ts';

/** The hooks of a planted bug. A hook that is not set changes nothing. */
export interface Bug {
  /** The description that `--bug list` prints. */
  readonly about: string;
  /** Whether rows of a transaction survive although the process died before the commit. */
  readonly tornCommits?: boolean;
  /** Whether an agent's disk is empty after each restart. */
  readonly losesSpool?: boolean;
  /**
   * Each death of the coordinator loses the files that were stored in the last `losesFilesOfMs` milliseconds before the
   * death. Default: no file is lost.
   */
  readonly losesFilesOfMs?: number;
  /** When a transaction checks that its coordinator is still the leader. Default: within the transaction. */
  readonly epochCheck?: 'none' | 'before the transaction';
  /** Whether a standby answers agents from the state that it has loaded, without storing any change. */
  readonly standbyActs?: boolean;
  /** Whether a coordinator that takes over from another forgets a lease. */
  readonly takeoverLosesLease?: boolean;
  runtime?(options: RuntimeOptions): Promise<Runtime>;
  /** Called after each start, once the store is loaded. */
  onLoaded?(runtime: Runtime): void | Promise<void>;
  request?(request: SubmitRequest): SubmitRequest;
  offers?(nats: NatsConnection, cluster: string, log: Logger): Offers;
  service?(service: AttemptServiceServer, runtime: Runtime): AttemptServiceServer;
  nats?(nats: NatsConnection, runtime: Runtime): NatsConnection;
  sampler?(start: StartProcess): StartProcess;
  spool?(spool: Spool): Spool;
  client?(client: CoordinatorClient, spool: Spool): CoordinatorClient;
}
