/** gRPC between the agents and the coordinator: the real service and the real session, on a simulated transport. */
import { status } from '@grpc/grpc-js';
import type { CoordinatorClient, ReportStream } from '../../agent/supervisor/coordinator-client.ts';
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
  readonly service: AttemptServiceServer;
  readonly artifacts: ArtifactTransfers;
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
  /** The coordinator. Undefined while no coordinator is listening. */
  listening: Listening | undefined;

  constructor(network: SimulatedNetwork, observer: MessageObserver) {
    this.network = network;
    this.#observer = observer;
    network.onLongCut((a, b) => this.breakStreams((stream) => isBetween(stream, a, b)));
  }

  breakStreams(which: (stream: SimulatedStream) => boolean): void {
    for (const stream of this.#streams) {
      if (!which(stream)) continue;
      this.#streams.delete(stream);
      stream.break();
    }
  }

  /** Returns an agent's client. `files` transfers artifacts from and to the agent's machine. */
  client(agent: SimulatedProcess, files: Pick<CoordinatorClient, 'upload' | 'download'>): CoordinatorClient {
    return {
      leave: () => {},
      renew: () => {},
      report: () => this.#report(agent),
      open: (request, withinMs, answered) => this.#open(agent, request, withinMs, answered),
      ...files,
      // Simulated sweeps run no programs.
      downloadCode: async () => {},
      close: () => {},
    };
  }

  #report(agent: SimulatedProcess): ReportStream {
    const { clock, random } = this.network;
    const coordinator = this.listening;
    // Without a coordinator, the agent's own process stands in for the other side, until the code below ends the
    // stream.
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
    const coordinator = this.listening;
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
