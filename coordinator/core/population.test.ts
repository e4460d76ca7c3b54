import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { agentHello, emptyCore, PLAIN_POLICY, sampleKey } from '../../test/support/coordinator/sample-core.ts';
import type { PopulationSettings } from '../early-stop/settings.ts';
import { idsOf } from '../grid/trial-id.ts';
import { onHello } from './agents.ts';
import { onRecord } from './attempt-records.ts';
import { onOpen } from './attempts.ts';
import { forgetEndedTrials } from './ended-trials.ts';
import type { Core, Sweep } from './model.ts';
import { onRetry } from './retry-trials.ts';
import { schedule } from './scheduler.ts';
import type { Change } from './step.ts';
import { newSweep, onKillTrial, onPause, onResume, onStop } from './sweeps.ts';
import { newTrial, type Trial } from './trial-model.ts';
import { addTrial } from './trials.ts';

const NOW = 1_000;
const EPOCHS = 6;
const SETTINGS: PopulationSettings = {
  type: 'pbt',
  population: 4,
  interval: 2,
  quantile: 0.25,
  perturb: [0.8, 1.2],
  resample: 0.25,
  seed: 0,
  maxTrials: undefined,
  explore: [['learning_rate', { kind: 'log_uniform', min: 1e-4, max: 1e-1, q: undefined }]],
};

let core: Core;
let sweep: Sweep;
let changes: Change[];
beforeEach(() => start());

function start(settings: Partial<PopulationSettings> = {}): void {
  core = emptyCore();
  changes = [];
  onHello(core, agentHello('a', 'a1', 4), NOW);
  const earlyTerminate = { ...SETTINGS, ...settings };
  const policy = { ...PLAIN_POLICY, trainer: 'autoencoder', earlyTerminate, checkpointEvery: 1 };
  sweep = newSweep('1', 'running', policy, 0);
  sweep.planned = earlyTerminate.population;
  for (let index = 0; index < earlyTerminate.population; index++) {
    const parameters = { learning_rate: 0.001 * (index + 1), epochs: EPOCHS, latent_dim: 30 };
    const { configId, trialId } = idsOf('autoencoder', parameters);
    addTrial(sweep, newTrial(policy, { index, parameters, seed: index, trialId: trialId(index), configId }));
  }
  core.sweeps.set('1', sweep);
}

function pass(): void {
  apply(schedule(core, NOW).changes);
}

function apply(more: readonly Change[]): void {
  changes.push(...more);
  forgetEndedTrials(core, more);
}

const live = () => [...sweep.trials.values()].sort((a, b) => a.index - b.index);

/** Grants a slot to a pending or offered trial, and returns the epoch that the attempt continues from. */
function open(trial: Trial): number {
  pass();
  if (trial.state !== 'offered') return Number.NaN;
  const slot = Array.from({ length: 64 }, (_, one) => one).find((one) => !core.slotsInUse.get('a')?.has(one)) ?? 0;
  const { step, answer } = onOpen(core, { key: sampleKey(sweep, trial), agentId: 'a', incarnation: 'a1', slot }, NOW);
  expect(answer).toMatchObject({ granted: true });
  apply(step.changes);
  return trial.checkpoint?.epoch ?? 0;
}

type Body = 'crash' | { readonly epoch: number; readonly loss?: number };

function send(trial: Trial, body: Body): void {
  const key = { sweepId: '1', trialId: trial.id, attempt: trial.attempts };
  const seq = (trial.lease?.lastSeq ?? 0) + 1;
  const failure = { class: 'nan', message: '' } as const;
  const content =
    body === 'crash'
      ? { kind: 'ended' as const, end: { outcome: 'failed' as const, failure } }
      : body.loss === undefined
        ? {
            kind: 'artifact' as const,
            artifact: { name: `e${body.epoch}`, kind: 'checkpoint' as const, epoch: body.epoch, size: 1, sha256: 's' },
          }
        : { kind: 'report' as const, epoch: body.epoch, metrics: { test_loss: body.loss } };
  apply(onRecord(core, { agentId: 'a', record: { key, seq, at: NOW, ...content } }, NOW).step.changes);
}

/** Trains a trial until its next comparison, or to its end. */
function train(trial: Trial, loss: number): void {
  const from = open(trial);
  for (let epoch = from + 1; epoch <= EPOCHS && trial.state === 'running'; epoch++) {
    send(trial, { epoch, loss });
    if (epoch < EPOCHS && trial.state === 'running') send(trial, { epoch });
  }
  if (trial.state !== 'running') return;
  const key = { sweepId: '1', trialId: trial.id, attempt: trial.attempts };
  const seq = (trial.lease?.lastSeq ?? 0) + 1;
  const record = { key, seq, at: NOW, kind: 'ended', end: { outcome: 'succeeded' } } as const;
  apply(onRecord(core, { agentId: 'a', record }, NOW).step.changes);
}

const inherited = () => changes.flatMap((change) => (change.kind === 'inherited' ? change : []));

test('members wait at the next comparison epoch, and are compared when all of them have reached it', () => {
  const members = live();
  for (const [at, trial] of members.slice(0, 3).entries()) train(trial, at);
  pass();
  expect(members.map(({ state }) => state)).toEqual(['held', 'held', 'held', 'offered']);
  expect(inherited()).toEqual([]);
  train(members[3] as Trial, 3);
  pass();
  const [first] = members;
  expect(inherited()).toMatchObject([
    {
      trial: { index: 4, seed: 4 },
      origin: {
        parent: first?.id,
        replaces: members[3]?.id,
        rung: 2,
        checkpoint: { epoch: 2, attempt: 1, name: 'e2' },
      },
    },
  ]);
  expect(changes.filter((change) => change.kind === 'trial' && change.state === 'stopped')).toMatchObject([
    {
      trialId: members[3]?.id,
      detail: expect.stringMatching(/^pbt: 3 ranks 4 of 4 at epoch 2; replaced by \w{8}, a child of \w{8}$/),
    },
  ]);
  expect(live().map(({ state }) => state)).not.toContain('held');
});

test('a child has its parent’s parameters except the explored ones, and continues from its parent’s checkpoint', () => {
  for (const [at, trial] of live().entries()) train(trial, at);
  pass();
  const [born] = inherited();
  const child = sweep.trials.get(born?.trial.trialId ?? '') as Trial;
  expect(born?.trial.parameters).toMatchObject({ epochs: EPOCHS, latent_dim: 30 });
  expect(born?.trial.parameters.learning_rate).not.toBe(0.001);
  expect(child).toMatchObject({ parent: born?.origin.parent, checkpoint: { epoch: 2, attempt: 0 }, rung: 2 });
  expect(open(child)).toBe(2);
  expect(changes.at(-1)).toMatchObject({ kind: 'granted', resumedFrom: 2 });
});

test('all members end at the last epoch, and the sweep finishes', () => {
  for (let round = 0; round < 3; round++) {
    for (const [at, trial] of live().entries()) train(trial, at);
    pass();
  }
  expect(sweep.counts).toMatchObject({ succeeded: 4, stopped: 2, held: 0, pending: 0, running: 0 });
  expect(sweep.planned).toBe(6);
  expect(sweep.state).toBe('finished');
});

test('a failed member is replaced at the next comparison, and can no longer be retried', () => {
  const [failing, ...others] = live();
  open(failing as Trial);
  send(failing as Trial, 'crash');
  expect(failing?.state).toBe('failed');
  for (const [at, trial] of others.entries()) train(trial, at);
  pass();
  expect(inherited()).toMatchObject([
    { origin: { replaces: failing?.id, detail: expect.stringContaining('(failed)') } },
  ]);
  expect(live()).toHaveLength(4);
  sweep.trials.set(failing?.id ?? '', failing as Trial);
  const retry = () => onRetry(core, { sweep, choice: { trials: [failing?.id ?? ''] }, requestId: 'r' });
  expect(retry).toThrow('was replaced in its population');
  sweep.trials.delete(failing?.id ?? '');
});

test('the other members wait for a failed member that is retried before the comparison', () => {
  const [failing, ...others] = live();
  open(failing as Trial);
  send(failing as Trial, 'crash');
  for (const [at, trial] of others.slice(1).entries()) train(trial, at);
  sweep.trials.set(failing?.id ?? '', failing as Trial);
  apply(onRetry(core, { sweep, choice: { trials: [failing?.id ?? ''] }, requestId: 'r' }).changes);
  train(others[0] as Trial, 9);
  pass();
  expect(inherited()).toEqual([]);
  train(failing as Trial, 0);
  pass();
  expect(inherited()).toMatchObject([{ origin: { parent: failing?.id } }]);
});

test('a member that was killed leaves the population', () => {
  const [killed, ...others] = live();
  for (const [at, trial] of others.entries()) train(trial, at);
  apply(onKillTrial(core, { sweepId: '1', trialId: killed?.id ?? '', reason: '' }, NOW).changes);
  pass();
  // A quarter of three members is less than one member, so no member is replaced.
  expect(inherited()).toEqual([]);
  expect(live().map(({ state }) => state)).toEqual(['offered', 'offered', 'offered']);
});

test('a pause defers the comparison, and a stop cancels the members that wait', () => {
  for (const [at, trial] of live().entries()) train(trial, at);
  onPause(core, { sweepId: '1', reason: '' });
  pass();
  expect(sweep.counts.held).toBe(4);
  onResume(core, { sweepId: '1' });
  pass();
  expect(inherited()).toHaveLength(1);
  for (const [at, trial] of live().slice(1).entries()) train(trial, at);
  apply(onStop(core, { sweepId: '1', reason: '' }).changes);
  expect(sweep.counts).toMatchObject({ held: 0, cancelled: 4 });
});

test('run_cap limits the number of children; when the limit is reached, the worst member continues', () => {
  start({ maxTrials: 5 });
  for (let round = 0; round < 3; round++) {
    for (const [at, trial] of live().entries()) train(trial, at);
    pass();
  }
  expect(sweep.counts).toMatchObject({ succeeded: 4, stopped: 1 });
});

test('if no parent has a checkpoint, all members continue, and a warning is shown until a parent has a checkpoint', () => {
  for (const trial of live()) {
    open(trial);
    for (let epoch = 1; epoch <= 3; epoch++) send(trial, { epoch, loss: epoch });
  }
  expect(sweep.counts.held).toBe(4);
  pass();
  expect(inherited()).toEqual([]);
  expect(sweep.counts).toMatchObject({ held: 0, offered: 4 });
  expect(sweep.warnings.shown.get('no_checkpoint')?.message).toBe(
    'none of the best members had a checkpoint at the comparison of epoch 2, so no member was replaced',
  );
  for (const [at, trial] of live().entries()) train(trial, at);
  pass();
  expect(inherited()).toHaveLength(1);
  expect(sweep.warnings.shown.has('no_checkpoint')).toBe(false);
});

test('a population that has reached run_cap shows no warning about checkpoints', () => {
  start({ maxTrials: 4 });
  for (const [at, trial] of live().entries()) train(trial, at);
  pass();
  expect(inherited()).toEqual([]);
  expect(sweep.warnings.shown.size).toBe(0);
});

test('the children do not depend on the order in which the members reach the comparison', () => {
  const childrenOf = (losses: readonly number[], isReversed: boolean) => {
    start();
    const lossOf = new Map(live().map(({ id }, at) => [id, losses[at] ?? 0]));
    for (let round = 0; round < 3; round++) {
      for (const trial of isReversed ? live().reverse() : live()) train(trial, lossOf.get(trial.id) ?? 5);
      pass();
    }
    return inherited().map(({ trial, origin }) => [trial.trialId, origin.parent, origin.replaces]);
  };
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 4, maxLength: 4 }), (losses) => {
      expect(childrenOf(losses, true)).toEqual(childrenOf(losses, false));
    }),
    { numRuns: 30 },
  );
});
