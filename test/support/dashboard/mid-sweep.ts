/** A running sweep of four configs with two seeds each. The sweep has everything that the views can show. */

import { configsOf, rankConfigs } from '../../../lib/domain/configs.ts';
import { toWire } from '../../../lib/domain/parameters.ts';
import type { GetTrialResponse } from '../../../proto/gen/trawl/v1/sweep_service.ts';
import {
  type Agent,
  FailureClass,
  type Report,
  type Sweep,
  type Trial,
  TrialState,
} from '../../../proto/gen/trawl/v1/types.ts';
import { delta, event, START_MS, sampleAgent, sampleSweep, snapshot, trialAt } from './sample.ts';
import { reconstructionArtifact, type SampleAnswers } from './sample-source.ts';

const POINTS = [
  { latent_dim: 15, noise_std: 0 },
  { latent_dim: 15, noise_std: 0.5 },
  { latent_dim: 50, noise_std: 0 },
  { latent_dim: 50, noise_std: 0.5 },
];
const EPOCHS = 4;

function metricsAt(index: number, epoch: number): Record<string, number> {
  const config = Math.floor(index / 2);
  const loss = 0.1 + 0.4 / epoch + 0.02 * (config % 2) - 0.01 * Math.floor(config / 2) + 0.004 * (index % 2);
  return { train_loss: loss + 0.01, test_loss: loss, psnr: 20 - 20 * loss + (config === 1 ? 4 : 0) };
}

function trial(index: number, state: TrialState, epoch: number): Trial {
  const config = Math.floor(index / 2);
  const started = state !== TrialState.PENDING;
  const ended = state === TrialState.SUCCEEDED || state === TrialState.FAILED;
  return {
    ...trialAt(0),
    id: `${'0123456789abcdef'[index]}e1f2a3b4c5d6e7f8`.slice(0, 16),
    configId: `c${config}d0000000000000`,
    index,
    seed: index % 2,
    parameters: toWire({ dataset: 'mnist', depth: 3, epochs: EPOCHS, ...POINTS[config] }),
    state,
    attempts: started ? 1 : 0,
    agentId: started ? 'agent-1' : '',
    backend: started ? 'wasm' : '',
    epoch,
    metrics: epoch > 0 ? metricsAt(index, epoch) : {},
    failure: state === TrialState.FAILED ? { class: FailureClass.OOM, message: 'out of memory' } : undefined,
    startedAtMs: started ? START_MS + 1_000 + index * 500 : 0,
    endedAtMs: ended ? START_MS + 6_000 + index * 500 : 0,
    leasedMs: ended ? 5_000 : 0,
  };
}

export const midTrials: readonly Trial[] = [
  ...[0, 1, 2, 3, 4].map((index) => trial(index, TrialState.SUCCEEDED, EPOCHS)),
  trial(5, TrialState.FAILED, 1),
  trial(6, TrialState.RUNNING, 2),
  trial(7, TrialState.PENDING, 0),
];

const FIGURES = [
  {
    ...{ index: 0, utilization: 0.37, memoryUsedBytes: 61_234 * 2 ** 20, memoryTotalBytes: 81_559 * 2 ** 20 },
    ...{ temperatureCelsius: 41, powerWatts: 118.24, gpus: [0] },
  },
  { index: 1, memoryUsedBytes: 12 * 2 ** 20, memoryTotalBytes: 81_559 * 2 ** 20, gpus: [1] },
];

export const midAgents: Agent[] = [
  sampleAgent({
    busy: 1,
    gpus: ['NVIDIA H100', 'NVIDIA H100'],
    pack: 8,
    gpuFigures: FIGURES,
    machineFigures: {
      ...{ cpu: 0.42, memoryUsedBytes: 24 * 2 ** 30, memoryTotalBytes: 64 * 2 ** 30 },
      ...{ diskFreeBytes: 120 * 2 ** 30, diskTotalBytes: 500 * 2 ** 30 },
    },
    lastHeartbeatMs: START_MS + 13_000,
  }),
  sampleAgent({ id: 'agent-2', host: 'other', state: 'AGENT_STATE_LOST', lastHeartbeatMs: START_MS + 2_000 }),
];

export const midSweep: Sweep = sampleSweep({
  counts: { pending: 1, running: 1, succeeded: 5, failed: 1 },
  configs: 4,
  replicates: 2,
  slotTime: { slotMs: 36_000, gpuMs: 36_000, slots: 1, gpus: 1, atMs: START_MS + 11_000 },
});

const report = (of: Trial, epoch: number): Report => ({
  attempt: 1,
  epoch,
  atMs: START_MS + epoch * 1000,
  metrics: metricsAt(of.index, epoch),
});

const midCurves: ReadonlyMap<string, readonly Report[]> = new Map(
  midTrials.map((of) => [of.id, Array.from({ length: of.epoch }, (_, i) => report(of, i + 1))]),
);

function detailOf(id: string): GetTrialResponse {
  const found = midTrials.find((one) => one.id === id);
  if (found === undefined) throw new Error(`there is no trial ${id}`);
  const { failure } = found;
  return {
    trial: found,
    attempts: [
      {
        number: 1,
        agentId: 'agent-1',
        slot: 0,
        backend: 'wasm',
        grantedAtMs: found.startedAtMs,
        startedAtMs: found.startedAtMs,
        queued: false,
        endedAtMs: found.endedAtMs,
        outcome: failure === undefined ? 'ATTEMPT_OUTCOME_SUCCEEDED' : 'ATTEMPT_OUTCOME_FAILED',
        failure,
        resumedFrom: 0,
        speculative: false,
        hidden: false,
      },
    ],
    artifacts: [reconstructionArtifact(1), reconstructionArtifact(4)],
    programs: [],
    rungs: [],
  };
}

const [first, , , , , failed, running] = midTrials;

export const midAnswers: SampleAnswers = {
  rungs: {
    rule: 'asha, min_iter 1, eta 2',
    rungs: [
      { rung: 1, reached: 7, stopped: 3, running: 0, held: 0, best: 0.31, bound: 0.38 },
      { rung: 2, reached: 4, stopped: 1, running: 1, held: 0, best: 0.24, bound: 0.27 },
      { rung: 4, reached: 2, stopped: 0, running: 0, held: 0, best: 0.19, bound: undefined },
    ],
  },
  best: () => rankConfigs(configsOf(midTrials), 'test_loss', 'minimize'),
  updates: [
    snapshot(midSweep, [...midTrials], midAgents, { eventSeq: 100 }),
    delta({
      events: [
        { ...event('granted', running, 4, 'to agent agent-1, slot 0'), seq: 101 },
        {
          ...event('lost', undefined, 8, 'agent agent-2 on other, no heartbeat'),
          seq: 102,
          sweepId: '0',
          agentId: 'agent-2',
        },
        { ...event('ended', failed, 8.5, 'failed (oom): out of memory'), seq: 103 },
      ],
    }),
  ],
  sweeps: [
    sampleSweep({ id: '6', name: 'an earlier one', state: 'SWEEP_STATE_FINISHED', counts: { succeeded: 8 } }),
    midSweep,
  ],
  explain: [
    'trial 7e1f2a3b4c5d6e7f of sweep 7: pending for 15.0s',
    '  every slot that can run it is busy',
    'agents:',
    '  agent-1: can run it in 2 slots; all slots are busy',
    '  agent-2: no: lost: not heard from for 13 s; slots 0, 1: 8 GiB of GPU memory (the sweep requires 16 GiB); slot 2: no GPU (the sweep requires 1)',
  ],
  earlier: [
    { ...event('granted', first, 1, 'to agent agent-1, slot 0'), seq: 10 },
    { ...event('reported', first, 2, 'epoch 1'), seq: 11 },
    { ...event('ended', first, 3, 'succeeded'), seq: 60 },
    { ...event('granted', running, 4, 'to agent agent-1, slot 0'), seq: 101 },
  ],
  curves: midCurves,
  trial: detailOf,
  log: 'loading mnist\nepoch 1: 0.5\n\u001b[2Jnot obeyed\nepoch 2: 0.3\n',
  importance: {
    metric: 'test_loss',
    why: '',
    estimated: true,
    effects: [
      {
        ...{ parameter: 'noise_std', share: 0.6, p: 0.002, significant: true },
        levels: [
          { value: '0', mean: 0.199, interval: { low: 0.188, high: 0.21 }, n: 3, lowest: 0.19, highest: 0.204 },
          { value: '0.5', mean: 0.222, interval: { low: 0.208, high: 0.236 }, n: 2, lowest: 0.22, highest: 0.224 },
        ],
      },
      {
        ...{ parameter: 'latent_dim', share: 0.3, p: 0.14, significant: false },
        levels: [
          { value: '15', mean: 0.212, interval: { low: 0.2, high: 0.224 }, n: 4, lowest: 0.2, highest: 0.224 },
          { value: '50', mean: 0.201, interval: undefined, n: 1, lowest: 0.19, highest: 0.19 },
        ],
      },
    ],
    interactions: [{ parameters: ['latent_dim', 'noise_std'], share: 0.05 }],
  },
};
