/** gRPC between the agents and the coordinator that listens: the coordinator's own service, the agent's own session. */
import { status } from '@grpc/grpc-js';
import type { CoordinatorClient, ReportStream } from '../../agent/supervisor/coordinator-client.ts';
import {
  type AttemptServiceServer,
  OpenRequest,
  OpenResponse,
  type ReportResponse,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { ArtifactWays } from './artifact-ways.ts';
import type { Network } from './network.ts';
import type { SimulatedProcess } from './process.ts';
import { type ServerStream, SimulatedStream } from './report-stream.ts';

export interface Listening {
  readonly process: SimulatedProcess;
  readonly service: AttemptServiceServer;
  readonly artifacts: ArtifactWays;
}

/** What an agent has been told, for the laws to judge. */
export interface Witness {
  told(agent: SimulatedProcess, response: ReportResponse): void;
  decided(agent: SimulatedProcess, request: OpenRequest, response: OpenResponse): void;
}

type Open = (call: { request: OpenRequest }, callback: (error: object | null, response?: OpenResponse) => void) => void;

export class Grpc {
  readonly network: Network;
  readonly #witness: Witness;
  readonly #streams = new Set<SimulatedStream>();
  /** Undefined: nobody does. */
  listening: Listening | undefined;

  constructor(network: Network, witness: Witness) {
    this.network = network;
    this.#witness = witness;
    network.onLongCut((a, b) => this.breakStreams((stream) => isBetween(stream, a, b)));
  }

  breakStreams(which: (stream: SimulatedStream) => boolean): void {
    for (const stream of this.#streams) {
      if (!which(stream)) continue;
      this.#streams.delete(stream);
      stream.break();
    }
  }

  /** The agent's link, but for the files of artifacts, which it brings from its machine. */
  link(agent: SimulatedProcess, files: Pick<CoordinatorClient, 'upload' | 'download'>): CoordinatorClient {
    return {
      report: () => this.#report(agent),
      open: (request, withinMs, answered) => this.#open(agent, request, withinMs, answered),
      ...files,
      close: () => {},
    };
  }

  #report(agent: SimulatedProcess): ReportStream {
    const { clock, random } = this.network;
    const coordinator = this.listening;
    // Nobody listens: the stream goes to a process that is not there.
    const process = coordinator?.process ?? agent;
    const accept = (call: ServerStream) => coordinator?.service.report(call);
    const stream = new SimulatedStream(this.network, agent, process, accept);
    const call = stream.clientCall;
    call.on('data', (response: ReportResponse) => this.#witness.told(agent, response));
    if (coordinator === undefined || !coordinator.process.alive) {
      clock.after(random.between(1, 500), agent, () => stream.refuse());
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
    let over = false;
    const finish = (error: Error | null, response: OpenResponse) => {
      if (over) return;
      over = true;
      if (error === null) this.#witness.decided(agent, request, response);
      answered(error, response);
    };
    const fail = (code: status, message: string) =>
      finish(Object.assign(new Error(message), { code }), { decisions: [] });
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
