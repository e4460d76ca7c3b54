/**
 * Simulates a Report stream between an agent and the coordinator, with the interface of grpc-js. Messages arrive in
 * order. Each side can notice a broken stream at a different time.
 */
import { EventEmitter } from 'node:events';
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { ReportStream } from '../../agent/supervisor/stream-messages.ts';
import { ReportRequest, ReportResponse } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Lane, SimulatedNetwork } from './network.ts';
import type { SimulatedProcess } from './process.ts';

export type ServerStream = ServerDuplexStream<ReportRequest, ReportResponse>;

class End extends EventEmitter {
  writable = true;
  readonly writableNeedDrain = false;
  readonly writableLength = 0;
}

export class SimulatedStream {
  readonly agent: SimulatedProcess;
  readonly coordinator: SimulatedProcess;
  readonly #network: SimulatedNetwork;
  readonly #up: Lane;
  readonly #down: Lane;
  readonly #client = new End();
  readonly #server = new End();

  constructor(
    network: SimulatedNetwork,
    agent: SimulatedProcess,
    coordinator: SimulatedProcess,
    accept: (call: ServerStream) => void,
  ) {
    this.agent = agent;
    this.coordinator = coordinator;
    this.#network = network;
    this.#up = network.lane(agent, coordinator);
    this.#down = network.lane(coordinator, agent);
    this.#up.send(() => accept(this.#serverCall()));
    // The operating system closes the connection of a dead process, after its last message.
    agent.onDeath(() => this.#up.sendLast(() => this.#closeServer()));
    coordinator.onDeath(() => this.#down.sendLast(() => this.#closeClient('connection reset')));
  }

  get clientCall(): ReportStream {
    const call = Object.assign(this.#client, {
      write: (message: ReportRequest): boolean => {
        if (!this.#client.writable) return false;
        const bytes = ReportRequest.encode(message).finish();
        this.#up.send(() => this.#server.writable && this.#server.emit('data', ReportRequest.decode(bytes)));
        return true;
      },
      cancel: (): void => {
        this.#up.send(() => this.#closeServer());
        this.#network.clock.after(0, this.agent, () => this.#closeClient('cancelled'));
      },
    });
    return call as unknown as ReportStream;
  }

  /** Fails the stream because no coordinator is listening. */
  reject(): void {
    this.#closeClient('connection refused');
  }

  /**
   * Breaks the stream. Each side detects the break later, and messages in transit to the coordinator can still arrive.
   */
  break(): void {
    const { clock, random } = this.#network;
    if (random.next() < 0.5) this.#up.close();
    this.#down.close();
    clock.after(random.between(0, 300), this.agent, () => this.#closeClient('connection reset'));
    clock.after(random.between(0, 6_000), this.coordinator, () => this.#closeServer());
  }

  #serverCall(): ServerStream {
    const call = Object.assign(this.#server, {
      write: (message: ReportResponse): boolean => {
        const bytes = ReportResponse.encode(message).finish();
        this.#down.send(() => this.#client.writable && this.#client.emit('data', ReportResponse.decode(bytes)));
        return true;
      },
      end: (): void => {},
      getAuthContext: () => ({}),
      isPaused: () => false,
      pause: (): void => {
        throw new Error('flow control is not simulated');
      },
    });
    this.#server.on('error', (error: { details?: string }) => {
      this.#server.writable = false;
      this.#down.send(() => this.#closeClient(error.details ?? 'the call failed'));
      this.#network.clock.after(0, this.coordinator, () => this.#closeServer());
    });
    return call as unknown as ServerStream;
  }

  #closeClient(details: string): void {
    if (!this.#client.writable) return;
    this.#client.writable = false;
    this.#down.close();
    this.#client.emit('error', Object.assign(new Error(details), { code: status.UNAVAILABLE, details }));
    // Only `end` is emitted. grpc-js does not finish the sending side here, and therefore emits no `close`.
    this.#client.emit('end');
  }

  #closeServer(): void {
    this.#up.close();
    this.#server.writable = false;
    if (this.#server.listenerCount('close') > 0) this.#server.emit('close');
    this.#server.removeAllListeners('close');
  }
}
