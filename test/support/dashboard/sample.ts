/** A small sweep for tests: latent_dim 15/30/50/100 by noise_std 0/0.5, as messages of a Watch stream. */

import { toWire } from '../../../lib/domain/parameters.ts';
import type { WatchDelta, WatchResponse } from '../../../proto/gen/trawl/v1/sweep_service.ts';
import {
  Agent,
  AgentState,
  type DeepPartial,
  Event,
  Goal,
  Sweep,
  SweepState,
  Trial,
  TrialState,
} from '../../../proto/gen/trawl/v1/types.ts';

/** When the sample sweep was submitted, in Unix milliseconds. */
export const START_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

const LATENT = [15, 30, 50, 100];
const NOISE = [0, 0.5];

export const sampleTrials = (): Trial[] =>
  LATENT.flatMap((latent_dim, l) =>
    NOISE.map((noise_std, n) =>
      Trial.fromPartial({
        sweepId: '7',
        id: `${'abcd'[l]}${n}00000000000000`,
        configId: `c${l}${n}`,
        index: l * 2 + n,
        parameters: toWire({ dataset: 'mnist', depth: 3, epochs: 2, latent_dim, noise_std }),
        state: TrialState.PENDING,
      }),
    ),
  );

export function sampleSweep(change: DeepPartial<Sweep> = {}): Sweep {
  return Sweep.fromPartial({
    id: '7',
    name: 'autoencoders',
    state: SweepState.RUNNING,
    trainer: 'autoencoder',
    metric: { name: 'test_loss', goal: Goal.MINIMIZE },
    counts: { pending: 8 },
    configs: 8,
    replicates: 1,
    createdAtMs: START_MS,
    fingerprint: 'f1',
    axes: ['latent_dim', 'noise_std'],
    weight: 1,
    ...change,
  });
}

export const sampleAgent = (change: DeepPartial<Agent> = {}): Agent =>
  Agent.fromPartial({
    id: 'agent-1',
    host: 'box',
    state: AgentState.CONNECTED,
    slots: 2,
    busy: 1,
    backend: 'wasm',
    version: '0.1.0',
    ...change,
  });

/** Returns the trial of the sample at this index. The fields in `change` replace those of the trial. */
export function trialAt(index: number, change: DeepPartial<Trial> = {}): Trial {
  const trial = sampleTrials()[index];
  if (trial === undefined) throw new Error(`the sample has no trial ${index}`);
  return { ...trial, ...Trial.fromPartial({ ...trial, ...change }) };
}

/** Returns a trial that started on agent-1 five seconds after the start of the sweep, and has reached `epoch`. */
export function runningTrial(index: number, epoch: number, metrics: Record<string, number>): Trial {
  return trialAt(index, {
    state: TrialState.RUNNING,
    attempts: 1,
    agentId: 'agent-1',
    backend: 'wasm',
    epoch,
    metrics,
    metricSteps: Object.fromEntries(Object.keys(metrics).map((name) => [name, epoch])),
    startedAtMs: START_MS + 5_000,
  });
}

/** Returns a trial that succeeded `seconds` after its start. */
export function endedTrial(index: number, metrics: Record<string, number>, seconds = 4): Trial {
  const trial = runningTrial(index, 2, metrics);
  const ms = seconds * 1000;
  return { ...trial, state: TrialState.SUCCEEDED, endedAtMs: trial.startedAtMs + ms, leasedMs: ms };
}

export function snapshot(
  sweep = sampleSweep(),
  trials = sampleTrials(),
  agents = [sampleAgent()],
  part: { readonly eventSeq?: number; readonly more?: boolean } = {},
): WatchResponse {
  return { update: { $case: 'snapshot', snapshot: { sweep, trials, agents, eventSeq: 1, more: false, ...part } } };
}

export function delta(change: Partial<WatchDelta>): WatchResponse {
  const nothing = { sweep: undefined, trials: [], events: [], agents: [], eventSeq: 0, more: false };
  return { update: { $case: 'delta', delta: { ...nothing, ...change } } };
}

let seq = 1;

/** Returns an event that happened `seconds` after the start of the sweep. */
export function event(kind: string, trial: Trial | undefined, seconds: number, detail = ''): Event {
  seq += 1;
  return Event.fromPartial({
    seq,
    atMs: START_MS + seconds * 1000,
    sweepId: '7',
    trialId: trial?.id ?? '',
    attempt: trial?.attempts ?? 0,
    kind,
    detail,
  });
}
