/** gRPC between the agents and the coordinator: the real service and the real session, on a simulated transport. */
import { status } from '@grpc/grpc-js';
import type { CoordinatorClient } from '../../agent/supervisor/coordinator-client.ts';
import type { ReportStream } from '../../agent/supervisor/stream-messages.ts';
import { LeaderAddresses } from '../../lib/net/leader-addresses.ts';
import {
  type AttemptServiceServer,
  OpenRequest,
  OpenResponse,
  type ReportResponse,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { ArtifactTransfers } from './artifact-transfers.ts';
import type { SimulatedNetwork } from './network.ts';
import type { SimulatedProcess } from './process.ts';
import { type ServerStream, SimulatedStream } from './report-stream.ts';

export interface Listening {
  readonly process: SimulatedProcess;
  /** Returns whether it is certain that the coordinator leads. By default, it is always certain. */
  readonly isCertain?: () => boolean;
  readonly service: AttemptServiceServer;
  readonly artifacts: ArtifactTransfers;
}

/** A coordinator that stands by. */
interface StandingBy {
  readonly process: SimulatedProcess;
  /** Returns the place of the leader; empty if no coordinator leads. */
  leader(): string;
}

/** Observes the messages that agents receive, for the invariants. */
export interface MessageObserver {
  received(agent: SimulatedProcess, response: ReportResponse): void;
  decided(agent: SimulatedProcess, request: OpenRequest, response: OpenResponse): void;
}

type Open = (call: { request: OpenRequest }, callback: (error: object | null, response?: OpenResponse) => void) => void;

export class Grpc {
  readonly network: SimulatedNetwork;
  readonly #observer: MessageObserver;
  readonly #streams = new Set<SimulatedStream>();
  readonly #places: readonly string[];
  /** The coordinators that have listened, by place. */
  readonly #listening = new Map<string, Listening | StandingBy>();

  /** @param places the places of the coordinators */
  constructor(network: SimulatedNetwork, observer: MessageObserver, places: readonly string[]) {
    this.network = network;
    this.#observer = observer;
    this.#places = places;
    network.onLongCut((a, b) => this.breakStreams((stream) => isBetween(stream, a, b)));
  }

  listen(place: string, listening: Listening | StandingBy): void {
    this.#listening.set(place, listening);
  }

  /** Returns connections through which one agent calls the leader. */
  connections(): CoordinatorConnections {
    return new CoordinatorConnections(this.network, this.#places, this.#listening);
  }

  breakStreams(which: (stream: SimulatedStream) => boolean): void {
    for (const stream of this.#streams) {
      if (!which(stream)) continue;
      this.#streams.delete(stream);
      stream.break();
    }
  }

  /** Returns an agent's client. `files` transfers artifacts from and to the agent's machine. */
  client(
    agent: SimulatedProcess,
    to: CoordinatorConnections,
    files: Pick<CoordinatorClient, 'upload' | 'download'>,
  ): CoordinatorClient {
    return {
      leave: () => to.leave(),
      renew: () => {},
      report: () => this.#report(agent, to),
      open: (request, withinMs, answered, stream) => {
        if (stream === undefined) this.#open(agent, to, request, withinMs, answered);
        else {
          stream.claim(request.claims, withinMs, (error, response) => {
            if (error === null) this.#observer.decided(agent, request, response);
            answered(error, response);
          });
        }
      },
      ...files,
      // Simulated sweeps have no code to download.
      downloadCode: async () => {},
      close: () => {},
    };
  }

  #report(agent: SimulatedProcess, to: CoordinatorConnections): ReportStream {
    const { clock, random } = this.network;
    const coordinator = to.listening;
    // If no coordinator is listening, the agent's own process is also the other end of the stream, until the code below
    // ends the stream.
    const process = coordinator?.process ?? agent;
    const accept = (call: ServerStream) => coordinator?.service.report(call);
    const stream = new SimulatedStream(this.network, agent, process, accept);
    const call = stream.clientCall;
    call.on('data', (response: ReportResponse) => this.#observer.received(agent, response));
    if (coordinator === undefined || !coordinator.process.alive) {
      clock.after(random.between(1, 500), agent, () => stream.reject());
    } else {
      this.#streams.add(stream);
      const forget = () => this.#streams.delete(stream);
      agent.onDeath(forget);
      process.onDeath(forget);
    }
    return call;
  }

  #open(
    agent: SimulatedProcess,
    to: CoordinatorConnections,
    request: OpenRequest,
    withinMs: number,
    answered: (error: Error | null, response: OpenResponse) => void,
  ): void {
    const { clock, random } = this.network;
    let isAnswered = false;
    const finish = (error: Error | null, response: OpenResponse) => {
      if (isAnswered) return;
      isAnswered = true;
      if (error === null) this.#observer.decided(agent, request, response);
      answered(error, response);
    };
    const fail = (code: status, message: string) =>
      finish(Object.assign(new Error(message), { code }), { decisions: [], leaderEpoch: 0 });
    clock.after(withinMs, agent, () => fail(status.DEADLINE_EXCEEDED, 'no answer in time'));
    const coordinator = to.listening;
    const unavailable = () =>
      clock.after(random.between(1, 500), agent, () => fail(status.UNAVAILABLE, 'the connection failed'));
    if (coordinator === undefined || !coordinator.process.alive) {
      unavailable();
      return;
    }
    coordinator.process.onDeath(unavailable);
    const bytes = OpenRequest.encode(request).finish();
    this.network.post(agent, coordinator.process, () => {
      (coordinator.service.open as unknown as Open)({ request: OpenRequest.decode(bytes) }, (error, response) => {
        const answer = response && OpenResponse.encode(response).finish();
        this.network.post(coordinator.process, agent, () => {
          if (answer === undefined) fail(status.INTERNAL, JSON.stringify(error));
          else finish(null, OpenResponse.decode(answer));
        });
      });
    });
  }
}

function isBetween(stream: SimulatedStream, a: string, b: string): boolean {
  const { name: agent } = stream.agent;
  const { name: coordinator } = stream.coordinator;
  return (a === agent && b === coordinator) || (a === coordinator && b === agent);
}

/**
 * An agent's connections to the coordinators. The agent calls the same coordinator until that coordinator is unreachable
 * or stands by.
 */
export class CoordinatorConnections {
  readonly network: SimulatedNetwork;
  readonly #addresses: LeaderAddresses;
  readonly #listening: ReadonlyMap<string, Listening | StandingBy>;

  constructor(
    network: SimulatedNetwork,
    places: readonly string[],
    listening: ReadonlyMap<string, Listening | StandingBy>,
  ) {
    this.network = network;
    this.#addresses = new LeaderAddresses(places);
    this.#listening = listening;
  }

  /**
   * The coordinator that this agent calls. Undefined if that coordinator has not started to serve, stands by, or is not
   * certain that it leads.
   */
  get listening(): Listening | undefined {
    const found = this.#listening.get(this.#addresses.current);
    const { now } = this.network.clock;
    if (found === undefined || !found.process.alive) {
      this.#addresses.onUnreachable(now);
      return found !== undefined && 'service' in found ? found : undefined;
    }
    if ('service' in found && found.isCertain?.() !== false) return found;
    this.#addresses.onStandby('leader' in found ? found.leader() : '', now);
    return undefined;
  }

  leave(): void {
    this.#addresses.onStandby('', this.network.clock.now);
  }
}
