import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type BusyOptions, busyCluster } from '../../test/support/coordinator/busy-cluster.ts';
import { databaseOf } from '../../test/support/coordinator/database-of.ts';
import { agentHello, LEASE_MS } from '../../test/support/coordinator/sample-core.ts';
import { newFolder, serve } from '../../test/support/coordinator/serve.ts';
import { now, Runtime } from '../app/runtime.ts';
import { sweepControl } from '../app/sweep-control.ts';
import { onHello } from '../core/agents.ts';
import { onRecord } from '../core/attempt-records.ts';
import { onOpen } from '../core/attempts.ts';
import { openOffers, schedule } from '../core/scheduler.ts';
import { slotTimeOf } from '../core/slot-time.ts';
import { findStragglers } from '../core/stragglers.ts';
import { onKill, onKillTrial, onPause } from '../core/sweeps.ts';
import { loadCore } from '../store/load.ts';
import { SqliteReader } from '../store/reader.ts';
import { LOST_RETENTION_MS } from './agent-series.ts';
import { startCollecting } from './collect.ts';
import { coordinatorMetrics } from './families.ts';
import { MAX_BEST_METRICS } from './sweep-series.ts';

const SMALL: BusyOptions = {
  sweeps: 1,
  trialsPerSweep: 40,
  agents: 2,
  gpusPerAgent: 2,
  run: 24,
  metrics: ['test_loss', 'psnr'],
  trialMetrics: false,
};

async function busy(options: Partial<BusyOptions> = {}) {
  const cluster = await busyCluster(newFolder(), { ...SMALL, ...options });
  onTestFinished(() => cluster.stop());
  return cluster;
}

/** How long the second attempt of a slot waits for the first attempt of the slot, in milliseconds. */
const WAIT_MS = 1_000;

const figure = (text: string, series: string) =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length + 1),
  );

test('the metrics of a running sweep have the expected values', async () => {
  const { scrape } = await busy();
  const text = await scrape();
  expect(figure(text, 'trawl_trials{sweep="1",state="succeeded"}')).toBe(18);
  expect(figure(text, 'trawl_trials{sweep="1",state="running"}')).toBe(4);
  expect(figure(text, 'trawl_trials_expected{sweep="1"}')).toBe(40);
  expect(figure(text, 'trawl_trials_finished_total{sweep="1",outcome="failed"}')).toBe(2);
  expect(figure(text, 'trawl_trial_failures_total{sweep="1",class="nan"}')).toBe(2);
  expect(figure(text, 'trawl_trial_duration_seconds_count{sweep="1"}')).toBe(20);
  expect(figure(text, 'trawl_trial_queue_wait_seconds_count{sweep="1"}')).toBe(24);
  expect(figure(text, 'trawl_epoch_duration_seconds_count{sweep="1"}')).toBe(72);
  expect(figure(text, 'trawl_reports_ingested_total')).toBe(72);
  expect(figure(text, 'trawl_best_metric{sweep="1",metric="test_loss"}')).toBeCloseTo(1 / 26, 9);
  expect(figure(text, 'trawl_best_metric{sweep="1",metric="psnr"}')).toBeCloseTo(2, 9);
  expect(figure(text, 'trawl_last_improvement_timestamp_seconds{sweep="1"}')).toBeLessThanOrEqual(now() / 1000);
  expect(figure(text, 'trawl_sweep_start_timestamp_seconds{sweep="1"}')).toBeGreaterThan(now() / 1000 - 600);
  expect(figure(text, 'trawl_agent_slots{agent="agent-0",state="free"}')).toBeGreaterThanOrEqual(0);
});

test('a sweep whose trials report many metrics has a limited number of series', async () => {
  const metrics = Array.from({ length: MAX_BEST_METRICS + 50 }, (_, at) => `m${at}`);
  const { scrape } = await busy({ trialsPerSweep: 4, run: 2, metrics: [...metrics, 'test_loss'] });
  const series = (await scrape()).split('\n').filter((line) => line.startsWith('trawl_best_metric{'));
  expect(series).toHaveLength(MAX_BEST_METRICS + 1);
  expect(series.some((line) => line.includes('metric="test_loss"'))).toBe(true);
});

test.each(['grid', 'random', 'sobol', 'tpe'])(
  'the information series of a sweep has the search method %s as a label',
  async (method) => {
    const { scrape, served } = await busy({ run: 0 });
    const text = `trainer: noop\nmethod: ${method}\nrun_cap: 4\nparameters: {x: {values: [1, 2, 3]}}\n`;
    await sweepControl(served.runtime).submit({ fileName: 's.yaml', text, requestId: method, source: undefined });
    expect(await scrape()).toMatch(
      new RegExp(`trawl_sweep_info\\{sweep="2",name="s",method="${method}",metric="[^"]*"\\} 1`),
    );
    // The sweep is killed, because no trial of the sweep may be created after the store is closed.
    await served.runtime.settle(onKill(served.runtime.core, { sweepId: '2', reason: '' }, now()));
  },
);

test('the series of events and states that have not occurred yet are zero', async () => {
  const { scrape } = await busy({ run: 0 });
  const text = await scrape();
  for (const series of [
    'trawl_trials_finished_total{sweep="1",outcome="cancelled"}',
    'trawl_trial_failures_total{sweep="1",class="oom"}',
    'trawl_trial_retries_total{sweep="1",class="lost"}',
    'trawl_trial_duration_seconds_count{sweep="1"}',
    'trawl_gpu_seconds_total{sweep="1"}',
    'trawl_stragglers{sweep="1"}',
    'trawl_stragglers_found_total{sweep="1"}',
    'trawl_agents{state="lost"}',
    'trawl_sweeps{state="paused"}',
    'trawl_superseded_reports_total',
    'trawl_nats_reconnects_total{component="coordinator"}',
    'trawl_grpc_server_handled_total{grpc_service="trawl.v1.SweepService",grpc_method="Submit",grpc_code="OK"}',
  ])
    expect(figure(text, series), series).toBe(0);
  expect(text).not.toContain('trawl_eta_seconds{');
});

test('a straggler is counted once in the counter of stragglers, and in the gauge until its attempt ends', async () => {
  const { served, scrape } = await busy();
  const { core } = served.runtime;
  const count = (text: string) => [
    figure(text, 'trawl_stragglers{sweep="1"}'),
    figure(text, 'trawl_stragglers_found_total{sweep="1"}'),
  ];
  expect(count(await scrape())).toEqual([0, 0]);
  core.listeningSince = 0;
  const running = core.leases.size;
  for (let pass = 0; pass < 2; pass++) {
    await served.runtime.settle({ changes: findStragglers(core, now() + 60_000), outputs: [] });
    expect(count(await scrape())).toEqual([running, running]);
  }
  await served.runtime.settle(onKill(core, { sweepId: '1', reason: '' }, now()));
  expect(count(await scrape())).toEqual([0, running]);
});

test('offers are reported per pool while the pool has an agent', async () => {
  const { served, scrape } = await busy({ run: 0 });
  const { core } = served.runtime;
  await served.runtime.settle(schedule(core, now()));
  const pool = core.agents.get('agent-0')?.pools[0] ?? '';
  const stand = openOffers(core).filter((offer) => offer.pool === pool).length;
  expect(stand).toBeGreaterThan(0);
  expect(figure(await scrape(), `trawl_offers_outstanding{pool="${pool}"}`)).toBe(stand);
  for (const agent of core.agents.values()) agent.state = 'lost';
  await served.runtime.settle(schedule(core, now()));
  expect(await scrape()).not.toContain('trawl_offers_outstanding{');
});

test('the series of an ended sweep remain for a while, and are then removed', async () => {
  const { served, scrape } = await busy({ lingerMs: 300 });
  await served.runtime.settle(onKill(served.runtime.core, { sweepId: '1', reason: '' }, served.runtime.now()));
  const text = await scrape();
  expect(figure(text, 'trawl_trials{sweep="1",state="cancelled"}')).toBe(20);
  expect(figure(text, 'trawl_sweep_end_timestamp_seconds{sweep="1"}')).toBeGreaterThan(now() / 1000 - 600);
  await expect.poll(scrape, { timeout: 20_000 }).not.toContain('sweep="1"');
});

test('the series of a sweep that runs again after its end are kept', async () => {
  const { served, scrape } = await busy({ lingerMs: 300 });
  await served.runtime.settle(onKill(served.runtime.core, { sweepId: '1', reason: '' }, served.runtime.now()));
  const request = { sweep: '1', trials: [], failed: true, failures: [], cancelled: false, requestId: 'r' };
  expect(await sweepControl(served.runtime).retry(request, '')).toEqual({ sweepId: '1', trials: 2 });
  await sleep(600);
  const text = await scrape();
  expect(figure(text, 'trawl_trial_retries_total{sweep="1",class="nan"}')).toBe(2);
  expect(figure(text, 'trawl_trials{sweep="1",state="failed"}')).toBe(0);
  expect(figure(text, 'trawl_sweeps{state="running"}')).toBe(1);
  expect(text).not.toContain('trawl_sweep_end_timestamp_seconds{sweep="1"}');
});

test('a lost agent is reported for an hour', async () => {
  const { served, scrape } = await busy({ run: 0 });
  const agent = served.runtime.core.agents.get('agent-0');
  if (agent === undefined) throw new Error('the sample has no agent-0');
  agent.state = 'lost';
  agent.lastHeardAt = now() - LOST_RETENTION_MS / 2;
  const text = await scrape();
  expect(figure(text, 'trawl_agents{state="lost"}')).toBe(1);
  expect(figure(text, 'trawl_agent_slots{agent="agent-0",state="free"}')).toBe(0);
  agent.lastHeardAt = now() - LOST_RETENTION_MS;
  const later = await scrape();
  expect(later).not.toContain('agent="agent-0"');
  expect(figure(later, 'trawl_agents{state="lost"}')).toBe(0);
});

test('the GPU time of a sweep equals its GPU time counter, and includes attempts from before a restart', async () => {
  const dir = newFolder();
  const first = await busyCluster(dir, SMALL);
  onTestFinished(() => first.stop());
  const { runtime } = first.served;
  const { core, queries } = runtime;
  await sleep(30);
  expect((await queries.sweeps.get('1')).slotTime).toMatchObject({ slots: 4, gpus: 4 });
  await runtime.settle(onPause(core, { sweepId: '1', reason: '' }));
  const running = [...core.leases.values()];
  for (const { key, agentId, lastSeq } of running) {
    const record = { kind: 'ended', key, seq: lastSeq + 1, at: now(), end: { outcome: 'succeeded' } } as const;
    await runtime.settle(onRecord(core, { agentId, record }, now()).step);
  }
  const paused = await queries.sweeps.slotTime('1');
  await sleep(30);
  expect(await queries.sweeps.slotTime('1')).toMatchObject({
    slotMs: paused.slotMs,
    gpuMs: paused.gpuMs,
    slots: 0,
    gpus: 0,
  });
  expect(paused.gpuMs).toBeGreaterThanOrEqual(4 * 30);
  const trials = await queries.trials.all('1');
  const attempts = (await Promise.all(trials.map(({ id }) => queries.attempts.all('1', id)))).flat();
  const leased = trials.reduce((sum, trial) => sum + trial.leasedMs, 0);
  expect(attempts).toHaveLength(24);
  expect(leased).toBeCloseTo(paused.slotMs, 6);
  const series = 'trawl_gpu_seconds_total{sweep="1"}';
  expect(figure(await first.scrape(), series)).toBeCloseTo(paused.gpuMs / 1000, 9);

  const loaded = (await loadCore(new SqliteReader(databaseOf(runtime)), { leaseMs: 1_000, now: now() })).sweeps.get(
    '1',
  );
  expect(loaded && slotTimeOf(loaded.slotTime, now())).toMatchObject({ slotMs: paused.slotMs, gpuMs: paused.gpuMs });
});

/**
 * Opens a second runtime on the store of `runtime`, calls `lead` with the second runtime, and returns the text of a
 * scrape.
 */
async function afterRestart(runtime: Runtime, lead: (restarted: Runtime) => Promise<void>) {
  const { store, now: clock } = runtime;
  const restarted = await Runtime.open({ store, leaseMs: LEASE_MS, send: () => {}, onBroken: () => {}, now: clock });
  const metrics = coordinatorMetrics();
  const collecting = startCollecting(restarted, metrics, {
    ...{ version: '0', trialMetrics: false },
    onError: (error) => {
      throw error;
    },
  });
  onTestFinished(() => collecting.stop());
  await lead(restarted);
  await collecting.measure();
  return metrics.registry.metrics();
}

test('the durations of an attempt and of its first epoch exclude the wait for the previous attempt of its slot', async () => {
  const { runtime, metrics, stop } = await serve(newFolder());
  onTestFinished(stop);
  const onError = (error: unknown) => expect.fail(String(error));
  const collecting = startCollecting(runtime, metrics, { version: '0', trialMetrics: false, onError });
  onTestFinished(() => collecting.stop());
  const text = 'trainer: noop\nparameters: {x: {values: [1, 2]}}\n';
  await sweepControl(runtime).submit({ fileName: 's.yaml', text, requestId: 'r', source: undefined });
  await runtime.settle(onHello(runtime.core, agentHello('a', 'i', 1), now()));
  await runtime.settle(schedule(runtime.core, now()));
  const keys = [...(runtime.core.sweeps.get('1')?.trials.keys() ?? [])].map((trialId) => {
    return { sweepId: '1', trialId, attempt: 1 };
  });
  for (const key of keys) {
    await runtime.settle(onOpen(runtime.core, { key, agentId: 'a', incarnation: 'i', slot: 0 }, now()).step);
  }
  await sleep(WAIT_MS);
  for (const key of keys) {
    const report = { kind: 'report', key, seq: 1, at: now(), epoch: 1, metrics: { test_loss: 1 } } as const;
    await runtime.settle(onRecord(runtime.core, { agentId: 'a', record: report }, now()).step);
    const end = { kind: 'ended', key, seq: 2, at: now(), end: { outcome: 'succeeded' } } as const;
    await runtime.settle(onRecord(runtime.core, { agentId: 'a', record: end }, now()).step);
  }
  await collecting.measure();
  const scraped = await metrics.registry.metrics();
  for (const name of ['trial_duration_seconds', 'epoch_duration_seconds']) {
    expect(figure(scraped, `trawl_${name}_count{sweep="1"}`), name).toBe(2);
    const sum = figure(scraped, `trawl_${name}_sum{sweep="1"}`);
    expect(sum, name).toBeGreaterThan(WAIT_MS / 2000);
    expect(sum, name).toBeLessThan((2 * WAIT_MS) / 1000);
  }
});

test('when a sweep ends, a trial that was held before a restart counts as stopped, and its remaining epochs count as saved', async () => {
  const { runtime, stop } = await serve(newFolder());
  onTestFinished(stop);
  const text = `trainer: autoencoder
parameters: {learning_rate: {values: [0.1, 0.2, 0.3]}, epochs: {value: 8}}
checkpoint_every: 1
early_terminate: {type: asha, variant: promotion, min_iter: 2, eta: 3}
`;
  await sweepControl(runtime).submit({ fileName: 's.yaml', text, requestId: 'r', source: undefined });
  await runtime.settle(onHello(runtime.core, agentHello('a', 'i', 3), now()));
  await runtime.settle(schedule(runtime.core, now()));
  const [trial] = runtime.core.sweeps.get('1')?.trials.values() ?? [];
  const key = { sweepId: '1', trialId: trial?.id ?? '', attempt: 1 };
  await runtime.settle(onOpen(runtime.core, { key, agentId: 'a', incarnation: 'i', slot: 0 }, now()).step);
  const artifact = { name: 'c', kind: 'checkpoint', epoch: 2, size: 1, sha256: 'f' } as const;
  const records = [
    ...[1, 2].map((epoch) => ({ kind: 'report', epoch, metrics: { test_loss: 1 } }) as const),
    { kind: 'artifact', artifact } as const,
  ];
  for (const [at, body] of records.entries()) {
    const record = { key, seq: at + 1, at: now(), ...body };
    await runtime.settle(onRecord(runtime.core, { agentId: 'a', record }, now()).step);
  }
  expect(trial?.state).toBe('held');
  const scraped = await afterRestart(runtime, async (restarted) => {
    const waiting = [...(restarted.core.sweeps.get('1')?.trials.values() ?? [])].filter(({ id }) => id !== trial?.id);
    for (const { id } of waiting) {
      const request = { sweepId: '1', trialId: id, reason: '' };
      await restarted.settle(onKillTrial(restarted.core, request, now()));
    }
  });
  expect(figure(scraped, 'trawl_early_stops_total{sweep="1",rule="asha"}')).toBe(1);
  expect(figure(scraped, 'trawl_saved_epochs_total{sweep="1"}')).toBe(6);
});
