/** Random histories of a core: the passing of time, and valid and invalid actions of agents and users, in any order. */

import fc from 'fast-check';
import { onHeartbeat, onHello } from '../../../coordinator/core/agents.ts';
import type { FinalEnd } from '../../../coordinator/core/attempt-model.ts';
import { type AttemptRecord, onRecord, type RecordAnswer } from '../../../coordinator/core/attempt-records.ts';
import { type Claim, type ClaimAnswer, onOpen } from '../../../coordinator/core/attempts.ts';
import { onDrain, onUndrain } from '../../../coordinator/core/drain.ts';
import { type Core, isEnded, type Sweep } from '../../../coordinator/core/model.ts';
import type { Resources, SweepPolicy } from '../../../coordinator/core/policy.ts';
import { onRetry, type RetryChoice } from '../../../coordinator/core/retry-trials.ts';
import { schedule } from '../../../coordinator/core/scheduler.ts';
import { NO_STEP, type Step } from '../../../coordinator/core/step.ts';
import {
  newSweep,
  onKill,
  onKillTrial,
  onPause,
  onPriority,
  onResume,
  onStop,
} from '../../../coordinator/core/sweeps.ts';
import { onTick } from '../../../coordinator/core/tick.ts';
import { addTrial } from '../../../coordinator/core/trials.ts';
import type { EarlyTerminate } from '../../../coordinator/early-stop/settings.ts';
import { type AttemptKey, keyText } from '../../../lib/domain/attempt-key.ts';
import { TrawlError } from '../../../proto/errors.ts';
import type { FailureClassName } from '../../../proto/names.ts';
import { addSweep, agentHello, emptyCore } from './sample-core.ts';

const FAILURES: readonly FailureClassName[] = [
  'oom',
  'nan',
  'crash',
  'lost',
  'timeout',
  'preflight',
  'rejected',
  'drained',
];

/** An action. A number named `pick` selects one of the existing offers, attempts or sweeps. */
export type HistoryAction =
  | { readonly do: 'hello' | 'restart' | 'heartbeat' | 'stale heartbeat'; readonly agent: number }
  | { readonly do: 'leaving heartbeat' | 'drain' | 'undrain'; readonly agent: number }
  | { readonly do: 'schedule' }
  | { readonly do: 'tick'; readonly ms: number }
  | { readonly do: 'open'; readonly agent: number; readonly pick: number; readonly shift: number }
  | {
      readonly do: 'record';
      readonly agent: number;
      readonly pick: number;
      readonly shift: number;
      readonly body: Body;
    }
  | { readonly do: 'pause' | 'resume' | 'stop' | 'kill'; readonly pick: number }
  | { readonly do: 'kill trial'; readonly pick: number; readonly trial: number }
  | { readonly do: 'retry'; readonly pick: number; readonly choice: RetryChoice }
  | { readonly do: 'prioritize'; readonly pick: number; readonly priority: number };

type Body = 'report' | 'log' | 'checkpoint' | 'succeeded' | 'stopped' | FailureClassName;

/** The result of an action. */
export interface HistoryResult {
  readonly step: Step;
  readonly opened?: { readonly claim: Claim; readonly answer: ClaimAnswer };
  readonly recorded?: { readonly agentId: string; readonly record: AttemptRecord; readonly answer: RecordAnswer };
  readonly refused?: TrawlError;
  readonly heartbeat?: { readonly agentId: string; readonly incarnation: string };
}

export const AGENT_IDS = ['a', 'b', 'c'] as const;
const SLOTS = 2;
const PACK_SIZES = [1, 2, 4];
const GPUS = { backend: 'tensorflow-gpu', slotFacts: [1, 1].map((gpus) => ({ gpus, vramBytes: 8 * 2 ** 30 })) };
const MACHINES = [{ labels: { zone: 'a' } }, { labels: { zone: 'b' } }, { labels: { zone: 'a' }, ...GPUS }];
const packKeyOf = (index: number) => (index % 4 === 3 ? undefined : `k${index % 2}`);

const SHORT_DURATIONS = [1, 1, 1, 1, 1];

export class World {
  readonly core: Core;
  now = 1_000_000;
  /** All offers so far. They are kept because NATS can redeliver an offer at any time. */
  readonly offers: AttemptKey[] = [];
  readonly granted: AttemptKey[] = [];
  /** Ended sweeps. A real coordinator has them only in its store. */
  readonly ended = new Map<string, Sweep>();
  #requests = 0;
  readonly #incarnations = new Map<string, number>(AGENT_IDS.map((id) => [id, 0]));

  constructor(policies: readonly Partial<SweepPolicy>[], trials: number, core: Core = emptyCore()) {
    this.core = core;
    for (const [at, policy] of policies.entries()) {
      const { durations } = addSweep(core, `${at + 1}`, trials, policy, packKeyOf);
      // The core finds stragglers only after it has the durations of enough attempts.
      for (const durationMs of SHORT_DURATIONS) durations.ofSweep.push({ parameters: {}, durationMs });
    }
  }

  apply(action: HistoryAction): HistoryResult {
    const happened = this.#perform(action);
    for (const output of happened.step.outputs) if (output.kind === 'offer') this.offers.push(output.key);
    for (const change of happened.step.changes) {
      if (change.kind === 'granted') this.granted.push(change.key);
    }
    return happened;
  }

  /** Removes ended sweeps from memory, as the runtime does. */
  removeEnded(): void {
    for (const sweep of this.core.sweeps.values()) {
      if (!isEnded(sweep.state)) continue;
      this.core.sweeps.delete(sweep.id);
      this.ended.set(sweep.id, sweep);
    }
  }

  incarnation(agentId: string, back = 0): string {
    return `${agentId}${(this.#incarnations.get(agentId) ?? 0) - back}`;
  }

  #perform(action: HistoryAction): HistoryResult {
    const { core, now } = this;
    switch (action.do) {
      case 'restart': {
        const id = agentAt(action.agent);
        this.#incarnations.set(id, (this.#incarnations.get(id) ?? 0) + 1);
        return this.#perform({ do: 'hello', agent: action.agent });
      }
      case 'hello': {
        const id = agentAt(action.agent);
        const hello = agentHello(id, this.incarnation(id), SLOTS, PACK_SIZES[action.agent % PACK_SIZES.length]);
        onHello(core, { ...hello, ...MACHINES[action.agent % MACHINES.length] }, now);
        return { step: NO_STEP };
      }
      case 'heartbeat':
        return this.#heartbeat(agentAt(action.agent), 0);
      case 'stale heartbeat':
        return this.#heartbeat(agentAt(action.agent), 1);
      case 'leaving heartbeat':
        return this.#heartbeat(agentAt(action.agent), 0, true);
      case 'drain':
        return {
          step: onDrain(core, { agentId: agentAt(action.agent), graceMs: 1_000, reason: 'requested by a user' }, now),
        };
      case 'undrain':
        return { step: onUndrain(core, { agentId: agentAt(action.agent) }) };
      case 'schedule':
        return { step: schedule(core, now) };
      case 'tick':
        this.now += action.ms;
        return { step: onTick(core, this.now) };
      case 'open':
        return this.#open(action);
      case 'record':
        return this.#record(action);
      case 'retry':
        return this.#retry(action);
      default:
        return this.#controlSweep(action);
    }
  }

  #heartbeat(agentId: string, back: number, leaving = false): HistoryResult {
    const incarnation = this.incarnation(agentId, back);
    const leases = [...this.core.leases.values()];
    const held = leases.filter((lease) => lease.agentId === agentId && lease.incarnation === incarnation);
    const beat = { agentId, incarnation, held: held.map((lease) => lease.key), leaving };
    return { step: onHeartbeat(this.core, beat, this.now), heartbeat: beat };
  }

  #open({ agent, pick, shift }: Extract<HistoryAction, { do: 'open' }>): HistoryResult {
    const agentId = agentAt(agent);
    const offered = chosen(this.offers, pick) ?? { sweepId: '1', trialId: 't0', attempt: 1 };
    const key = { ...offered, attempt: Math.max(1, offered.attempt + shift) };
    const claim = { key, agentId, incarnation: this.incarnation(agentId), slot: 0 };
    const { step, answer } = onOpen(this.core, claim, this.now);
    return { step, opened: { claim, answer } };
  }

  /** @param agent the index of the sender, from 0 to 2. With a higher number, the attempt's holder is the sender. */
  #record({ agent, pick, shift, body }: Extract<HistoryAction, { do: 'record' }>): HistoryResult {
    const running = [...this.core.leases.values()].map((lease) => lease.key);
    const key = (agent < AGENT_IDS.length ? chosen(this.granted, pick) : chosen(running, pick)) ?? {
      sweepId: '1',
      trialId: 't0',
      attempt: 1,
    };
    const lease = this.core.leases.get(keyText(key));
    const agentId = agent < AGENT_IDS.length ? agentAt(agent) : (lease?.agentId ?? 'a');
    const seq = Math.max(1, (lease?.lastSeq ?? 0) + 1 + shift);
    const record = recordOf(key, seq, this.now, body);
    const { step, answer } = onRecord(this.core, { agentId, record }, this.now);
    return { step, recorded: { agentId, record, answer } };
  }

  #controlSweep(
    action: Extract<HistoryAction, { do: 'pause' | 'resume' | 'stop' | 'kill' | 'kill trial' | 'prioritize' }>,
  ): HistoryResult {
    const id = `${(action.pick % 3) + 1}`;
    try {
      switch (action.do) {
        case 'pause':
          return { step: onPause(this.core, { sweepId: id, reason: 'requested by a user' }) };
        case 'resume':
          return { step: onResume(this.core, { sweepId: id }) };
        case 'stop':
          return { step: onStop(this.core, { sweepId: id, reason: 'requested by a user' }) };
        case 'prioritize':
          return { step: onPriority(this.core, { sweepId: id, priority: action.priority }, this.now) };
        case 'kill trial': {
          const request = { sweepId: id, trialId: `t${action.trial}`, reason: 'requested by a user' };
          return { step: onKillTrial(this.core, request, this.now) };
        }
        case 'kill':
          return { step: onKill(this.core, { sweepId: id, reason: 'requested by a user' }, this.now) };
      }
    } catch (refused) {
      if (!(refused instanceof TrawlError)) throw refused;
      return { step: NO_STEP, refused };
    }
  }

  #retry({ pick, choice }: Extract<HistoryAction, { do: 'retry' }>): HistoryResult {
    const id = `${(pick % 2) + 1}`;
    const ended = this.ended.get(id);
    const sweep = this.core.sweeps.get(id) ?? (ended && reloaded(ended));
    if (sweep === undefined) throw new Error(`sweep ${id} is neither in memory nor in the store`);
    this.#requests += 1;
    try {
      const step = onRetry(this.core, { sweep, choice, requestId: `request ${this.#requests}` });
      if (this.core.sweeps.has(id)) this.ended.delete(id);
      return { step };
    } catch (refused) {
      if (!(refused instanceof TrawlError)) throw refused;
      return { step: NO_STEP, refused };
    }
  }
}

/** Returns a copy of an ended sweep. The copy has only the data that the store keeps. */
function reloaded({ id, state, policy, priority, planned, trials, records, durations }: Sweep): Sweep {
  const sweep = { ...newSweep(id, state, policy, priority), planned, durations };
  for (const trial of trials.values()) addTrial(sweep, { ...trial });
  for (const [agentId, record] of records) {
    sweep.records.set(agentId, { ...record, failures: new Map(record.failures) });
  }
  return sweep;
}

function recordOf(key: AttemptKey, seq: number, at: number, body: Body): AttemptRecord {
  if (body === 'report')
    return { kind: 'report', key, seq, at, epoch: seq, metrics: { loss: 1 / seq, test_loss: lossOf(key, seq) } };
  if (body === 'log') return { kind: 'log', key, seq, at, text: `line ${seq}\n` };
  if (body === 'checkpoint') {
    const artifact = { name: `checkpoint-${seq}`, kind: 'checkpoint', epoch: seq, size: 1, sha256: '' } as const;
    return { kind: 'artifact', key, seq, at, artifact };
  }
  return { kind: 'ended', key, seq, at, end: endOf(body) };
}

/** Returns a loss that depends on the trial, and that falls with each record of the trial unless the loss is 0. */
function lossOf({ trialId }: AttemptKey, seq: number): number {
  return ((Number(trialId.slice(1)) * 7) % 5) / seq;
}

function endOf(body: Exclude<Body, 'report' | 'log' | 'checkpoint'>): FinalEnd {
  if (body === 'succeeded') return { outcome: body };
  if (body === 'stopped') return { outcome: body, rule: 'median', reason: 'worse than the median' };
  return { outcome: 'failed', failure: { class: body, message: 'simulated failure' } };
}

const agentAt = (at: number): string => AGENT_IDS[at % AGENT_IDS.length] ?? 'a';
const chosen = <T>(items: readonly T[], pick: number): T | undefined => items[pick % items.length];

const agent = fc.nat({ max: AGENT_IDS.length - 1 });
const pick = fc.nat({ max: 1_000 });
const verb = <const T extends string>(name: T) => fc.constant(name);

const body: fc.Arbitrary<Body> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('report' as const, 'log' as const, 'checkpoint' as const) },
  { weight: 3, arbitrary: fc.constantFrom('succeeded' as const, 'stopped' as const) },
  { weight: 3, arbitrary: fc.constantFrom(...FAILURES) },
);

const anyChoice: fc.Arbitrary<RetryChoice> = fc.oneof(
  fc.record({
    failures: fc.oneof(fc.constant('all' as const), fc.uniqueArray(fc.constantFrom(...FAILURES), { maxLength: 3 })),
    cancelled: fc.boolean(),
  }),
  fc.record({
    trials: fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 3 }).map((at) => at.map((i) => `t${i}`)),
  }),
);

export const anyAction: fc.Arbitrary<HistoryAction> = fc.oneof(
  { weight: 9, arbitrary: fc.record({ do: verb('hello'), agent }) },
  { weight: 4, arbitrary: fc.record({ do: verb('restart'), agent }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constantFrom('heartbeat', 'stale heartbeat'), agent }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('leaving heartbeat', 'drain'), agent }) },
  { weight: 3, arbitrary: fc.record({ do: verb('undrain'), agent }) },
  { weight: 30, arbitrary: fc.record({ do: verb('schedule') }) },
  {
    weight: 18,
    arbitrary: fc.record({ do: verb('tick'), ms: fc.constantFrom(1, 1, 250, 250, 4_000, 4_000, 16_000, 400_000) }),
  },
  { weight: 60, arbitrary: fc.record({ do: verb('open'), agent, pick, shift: fc.constantFrom(0, 0, 0, 0, -1, 1) }) },
  {
    weight: 70,
    arbitrary: fc.record({
      do: verb('record'),
      agent: fc.constantFrom(0, 1, 2, 3, 3, 3, 3, 3),
      pick,
      shift: fc.constantFrom(0, 0, 0, 0, -1, 1),
      body,
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('pause', 'resume', 'resume'), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('stop', 'kill'), pick }) },
  { weight: 2, arbitrary: fc.record({ do: verb('kill trial'), pick, trial: fc.nat({ max: 5 }) }) },
  { weight: 4, arbitrary: fc.record({ do: verb('prioritize'), pick, priority: fc.constantFrom(-1, 0, 1) }) },
  { weight: 5, arbitrary: fc.record({ do: verb('retry'), pick, choice: anyChoice }) },
);

const anyRule: fc.Arbitrary<EarlyTerminate | undefined> = fc.constantFrom<(EarlyTerminate | undefined)[]>(
  undefined,
  undefined,
  undefined,
  undefined,
  { type: 'asha', minIter: 1, maxIter: undefined, eta: 2 },
  { type: 'asha', minIter: 1, maxIter: undefined, eta: 2, variant: 'promotion' },
  { type: 'hyperband', steps: { minIter: 1 }, eta: 2, strict: false },
  { type: 'median', minIter: 1, minTrials: 1 },
);

export const anyPolicy: fc.Arbitrary<SweepPolicy> = fc.record({
  concurrency: fc.constantFrom(undefined, 1, 3),
  retry: fc.record({
    oom: fc.nat({ max: 2 }),
    crash: fc.nat({ max: 3 }),
    timeout: fc.nat({ max: 2 }),
    backoffMs: fc.constantFrom(0, 2_000),
  }),
  timeoutMs: fc.constantFrom(undefined, 60_000),
  maxFailed: fc.constantFrom(undefined, { kind: 'count', count: 2 }, { kind: 'share', ratio: 0.5 }),
  weight: fc.constantFrom(1, 3),
  trainer: fc.constant('noop'),
  resources: fc.constantFrom<Resources>(
    ...[{ labels: {} }, { labels: {} }, { labels: { zone: 'a' } }, { labels: { zone: 'b' } }],
    ...[
      { gpu: false as const, labels: { zone: 'a' } },
      { gpu: 1, vramBytes: 4 * 2 ** 30, labels: {} },
    ],
  ),
  earlyTerminate: anyRule,
  checkpointEvery: fc.constant(1),
  reconstructEvery: fc.constant(4),
  command: fc.constant([]),
  ranking: fc.constant({ metric: 'test_loss', goal: 'minimize', at: 'last' } as const),
  target: fc.constant(undefined),
  speculate: fc.boolean(),
  program: fc.constant(undefined),
});
