/** Deliberate bugs, put into the simulated processes from outside, to show that the simulation finds them. */
import type { NatsConnection } from 'nats';
import type { Logger } from 'pino';
import type { Link } from '../../agent/supervisor/link.ts';
import type { Spool } from '../../agent/supervisor/spool.ts';
import type { WorkerEvents } from '../../agent/supervisor/worker-process.ts';
import type { Runtime, RuntimeOptions } from '../../coordinator/runtime.ts';
import type { Offers } from '../../coordinator/transport/offers.ts';
import type { AttemptServiceServer } from '../../proto/gen/trawl/v1/attempt_service.ts';

/** Where a bug takes hold; what it leaves out is as it should be. */
export interface Bug {
  /** What is wrong, for a person. */
  readonly about: string;
  readonly tornCommits?: boolean;
  readonly losesSpool?: boolean;
  runtime?(options: RuntimeOptions): Runtime;
  /** After a start, when the store has been read. */
  onLoaded?(runtime: Runtime): void;
  offers?(nats: NatsConnection, cluster: string, log: Logger): Offers;
  service?(service: AttemptServiceServer, runtime: Runtime): AttemptServiceServer;
  coordinatorNats?(nats: NatsConnection, runtime: Runtime): NatsConnection;
  spool?(spool: Spool): Spool;
  link?(link: Link): Link;
  workerEvents?(events: WorkerEvents): WorkerEvents;
}

export const NO_BUG: Bug = { about: 'none' };

/** By name. */
export const BUGS: Readonly<Record<string, Bug>> = {};
