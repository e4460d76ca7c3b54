/** Small cores for tests. */

import type { AgentHello } from '../../../coordinator/core/agents.ts';
import { type Core, newCore, type Sweep } from '../../../coordinator/core/model.ts';
import type { SweepPolicy } from '../../../coordinator/core/policy.ts';
import { newSweep } from '../../../coordinator/core/sweeps.ts';
import type { Trial } from '../../../coordinator/core/trial-model.ts';
import { addTrial } from '../../../coordinator/core/trials.ts';
import type { AttemptKey } from '../../../lib/domain/attempt-key.ts';

export const LEASE_MS = 15_000;

export const PLAIN_POLICY: SweepPolicy = {
  trainer: 'noop',
  resources: { labels: {} },
  weight: 1,
  concurrency: undefined,
  retry: { oom: 1, crash: 2, timeout: 1, backoffMs: 0 },
  timeoutMs: undefined,
  maxFailed: undefined,
  checkpointEvery: 1,
  reconstructEvery: 4,
  command: [],
  ranking: { metric: 'test_loss', goal: 'minimize', at: 'last' },
  target: undefined,
  speculate: false,
  earlyTerminate: undefined,
  program: undefined,
};

export function emptyCore(): Core {
  return newCore(LEASE_MS);
}

/** Adds a running sweep of pending trials `t0`, `t1`, ..., with the pack keys from `packKeyOf`. */
export function addSweep(
  core: Core,
  id: string,
  trials: number,
  policy: Partial<SweepPolicy> = {},
  packKeyOf: (index: number) => string | undefined = () => undefined,
  priority = 0,
  replicates = 1,
): Sweep {
  const sweep = newSweep(id, 'running', { ...PLAIN_POLICY, ...policy }, priority);
  sweep.planned = trials;
  for (let index = 0; index < trials; index++) {
    addTrial(sweep, {
      id: `t${index}`,
      index,
      configId: `c${Math.floor(index / replicates)}`,
      state: 'pending',
      packKey: packKeyOf(index),
      epochs: undefined,
      rung: 0,
      rungScore: 0,
      promotedFrom: 0,
      attempts: 0,
      failures: {},
      freeLosses: 0,
      failedAttempts: [],
      avoidUntil: 0,
      failure: undefined,
      offeredAt: 0,
      pool: undefined,
      earlierPools: [],
      readyAt: 0,
      checkpoint: undefined,
      lease: undefined,
      speculation: undefined,
      speculativeOffer: undefined,
      dropped: false,
      parent: undefined,
      parameters: {},
      seed: 0,
      speculated: false,
    });
  }
  core.sweeps.set(id, sweep);
  return sweep;
}

export function agentHello(id: string, incarnation: string, slots: number, pack = 1): AgentHello {
  const machine = {
    instance: id,
    location: 'here',
    host: 'host',
    version: '0',
    backend: 'wasm',
    gpus: [],
    labels: {},
    metrics: '',
  };
  return { id, incarnation, slots, pack, ...machine, trainers: ['noop', 'autoencoder', 'command'], slotFacts: [] };
}

export function sampleKey(sweep: Sweep, trial: Trial, attempt = trial.attempts + 1): AttemptKey {
  return { sweepId: sweep.id, trialId: trial.id, attempt };
}

export function sampleTrial(sweep: Sweep, id: string): Trial {
  const trial = sweep.trials.get(id);
  if (trial === undefined) throw new Error(`the sample sweep has no trial ${id}`);
  return trial;
}
