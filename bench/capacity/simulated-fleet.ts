/**
 * Runs many simulated agents in one process. Each agent has its own gRPC connection, stream and heartbeats, and sends the
 * same messages as a real agent. A simulated agent has no spool and no workers. All simulated agents share one NATS
 * connection, so that 1,000 agents leave processor time for the coordinator.
 */
import { credentials } from '@grpc/grpc-js';
import type { JsMsg, NatsConnection } from 'nats';
import { pino } from 'pino';
import { Heartbeat } from '../../agent/supervisor/heartbeat.ts';
import { OfferQueue } from '../../agent/supervisor/offer-queues.ts';
import { newSlots, type Slot } from '../../agent/supervisor/slots.ts';
import { type ReportStream, StreamMessages } from '../../agent/supervisor/stream-messages.ts';
import { awaitNats, closeNats } from '../../lib/net/connect-nats.ts';
import {
  type AttemptKey,
  AttemptServiceClient,
  type Heartbeat as HeartbeatMessage,
  type ReportResponse,
  type Welcome,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import { PROTOCOL } from '../../proto/protocol.ts';
import { offerStream } from '../../proto/subjects.ts';
import type { FleetOptions } from './fleet.ts';
import { METRICS } from './paced-worker.ts';

const CLAIM_TIMEOUT_MS = 60_000;
/** The maximum number of offers in a pull, for all agents together. */
const OFFERS_PER_PULL = 64;
/** The maximum number of agents that connect at the same time. */
const CONNECTING = 20;

interface FreeSlot {
  readonly agent: SimulatedAgent;
  readonly slot: number;
}

export class SimulatedFleet {
  readonly #nats: NatsConnection;
  readonly #agents: SimulatedAgent[] = [];
  readonly #everyMs: number;
  #free: FreeSlot[] = [];
  #queue: OfferQueue | undefined;

  private constructor(nats: NatsConnection, everyMs: number) {
    this.#nats = nats;
    this.#everyMs = everyMs;
  }

  /** Starts the agents, and waits until all are connected. Each busy slot then sends a report every `everyMs`. */
  static async start({ agents, slots, server, natsUrl }: FleetOptions, everyMs: number): Promise<SimulatedFleet> {
    const log = pino({ level: 'silent' });
    const fleet = new SimulatedFleet(await awaitNats(natsUrl, 'fleet', undefined, log), everyMs);
    let welcome: Welcome | undefined;
    for (let first = 0; first < agents; first += CONNECTING) {
      const ids = Array.from({ length: Math.min(CONNECTING, agents - first) }, (_, at) => `agent-${first + at}`);
      const started = ids.map((id) => new SimulatedAgent({ id, server, slots, nats: fleet.#nats }));
      fleet.#agents.push(...started);
      for (const each of await Promise.all(started.map((agent) => agent.connected))) welcome = each;
    }
    fleet.#free = fleet.#agents.flatMap((agent) => Array.from({ length: slots }, (_, slot) => ({ agent, slot })));
    const stream = offerStream(welcome?.cluster ?? '', welcome?.pools[0] ?? '');
    const onOffer = (key: AttemptKey, message: JsMsg) => fleet.#onOffer(key, message);
    fleet.#queue = new OfferQueue(fleet.#nats, stream, { onOffer, onUnreadable: () => {} }, log);
    fleet.#want();
    return fleet;
  }

  async stop(): Promise<void> {
    await this.#queue?.close();
    for (const agent of this.#agents) agent.stop();
    await closeNats(this.#nats);
  }

  #want(): void {
    this.#queue?.want(Math.min(OFFERS_PER_PULL, this.#free.length));
  }

  #onOffer(key: AttemptKey, message: JsMsg): void {
    const next = this.#free.pop();
    if (next === undefined) {
      message.nak();
      return;
    }
    this.#want();
    next.agent.claim(key, next.slot, (isGranted) => {
      message.ack();
      if (isGranted) next.agent.run(key, next.slot, this.#everyMs);
      else this.#free.push(next);
      this.#want();
    });
  }
}

interface SimulatedAgentOptions {
  readonly id: string;
  readonly server: string;
  readonly slots: number;
  readonly nats: NatsConnection;
}

class SimulatedAgent {
  /** Resolves when the coordinator has welcomed the agent. */
  readonly connected: Promise<Welcome>;
  readonly #client: AttemptServiceClient;
  readonly #stream: ReportStream;
  readonly #messages: StreamMessages;
  readonly #heartbeat: Heartbeat;
  readonly #slots: Slot[];
  readonly #timers: NodeJS.Timeout[] = [];

  constructor({ id, server, slots, nats }: SimulatedAgentOptions) {
    const options = { 'grpc.use_local_subchannel_pool': 1 };
    this.#client = new AttemptServiceClient(server, credentials.createInsecure(), options);
    this.#slots = newSlots(slots);
    this.#stream = this.#client.report();
    this.#messages = new StreamMessages(this.#stream);
    const identity = { agentId: id, incarnation: `${id}#1`, instance: id, location: '' };
    const facts = { ...{ host: id, version: '0', metrics: '', backend: 'wasm' }, gpus: [], labels: {}, pack: 1 };
    const slotFacts = this.#slots.map(() => ({ gpus: 0, vramBytes: 0 }));
    const accepted = { protocol: PROTOCOL, leaderEpoch: 0, acceptsBatches: true, trainers: ['noop'] };
    const hello = { ...identity, ...facts, ...accepted, slots, slotFacts };
    const session = {
      sendHeartbeat: (heartbeat: HeartbeatMessage) => {
        this.#stream.write({ message: { $case: 'heartbeat', heartbeat } });
      },
    };
    const state = () => {
      const figures = { gpuFigures: [], machineFigures: undefined };
      return { slots: this.#slots, unacknowledged: [], leaving: false, ...figures };
    };
    const log = pino({ level: 'silent' });
    const getSession = () => session;
    this.#heartbeat = new Heartbeat(nats, identity, state, getSession, log);
    this.connected = new Promise((resolve, reject) => {
      this.#stream.on('error', reject);
      this.#stream.on('data', (response: ReportResponse) => this.#onResponse(response, resolve));
    });
    this.#stream.write({ message: { $case: 'hello', hello } });
  }

  claim(key: AttemptKey, slot: number, onAnswer: (isGranted: boolean) => void): void {
    this.#messages.claim([{ key, slot, pack: 0 }], CLAIM_TIMEOUT_MS, (_, { decisions }) => {
      onAnswer(decisions[0]?.answer?.$case === 'grant');
    });
  }

  /** Sends reports of an attempt. The first report has a random delay, so that the slots do not report together. */
  run(key: AttemptKey, slot: number, everyMs: number): void {
    const one = this.#slots[slot];
    if (one !== undefined) one.attempts = [{ key } as (typeof one.attempts)[number]];
    let epoch = 0;
    const report = () => {
      epoch += 1;
      const metrics = Object.fromEntries(METRICS.map((name, at) => [name, 1 / (epoch + at)]));
      const record = {
        key,
        seq: epoch,
        atMs: Date.now(),
        body: { $case: 'epoch', epoch: { epoch, metrics } },
      } as const;
      this.#messages.write({ message: { $case: 'record', record } });
    };
    this.#timers.push(
      setTimeout(() => {
        report();
        this.#timers.push(setInterval(report, everyMs));
      }, Math.random() * everyMs),
    );
  }

  stop(): void {
    this.#heartbeat.stop();
    for (const timer of this.#timers) clearInterval(timer);
    this.#messages.close();
    this.#stream.on('error', () => {});
    this.#stream.cancel();
    this.#client.close();
  }

  #onResponse({ message }: ReportResponse, onWelcome: (welcome: Welcome) => void): void {
    if (message?.$case === 'welcome') {
      this.#messages.batches = message.welcome.acceptsBatches;
      this.#messages.gatherMs = message.welcome.gatherMs;
      this.#heartbeat.start(message.welcome.cluster, message.welcome.heartbeatMs);
      onWelcome(message.welcome);
    } else if (message?.$case === 'batch') {
      this.#messages.gatherMs = message.batch.gatherMs;
      for (const answer of message.batch.claimAnswers) this.#messages.answered(answer);
    }
  }
}
