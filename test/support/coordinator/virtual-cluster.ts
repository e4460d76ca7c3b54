/**
 * A core with virtual agents, in virtual time. The agents pull offers from queues, claim them, and run each attempt to
 * a planned end.
 */
import TinyQueue from 'tinyqueue';
import { onHeartbeat, onHello } from '../../../coordinator/core/agents.ts';
import type { AttemptEnd } from '../../../coordinator/core/attempt-model.ts';
import { onRecord } from '../../../coordinator/core/attempt-records.ts';
import { onOpen } from '../../../coordinator/core/attempts.ts';
import { forgetEndedTrials } from '../../../coordinator/core/ended-trials.ts';
import type { Core, Sweep } from '../../../coordinator/core/model.ts';
import type { SweepPolicy } from '../../../coordinator/core/policy.ts';
import { schedule } from '../../../coordinator/core/scheduler.ts';
import type { Change, Step } from '../../../coordinator/core/step.ts';
import { onTick } from '../../../coordinator/core/tick.ts';
import { type AttemptKey, keyText } from '../../../lib/domain/attempt-key.ts';
import { RefusalCode } from '../../../proto/gen/trawl/v1/attempt_service.ts';
import type { FailureClassName } from '../../../proto/names.ts';
import { TestRandom } from '../random.ts';
import { Ledger } from './ledger.ts';
import { addSweep, agentHello, emptyCore } from './sample-core.ts';

const TICK_MS = 250;
const HEARTBEAT_MS = 2_500;
const RETURN_DELAY_MS = 100;
const COMPARE_EVERY = 16;
/** The maximum number of pulls at the same virtual time. More pulls indicate an endless loop. */
const MAX_PULLS = 10_000;

/** The planned end of an attempt on an agent, and the time from the start of the attempt to this end. */
export interface Plan {
  readonly afterMs: number;
  /** How the attempt ends. `hang`: it never ends on its own. */
  readonly end: 'succeeded' | 'hang' | FailureClassName;
  readonly message?: string;
}

export interface VirtualAgent {
  readonly id: string;
  readonly slots: number;
  plan(key: AttemptKey, now: number): Plan;
}

interface Granted {
  readonly key: AttemptKey;
  readonly agentId: string;
  readonly slot: number;
}

export class VirtualCluster {
  readonly core: Core = emptyCore();
  readonly ledger = new Ledger(() => this.#agents.map(({ id }) => id));
  readonly changes: Change[] = [];
  /** Every attempt that was granted, in order. */
  readonly granted: Granted[] = [];
  now = 0;
  readonly #random: TestRandom;
  readonly #agents: readonly VirtualAgent[];
  readonly #queues = new Map<string, AttemptKey[]>();
  readonly #running = new Map<string, Granted>();
  readonly #events = new TinyQueue<{ readonly at: number; readonly run: () => void }>([], (a, b) => a.at - b.at);

  constructor(agents: readonly VirtualAgent[], seed = 1) {
    this.#agents = agents;
    this.#random = new TestRandom(seed);
    for (const { id, slots } of agents) onHello(this.core, agentHello(id, `${id}1`, slots), this.now);
    this.#every(TICK_MS, () => this.#settle(onTick(this.core, this.now)));
    this.#every(HEARTBEAT_MS, () => this.#heartbeats());
  }

  submit(trials: number, policy: Partial<SweepPolicy> = {}, id = '1'): Sweep {
    const sweep = addSweep(this.core, id, trials, policy);
    this.ledger.addSweep(sweep);
    return sweep;
  }

  /** Runs until the sweep is no longer running, or until `limitMs`. Returns the virtual time. */
  runUntilDone(sweep: Sweep, limitMs = 24 * 3_600_000): number {
    this.#pull();
    while (sweep.state === 'running' && this.now < limitMs) this.#next();
    return this.now;
  }

  runFor(ms: number): void {
    const end = this.now + ms;
    this.#pull();
    while ((this.#events.peek()?.at ?? Number.POSITIVE_INFINITY) <= end) this.#next();
    this.now = end;
  }

  /** Applies a step that the test obtained from the core. */
  settle(step: Step): void {
    this.#settle(step);
    this.#pull();
  }

  #next(): void {
    const event = this.#events.pop();
    if (event === undefined) throw new Error('the virtual cluster has no events');
    this.now = event.at;
    event.run();
    this.#pull();
  }

  #at(at: number, run: () => void): void {
    this.#events.push({ at, run });
  }

  #every(ms: number, run: () => void): void {
    this.#at(this.now + ms, () => {
      run();
      this.#every(ms, run);
    });
  }

  #heartbeats(): void {
    for (const { id } of this.#agents) {
      const held = [...this.#running.values()].filter(({ agentId }) => agentId === id).map(({ key }) => key);
      this.#settle(onHeartbeat(this.core, { agentId: id, incarnation: `${id}1`, held, leaving: false }, this.now));
    }
  }

  #settle({ changes, outputs }: Step): void {
    for (const change of changes) {
      this.ledger.write(change);
      this.changes.push(change);
    }
    forgetEndedTrials(this.core, changes);
    // The core is not compared with the ledger after every step, because a comparison takes longer than a step.
    if (changes.length > 0 && this.changes.length % COMPARE_EVERY === 0) this.ledger.compare(this.core);
    for (const output of outputs) {
      if (output.kind === 'offer') this.#queueOf(output.pool).push(output.key);
      if (output.kind === 'revoke') this.#running.delete(keyText(output.key));
    }
    for (const change of changes) {
      if (change.kind === 'sweep' && change.state === 'finished') this.core.sweeps.delete(change.sweepId);
    }
  }

  #queueOf(pool: string): AttemptKey[] {
    const queue = this.#queues.get(pool) ?? [];
    this.#queues.set(pool, queue);
    return queue;
  }

  #pull(): void {
    this.#settle(schedule(this.core, this.now));
    let pulls = 0;
    for (let pulled = true; pulled; ) {
      pulled = false;
      if (++pulls > MAX_PULLS) throw new Error('the same offers are made and rejected without end');
      for (const agent of this.#random.shuffled(this.#agents)) pulled = this.#pullOne(agent) || pulled;
      if (pulled) this.#settle(schedule(this.core, this.now));
    }
  }

  /**
   * Pulls one offer for the agent, if the agent has a free slot and the queue of the slot's pool has an offer. Returns
   * whether an offer was pulled.
   */
  #pullOne(agent: VirtualAgent): boolean {
    const busy = new Set(
      [...this.#running.values()].filter(({ agentId }) => agentId === agent.id).map(({ slot }) => slot),
    );
    const slot = Array.from({ length: agent.slots }, (_, at) => at).find((at) => !busy.has(at));
    const pool = this.core.agents.get(agent.id)?.pools[slot ?? 0] ?? '';
    const key = slot === undefined ? undefined : this.#queueOf(pool).shift();
    if (key === undefined || slot === undefined) return false;
    const claim = { key, agentId: agent.id, incarnation: `${agent.id}1`, slot };
    const { step, answer } = onOpen(this.core, claim, this.now);
    this.#settle(step);
    if (answer.granted) this.#run(agent, { key, agentId: agent.id, slot });
    else if (answer.refusal.code === RefusalCode.AVOIDED || answer.refusal.code === RefusalCode.OUTRANKED) {
      this.#at(this.now + RETURN_DELAY_MS, () => this.#queueOf(pool).push(key));
    }
    return true;
  }

  #run(agent: VirtualAgent, granted: Granted): void {
    const { key } = granted;
    this.granted.push(granted);
    this.#running.set(keyText(key), granted);
    const { afterMs, end, message = 'as planned' } = agent.plan(key, this.now);
    if (end === 'hang') return;
    this.#at(this.now + afterMs, () => {
      if (!this.#running.delete(keyText(key))) return;
      const how: AttemptEnd =
        end === 'succeeded' ? { outcome: end } : { outcome: 'failed', failure: { class: end, message } };
      const record = { kind: 'ended', key, seq: 1, at: this.now, end: how } as const;
      this.#settle(onRecord(this.core, { agentId: agent.id, record }, this.now).step);
    });
  }
}
