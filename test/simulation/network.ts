/** The network between processes: delays, losses, duplicates and cuts. */
import type { TestRandom } from '../support/random.ts';
import type { Clock } from './clock.ts';
import type { SimulatedProcess } from './process.ts';

/** Network conditions. Probabilities are per message. */
export interface NetworkConditions {
  /** The longest delay of a normal message. */
  readonly usualMs: number;
  /** The longest delay of a slow message. */
  readonly slowMs: number;
  readonly slow: number;
  readonly lost: number;
  readonly doubled: number;
}

export const FAULTLESS: NetworkConditions = { usualMs: 5, slowMs: 5, slow: 0, lost: 0, doubled: 0 };
const RESEND_MS = 200;
/** gRPC's keepalive timeout on both sides: a silent connection is closed after this time. */
export const KEEPALIVE_MS = 15_000;

export class SimulatedNetwork {
  readonly clock: Clock;
  readonly random: TestRandom;
  conditions: NetworkConditions = FAULTLESS;
  /** The links that are cut now, as `from>to`, each with the id of its cut. */
  readonly #cuts = new Map<string, number>();
  #cutsMade = 0;
  readonly #onLongCut: ((a: string, b: string) => void)[] = [];

  constructor(clock: Clock, random: TestRandom) {
    this.clock = clock;
    this.random = random;
  }

  delay(): number {
    const { slow, slowMs, usualMs } = this.conditions;
    return this.random.between(0, this.random.next() < slow ? slowMs : usualMs);
  }

  /** Sends a datagram: it can be lost, duplicated or reordered. */
  post(from: SimulatedProcess, to: SimulatedProcess, work: () => void): void {
    if (!canSend(from)) return;
    const { lost, doubled } = this.conditions;
    if (this.isCut(from.name, to.name) || this.random.next() < lost) return;
    const copies = this.random.next() < doubled ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      this.clock.after(this.delay(), to, () => {
        if (!this.isCut(from.name, to.name)) work();
      });
    }
  }

  /** Returns a lane for the messages of one direction of a connection. */
  lane(from: SimulatedProcess, to: SimulatedProcess): Lane {
    return new Lane(this, from, to);
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.has(`${from}>${to}`);
  }

  /**
   * Blocks messages from `a` to `b` until `repair`.
   * @param both whether messages from `b` to `a` are blocked too
   */
  cut(a: string, b: string, both: boolean): void {
    const cut = ++this.#cutsMade;
    this.#cuts.set(`${a}>${b}`, cut);
    if (both) this.#cuts.set(`${b}>${a}`, cut);
    this.clock.after(KEEPALIVE_MS, undefined, () => {
      if (this.#cuts.get(`${a}>${b}`) !== cut) return;
      for (const listener of this.#onLongCut) listener(a, b);
    });
  }

  repair(a: string, b: string): void {
    this.#cuts.delete(`${a}>${b}`);
    this.#cuts.delete(`${b}>${a}`);
  }

  repairAll(): void {
    this.#cuts.clear();
  }

  onLongCut(listener: (a: string, b: string) => void): void {
    this.#onLongCut.push(listener);
  }
}

/** Delivers messages in order and without duplicates. Messages in transit are lost when the lane is closed. */
export class Lane {
  readonly #network: SimulatedNetwork;
  readonly #from: SimulatedProcess;
  readonly #to: SimulatedProcess;
  #queue: (() => void)[] = [];
  #moving = false;
  #closed = false;

  constructor(network: SimulatedNetwork, from: SimulatedProcess, to: SimulatedProcess) {
    this.#network = network;
    this.#from = from;
    this.#to = to;
  }

  send(work: () => void): void {
    if (canSend(this.#from)) this.sendLast(work);
  }

  /**
   * Sends a message even if the sender is dead. When a process dies, the operating system sends a last message that
   * closes its connections. That message arrives after all earlier messages.
   */
  sendLast(work: () => void): void {
    if (this.#closed) return;
    this.#queue.push(work);
    if (!this.#moving) this.#move(this.#network.delay());
  }

  close(): void {
    this.#closed = true;
    this.#queue = [];
  }

  #move(delayMs: number): void {
    this.#moving = true;
    this.#network.clock.after(delayMs, this.#to, () => {
      if (this.#network.isCut(this.#from.name, this.#to.name)) return this.#move(RESEND_MS);
      this.#moving = false;
      const work = this.#queue.shift();
      if (this.#queue.length > 0) this.#move(this.#network.delay() / 4);
      work?.();
    });
  }
}

function canSend(from: SimulatedProcess): boolean {
  if (!from.alive) return false;
  const { deathPoint } = from;
  if (deathPoint?.at === 'sending') {
    deathPoint.left -= 1;
    if (deathPoint.left < 0) from.kill();
  }
  return from.alive;
}
