import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type EtaTrial, etaOf, etaTrials, slotsOfAgents, usableSlots } from '../../lib/domain/eta.ts';
import { AgentState, SweepState } from '../../proto/gen/trawl/v1/types.ts';
import { busyCluster } from '../../test/support/coordinator/busy-cluster.ts';
import { addSweep, agentHello, emptyCore, sampleKey, sampleTrial } from '../../test/support/coordinator/sample-core.ts';
import { newFolder } from '../../test/support/coordinator/serve.ts';
import { onHello } from '../core/agents.ts';
import { onOpen } from '../core/attempts.ts';
import { schedule } from '../core/scheduler.ts';
import { onKill, onPause } from '../core/sweeps.ts';
import { now } from './runtime.ts';
import { TimeLeftEstimates } from './time-left.ts';

const CLUSTER = {
  sweeps: 1,
  trialsPerSweep: 40,
  agents: 2,
  gpusPerAgent: 2,
  metrics: ['test_loss'],
  trialMetrics: false,
};

async function busy(run: number) {
  const cluster = await busyCluster(newFolder(), { ...CLUSTER, run });
  // The ended trials took about a millisecond each. After this wait, the running trials have already run longer than
  // that, and the estimated time left is not 0.
  await sleep(CLUSTER.trialsPerSweep);
  onTestFinished(() => cluster.stop());
  const { runtime } = cluster.served;
  // The clock stands still during an estimate. Otherwise, the estimate could take so long that no time is left.
  const timeLeft = () => {
    const at = now();
    const estimates = new TimeLeftEstimates(
      () => runtime.core,
      (id) => runtime.queries.trials.etaTrials(id),
      () => at,
    );
    return estimates.of('1');
  };
  return { cluster, runtime, timeLeft };
}

test('the coordinator and a client estimate the same time left from the same trials', async () => {
  const { runtime } = await busy(24);
  const at = now();
  const estimates = new TimeLeftEstimates(
    () => runtime.core,
    (id) => runtime.queries.trials.etaTrials(id),
    () => at,
  );
  const sweep = await runtime.queries.sweeps.get('1');
  const agents = Array.from(runtime.core.agents.values(), ({ id, slots, pack }) => {
    const busySlots = [...runtime.core.leases.values()].filter(({ agentId }) => agentId === id).length;
    return { slots, pack, busy: busySlots, state: AgentState.CONNECTED };
  });
  const trials = etaTrials(await runtime.queries.trials.all('1'));
  const slots = usableSlots(slotsOfAgents(agents), {
    running: sweep.counts?.running ?? 0,
    concurrency: sweep.concurrency,
    packs: false,
  });
  const own = etaOf({ trials, slots, paused: false, now: at }).sweep;
  expect(own?.expectedMs).toBeGreaterThan(0);
  expect(await estimates.of('1')).toEqual(own);
});

test('an estimate of the time left is reused for 1 ms per trial of the sweep, and is reduced by its age', async () => {
  const { runtime } = await busy(24);
  let reads = 0;
  let at = now();
  const estimates = new TimeLeftEstimates(
    () => runtime.core,
    (id) => {
      reads++;
      return runtime.queries.trials.etaTrials(id);
    },
    () => at,
  );
  const first = await estimates.of('1');
  at += 1;
  expect((await estimates.of('1'))?.highMs).toBeCloseTo((first?.highMs ?? 0) - 1, 6);
  expect(reads).toBe(1);
  at += CLUSTER.trialsPerSweep;
  await estimates.of('1');
  expect(reads).toBe(2);
});

test('the time left of a paused sweep includes only its running trials, and an ended sweep has no time left', async () => {
  const { runtime, timeLeft } = await busy(24);
  const running = await timeLeft();
  await runtime.settle(onPause(runtime.core, { sweepId: '1', reason: '' }));
  expect((await runtime.queries.sweeps.get('1')).state).toBe(SweepState.PAUSED);
  const paused = await timeLeft();
  expect(paused?.expectedMs).toBeGreaterThan(0);
  expect(paused?.expectedMs).toBeLessThan(running?.expectedMs ?? 0);
  await runtime.settle(onKill(runtime.core, { sweepId: '1', reason: '' }, now()));
  expect(await timeLeft()).toBeUndefined();
  expect((await runtime.queries.sweeps.get('1')).timeLeft).toBeUndefined();
});

test('before any trial has reported, a sweep has no estimate of the time left and no gauge', async () => {
  const { cluster, timeLeft } = await busy(0);
  expect(await timeLeft()).toBeUndefined();
  expect(await cluster.scrape()).not.toContain('trawl_eta_seconds{');
});

test('the gauge of the time left has the same value as the estimate of the sweep, in seconds', async () => {
  const { cluster, runtime } = await busy(24);
  const begun = performance.now();
  const text = await cluster.scrape();
  const seconds = Number(/^trawl_eta_seconds\{sweep="1"\} (.*)$/m.exec(text)?.[1]);
  const { timeLeft } = await runtime.queries.sweeps.get('1');
  // On a slow machine, the sweep may have a new estimate after the scrape. The new estimate is longer, because the
  // running trials have taken longer.
  const limitMs = 1_000 + 10 * (performance.now() - begun);
  expect(Math.abs((timeLeft?.expectedMs ?? Number.NaN) - seconds * 1000)).toBeLessThan(limitMs);
});

test('the remaining slot time is at most the remaining time multiplied by the slots of the sweep, and is undefined for an ended sweep', async () => {
  const { runtime } = await busy(24);
  const { timeLeft, slotTimeLeft, slotShare } = await runtime.queries.sweeps.get('1');
  const onAllSlots = (timeLeft?.expectedMs ?? Number.NaN) * (slotShare?.slots ?? Number.NaN);
  expect(slotTimeLeft?.expectedMs).toBeGreaterThan(0);
  expect(slotTimeLeft?.expectedMs).toBeLessThanOrEqual(onAllSlots + 1_000);
  await runtime.settle(onKill(runtime.core, { sweepId: '1', reason: '' }, now()));
  expect((await runtime.queries.sweeps.get('1')).slotTimeLeft).toBeUndefined();
});

test('an estimate reads all unfinished trials and a limited number of ended trials', async () => {
  const { runtime } = await busy(24);
  const all = await runtime.queries.trials.etaTrials('1');
  const some = await runtime.queries.trials.etaTrials('1', 3);
  const ended = (trials: readonly { readonly state: string }[]) => trials.filter(({ state }) => state === 'ended');
  expect(ended(all).length).toBeGreaterThan(3);
  expect(ended(some).length).toBeLessThan(ended(all).length);
  expect(all.filter((trial) => trial.state !== 'ended')).toEqual(some.filter((trial) => trial.state !== 'ended'));
  expect(all).toEqual(etaTrials(await runtime.queries.trials.all('1')));
});

test('a trial that waits for the previous trial of its slot counts as pending, and not as a trial of a pack', async () => {
  const core = emptyCore();
  const at = 100_000;
  onHello(core, agentHello('a', 'a1', 1), at);
  const sweep = addSweep(core, '1', 4, {});
  schedule(core, at);
  for (const id of ['t0', 't1']) {
    const key = sampleKey(sweep, sampleTrial(sweep, id));
    expect(onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot: 0 }, at).answer).toMatchObject({ granted: true });
  }
  const plain = { configId: 'c', parameters: undefined, epoch: 0, epochs: 1, endedAtMs: 0 };
  const trials: EtaTrial[] = [
    { ...plain, id: 'e', state: 'ended', epoch: 1, startedAtMs: at - 2_000, endedAtMs: at - 1_000 },
    { ...plain, id: 't0', state: 'running', startedAtMs: at },
    { ...plain, id: 't1', state: 'running', startedAtMs: at },
  ];
  const estimates = new TimeLeftEstimates(
    () => core,
    async () => trials,
    () => at,
  );
  const left = await estimates.of('1');
  const slotTime = await estimates.slotTimeOf('1');
  // A trial takes about a second. Half of the first trial is left, and then the whole second trial runs.
  expect(left?.expectedMs).toBeGreaterThan(1_300);
  expect(slotTime?.expectedMs).toBeCloseTo(left?.expectedMs ?? 0, 6);
});
