/**
 * A model of the parts of nats-server that trawl uses: subjects, and an in-memory work queue (one message per subject)
 * with pull consumers, acknowledgements and redelivery. The server loses everything when its process ends.
 */
import type { Clock } from './clock.ts';
import type { SimulatedNetwork } from './network.ts';
import type { SimulatedProcess } from './process.ts';

/** An error response of JetStream. */
export interface ApiFault {
  readonly code: number;
  readonly err_code: number;
  readonly description: string;
}
export const isFault = (answer: unknown): answer is ApiFault =>
  typeof answer === 'object' && answer !== null && 'err_code' in answer;

const NO_STREAM: ApiFault = { code: 404, err_code: 10059, description: 'stream not found' };
const NO_CONSUMER: ApiFault = { code: 404, err_code: 10014, description: 'consumer not found' };
const SUBJECT_FULL: ApiFault = { code: 400, err_code: 10077, description: 'maximum messages per subject exceeded' };

interface Message {
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
  /** The time at which a delivered message is delivered again. Undefined while the message waits for a delivery. */
  heldUntil: number | undefined;
  /** Whether the message is damaged. A damaged message is still listed, but is never delivered. */
  stuck: boolean;
}

export interface Pull {
  readonly client: SimulatedProcess;
  readonly until: number;
  left: number;
  deliver(seq: number, subject: string, data: Uint8Array): void;
  /** Called when the consumer was deleted. */
  broken(): void;
}

interface Queue {
  readonly messages: Map<number, Message>;
  readonly subjects: Map<string, number>;
  consumer: { readonly ackWaitMs: number; pulls: Pull[] } | undefined;
  nextSeq: number;
}

interface Subscription {
  readonly prefix: string;
  readonly client: SimulatedProcess;
  deliver(subject: string, data: Uint8Array): void;
}

export class SimulatedNatsServer {
  readonly process: SimulatedProcess;
  readonly #clock: Clock;
  readonly #network: SimulatedNetwork;
  readonly #queues = new Map<string, Queue>();
  readonly #subscriptions: Subscription[] = [];

  constructor(process: SimulatedProcess, network: SimulatedNetwork) {
    this.process = process;
    this.#clock = network.clock;
    this.#network = network;
  }

  subscribe(subscription: Subscription): void {
    this.#subscriptions.push(subscription);
  }

  publish(subject: string, data: Uint8Array): void {
    for (const { prefix, client, deliver } of this.#subscriptions) {
      if (subject.startsWith(prefix)) this.#network.post(this.process, client, () => deliver(subject, data));
    }
  }

  queueNames(): string[] {
    return [...this.#queues.keys()];
  }

  addQueue(name: string): void {
    if (this.#queues.has(name)) return;
    this.#queues.set(name, { messages: new Map(), subjects: new Map(), consumer: undefined, nextSeq: 1 });
  }

  deleteQueue(name: string): true | ApiFault {
    const queue = this.#queues.get(name);
    if (queue === undefined) return NO_STREAM;
    this.#queues.delete(name);
    for (const pull of queue.consumer?.pulls ?? []) {
      if (this.#network.random.next() < 0.5) this.#network.post(this.process, pull.client, () => pull.broken());
    }
    return true;
  }

  addConsumer(name: string, ackWaitMs: number): true | ApiFault {
    const queue = this.#queues.get(name);
    if (queue === undefined) return NO_STREAM;
    queue.consumer ??= { ackWaitMs, pulls: [] };
    return true;
  }

  hasConsumer(name: string): true | ApiFault {
    const queue = this.#queues.get(name);
    if (queue === undefined) return NO_STREAM;
    return queue.consumer === undefined ? NO_CONSUMER : true;
  }

  subjects(name: string): Record<string, number> | ApiFault {
    const queue = this.#queues.get(name);
    if (queue === undefined) return NO_STREAM;
    return Object.fromEntries([...queue.subjects.keys()].map((subject) => [subject, 1]));
  }

  enqueue(name: string, subject: string, data: Uint8Array): true | ApiFault {
    const queue = this.#queues.get(name);
    if (queue === undefined) return NO_STREAM;
    if (queue.subjects.has(subject)) return SUBJECT_FULL;
    const seq = queue.nextSeq++;
    queue.messages.set(seq, { seq, subject, data, heldUntil: undefined, stuck: false });
    queue.subjects.set(subject, seq);
    this.#deliver(name, queue);
    return true;
  }

  pull(name: string, pull: Pull): void {
    const queue = this.#queues.get(name);
    if (queue?.consumer === undefined) return;
    queue.consumer.pulls.push(pull);
    this.#deliver(name, queue);
  }

  acknowledge(name: string, seq: number): void {
    const queue = this.#queues.get(name);
    if (queue !== undefined) remove(queue, seq);
  }

  /** Delays the redelivery of a message by `ms`. */
  holdFor(name: string, seq: number, ms: number): void {
    const queue = this.#queues.get(name);
    const message = queue?.messages.get(seq);
    if (queue === undefined || message?.heldUntil === undefined) return;
    this.#hold(name, queue, message, ms);
  }

  ackWaitMs(name: string): number {
    return this.#queues.get(name)?.consumer?.ackWaitMs ?? 0;
  }

  /** Returns the number of messages that the open pulls of a client can still receive from a queue. */
  waiting(clientName: string, queue: string): number {
    const pulls = this.#queues.get(queue)?.consumer?.pulls ?? [];
    return pulls
      .filter(({ client, until }) => client.name === clientName && client.alive && until > this.#clock.now)
      .reduce((sum, { left }) => sum + left, 0);
  }

  /**
   * Simulates damage: loses some of the stored messages.
   * @param share the fraction of the messages to lose
   */
  loseMessages(share: number): void {
    this.#damage(share, (queue, { seq }) => remove(queue, seq));
  }

  /** Simulates damage: the given fraction of the messages is still listed, but is never delivered. */
  stickMessages(share: number): void {
    this.#damage(share, (_, message) => {
      message.stuck = true;
    });
  }

  loseQueues(): void {
    this.#queues.clear();
  }

  #damage(share: number, harm: (queue: Queue, message: Message) => void): void {
    for (const queue of this.#queues.values()) {
      for (const message of [...queue.messages.values()]) {
        if (this.#network.random.next() < share) harm(queue, message);
      }
    }
  }

  #deliver(name: string, queue: Queue): void {
    const { consumer } = queue;
    if (consumer === undefined) return;
    consumer.pulls = consumer.pulls.filter(
      (pull) => pull.client.alive && pull.until > this.#clock.now && pull.left > 0,
    );
    for (const message of queue.messages.values()) {
      if (message.heldUntil !== undefined || message.stuck) continue;
      const pull = consumer.pulls.find(({ left }) => left > 0);
      if (pull === undefined) return;
      pull.left -= 1;
      this.#hold(name, queue, message, consumer.ackWaitMs);
      this.#network.post(this.process, pull.client, () => pull.deliver(message.seq, message.subject, message.data));
    }
  }

  #hold(name: string, queue: Queue, message: Message, ms: number): void {
    const until = this.#clock.now + ms;
    message.heldUntil = until;
    this.#clock.after(ms, this.process, () => {
      if (message.heldUntil !== until || queue.messages.get(message.seq) !== message) return;
      message.heldUntil = undefined;
      this.#deliver(name, queue);
    });
  }
}

function remove(queue: Queue, seq: number): void {
  const message = queue.messages.get(seq);
  if (message === undefined) return;
  queue.messages.delete(seq);
  queue.subjects.delete(message.subject);
}
