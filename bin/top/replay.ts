/** Replays an ended sweep from its events and reports, in the form of the original Watch stream. */
import { NO_SLOT_TIME } from '../../lib/domain/slot-time.ts';
import { countedAs, noCounts } from '../../lib/domain/trial-state.ts';
import { formatStep } from '../../lib/text/numbers.ts';
import type { WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import {
  Agent,
  type AgentState,
  type Event,
  type Report,
  type SlotTime,
  type Sweep,
  type Trial,
  type TrialCounts,
} from '../../proto/gen/trawl/v1/types.ts';
import { sweepState, type TrialStateName, trialState } from '../../proto/names.ts';

export interface History {
  /** The sweep after its end. */
  readonly sweep: Sweep;
  readonly trials: readonly Trial[];
  /** Oldest first. */
  readonly events: readonly Event[];
  /** Reports by trial id. */
  readonly curves: ReadonlyMap<string, readonly Report[]>;
}

const TRIAL_STATES: ReadonlySet<string> = new Set<TrialStateName>([
  'pending',
  'offered',
  'held',
  'succeeded',
  'stopped',
  'failed',
  'cancelled',
]);
const CONNECTED: AgentState = 'AGENT_STATE_CONNECTED';
/** Matches the detail of a `granted` event and of a `speculated` event. */
const GRANTED = /^to agent (?<agent>.*), slot (?<slot>\d+)(?<resumed>, resumed after .*)?$/s;
const NO_PROGRESS = { epoch: 0, metrics: {} };

interface ReplayedAgent {
  slots: number;
  /**
   * The slot of each leased attempt. Several attempts can share a slot: the attempts of a pack, or attempts that are
   * queued in the slot.
   */
  readonly leased: Map<string, string>;
  heardMs: number;
}

export class Replay {
  readonly #history: History;
  readonly #final = new Map<string, Trial>();
  readonly #trials = new Map<string, Trial>();
  readonly #agents = new Map<string, ReplayedAgent>();
  readonly #counts: TrialCounts;
  readonly #leases = new ReplayedLeases();
  #sweep: Sweep;
  #next = 0;

  constructor(history: History) {
    this.#history = history;
    this.#counts = { ...noCounts(), pending: history.trials.length };
    for (const trial of history.trials) {
      this.#final.set(trial.id, trial);
      const unstarted = {
        ...{ attempts: 0, agentId: '', backend: '', startedAtMs: 0, endedAtMs: 0, leasedMs: 0 },
        droppedIn: undefined,
      };
      const pending = { ...trial, ...unstarted, ...NO_PROGRESS, failure: undefined, state: trialState.to('pending') };
      this.#trials.set(trial.id, pending);
    }
    this.#sweep = { ...history.sweep, state: 'SWEEP_STATE_RUNNING', reason: '', endedAtMs: 0, counts: this.#counts };
  }

  /**
   * Returns a snapshot at the time `ms`, in Unix milliseconds, and the events up to this time. The next call of `until`
   * returns the changes after this time.
   */
  start(ms: number): WatchResponse[] {
    const past = this.until(ms);
    const snapshot = {
      sweep: this.#sweepRow(),
      trials: [...this.#trials.values()],
      agents: this.#agentRows(),
      eventSeq: 0,
      more: false,
    };
    return [{ update: { $case: 'snapshot', snapshot } }, ...(past === undefined ? [] : [past])];
  }

  /**
   * Returns the changes up to the time `ms`, in Unix milliseconds, that no earlier call has returned. Undefined if
   * there are no such changes.
   */
  until(ms: number): WatchResponse | undefined {
    const { events } = this.#history;
    const due: Event[] = [];
    for (let event = events[this.#next]; event !== undefined && event.atMs <= ms; event = events[++this.#next]) {
      due.push(event);
      this.#apply(event);
    }
    if (due.length === 0) return undefined;
    const ids = new Set(due.map(({ trialId }) => trialId));
    const delta = {
      sweep: this.#sweepRow(),
      trials: [...ids].flatMap((id) => this.#trials.get(id) ?? []),
      events: due,
      agents: this.#agentRows(),
      eventSeq: due.at(-1)?.seq ?? 0,
      more: false,
    };
    return { update: { $case: 'delta', delta } };
  }

  #sweepRow(): Sweep {
    const slotTime = this.#leases.slotTime(this.#history.sweep.slotTime);
    return { ...this.#sweep, counts: { ...this.#counts }, slotTime };
  }

  #apply(event: Event): void {
    const { kind, trialId, atMs } = event;
    if (kind.startsWith('sweep ')) {
      const name = kind.slice('sweep '.length) as Parameters<typeof sweepState.to>[0];
      const ended = ['finished', 'stopped', 'killed'].includes(name);
      this.#sweep = { ...this.#sweep, state: sweepState.to(name), reason: event.detail, endedAtMs: ended ? atMs : 0 };
      return;
    }
    const trial = this.#trials.get(trialId);
    if (trial === undefined) return;
    if (kind === 'granted') this.#granted(trial, event);
    else if (kind === 'reported') this.#reported(trial, event);
    else if (kind === 'speculated') this.#occupy(event);
    else if (kind === 'ended') this.#ended(trial, event);
    else if (kind === 'dropped') this.#replace({ ...trial, droppedIn: this.#final.get(trialId)?.droppedIn ?? 1 });
    else if (kind === 'restored') this.#replace({ ...trial, droppedIn: undefined });
    else if (kind === 'retried') this.#move({ ...trial, failure: undefined, endedAtMs: 0 }, 'pending');
    else if (TRIAL_STATES.has(kind)) {
      const name = kind as TrialStateName;
      const ended = name !== 'pending' && name !== 'offered' && name !== 'held';
      const failure = name === 'failed' ? this.#final.get(trialId)?.failure : undefined;
      this.#move({ ...trial, failure, endedAtMs: ended ? atMs : 0 }, name);
    }
  }

  /** Marks the slot of a granted attempt as used. Returns the id of the agent. */
  #occupy(event: Event): string {
    const { detail, atMs } = event;
    const { agent = '', slot = '0' } = GRANTED.exec(detail)?.groups ?? {};
    const known = this.#agents.get(agent) ?? { slots: 0, leased: new Map<string, string>(), heardMs: 0 };
    known.slots = Math.max(known.slots, Number(slot) + 1);
    known.leased.set(attemptName(event), slot);
    this.#leases.granted(attemptName(event), `${agent} ${slot}`, atMs);
    known.heardMs = atMs;
    this.#agents.set(agent, known);
    return agent;
  }

  #ended(trial: Trial, event: Event): void {
    for (const agent of this.#agents.values()) agent.leased.delete(attemptName(event));
    const ms = this.#leases.ended(attemptName(event), event.atMs);
    this.#trials.set(trial.id, { ...trial, leasedMs: trial.leasedMs + ms });
  }

  #granted(trial: Trial, event: Event): void {
    const { attempt, detail, atMs } = event;
    const { resumed } = GRANTED.exec(detail)?.groups ?? {};
    const agent = this.#occupy(event);
    const backend = this.#final.get(trial.id)?.backend ?? '';
    const progress = resumed === undefined ? NO_PROGRESS : {};
    const started = { attempts: attempt, agentId: agent, backend, startedAtMs: atMs, endedAtMs: 0 };
    this.#move({ ...trial, ...progress, ...started }, 'running');
  }

  #reported(trial: Trial, { attempt, detail, atMs }: Event): void {
    const curve = this.#history.curves.get(trial.id) ?? [];
    // The event has the step only as rounded text, so the steps are compared as text.
    const report = curve.find((one) => detail === `epoch ${formatStep(one.epoch)}` && one.attempt === attempt);
    const agent = this.#agents.get(trial.agentId);
    if (agent !== undefined) agent.heardMs = atMs;
    if (report === undefined) return;
    const metrics = { ...trial.metrics, ...report.metrics };
    this.#trials.set(trial.id, { ...trial, epoch: Math.max(trial.epoch, report.epoch), metrics });
  }

  #move(trial: Trial, to: TrialStateName): void {
    this.#replace({ ...trial, state: trialState.to(to) });
  }

  #replace(trial: Trial): void {
    const before = this.#trials.get(trial.id);
    if (before !== undefined) this.#counts[countedAs(before)]--;
    this.#counts[countedAs(trial)]++;
    this.#trials.set(trial.id, trial);
  }

  #agentRows(): Agent[] {
    return [...this.#agents].map(([id, { slots, leased, heardMs }]) => {
      const busy = new Set(leased.values()).size;
      return Agent.fromPartial({ id, host: '', state: CONNECTED, slots, busy, lastHeartbeatMs: heardMs });
    });
  }
}

/** The leases of a replay, and the slot time that results from these leases. */
class ReplayedLeases {
  readonly #leases = new Map<string, { readonly slot: string; readonly sinceMs: number }>();
  /** For each slot in use: the time at which its use began, and the number of its current leases. */
  readonly #slots = new Map<string, { readonly sinceMs: number; leases: number }>();
  #doneMs = 0;
  #atMs = 0;

  granted(attempt: string, slot: string, atMs: number): void {
    this.#atMs = atMs;
    this.#leases.set(attempt, { slot, sinceMs: atMs });
    const held = this.#slots.get(slot);
    if (held === undefined) this.#slots.set(slot, { sinceMs: atMs, leases: 1 });
    else held.leases += 1;
  }

  /** Returns how long the attempt held its lease, in milliseconds. */
  ended(attempt: string, atMs: number): number {
    this.#atMs = atMs;
    const lease = this.#leases.get(attempt);
    const held = this.#slots.get(lease?.slot ?? '');
    if (lease === undefined || held === undefined) return 0;
    this.#leases.delete(attempt);
    held.leases -= 1;
    if (held.leases === 0) {
      this.#slots.delete(lease.slot);
      this.#doneMs += atMs - held.sinceMs;
    }
    return atMs - lease.sinceMs;
  }

  /**
   * Returns the slot time so far. Events do not record GPUs. Each slot is therefore assumed to have the sweep's mean
   * number of GPUs per slot, which is computed from `whole`.
   */
  slotTime(whole: SlotTime = NO_SLOT_TIME): SlotTime {
    const gpusPerSlot = whole.slotMs > 0 ? whole.gpuMs / whole.slotMs : 0;
    let slotMs = this.#doneMs;
    for (const { sinceMs } of this.#slots.values()) slotMs += this.#atMs - sinceMs;
    const slots = this.#slots.size;
    return { slotMs, gpuMs: slotMs * gpusPerSlot, slots, gpus: slots * gpusPerSlot, atMs: this.#atMs, attempts: 0 };
  }
}

const attemptName = ({ trialId, attempt }: Event): string => `${trialId} ${attempt}`;
