/** A deliberate bug, put into the simulated processes from outside, to show that the simulation finds it. */
import type { NatsConnection } from 'nats';
import type { Logger } from 'pino';
import type { CoordinatorClient } from '../../agent/supervisor/coordinator-client.ts';
import type { Spool } from '../../agent/supervisor/spool.ts';
import type { Runtime, RuntimeOptions } from '../../coordinator/app/runtime.ts';
import type { Offers } from '../../coordinator/transport/offers.ts';
import type { AttemptServiceServer } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { SubmitRequest } from '../../proto/gen/trawl/v1/sweep_service.ts';

/** Where it takes hold; what it leaves out is as it should be. */
export interface Bug {
  /** What is wrong, for a person. */
  readonly about: string;
  /** What was written before a commit stays although the process died before it. */
  readonly tornCommits?: boolean;
  /** An agent's disk is empty after each start of its process. */
  readonly losesSpool?: boolean;
  /** Files that came in so shortly before the coordinator died are gone. */
  readonly losesFilesOfMs?: number;
  runtime?(options: RuntimeOptions): Runtime;
  /** After a start, when the store has been read. */
  onLoaded?(runtime: Runtime): void;
  request?(request: SubmitRequest): SubmitRequest;
  offers?(nats: NatsConnection, cluster: string, log: Logger): Offers;
  service?(service: AttemptServiceServer, runtime: Runtime): AttemptServiceServer;
  nats?(nats: NatsConnection, runtime: Runtime): NatsConnection;
  spool?(spool: Spool): Spool;
  link?(link: CoordinatorClient): CoordinatorClient;
}
