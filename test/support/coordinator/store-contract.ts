/** The contract of stores. Each implementation runs these tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import type { Change } from '../../../coordinator/core/step.ts';
import { Journal } from '../../../coordinator/store/journal.ts';
import { endedTrials } from '../../../coordinator/store/judged-trials.ts';
import { trialReports } from '../../../coordinator/store/report-stream.ts';
import { storedSearchHistory } from '../../../coordinator/store/search-history.ts';
import type { Store } from '../../../coordinator/store/store.ts';
import { earlierConfigs } from '../../../coordinator/store/warm-starts.ts';
import { NotFoundError } from '../../../proto/errors.ts';
import { collected } from '../collected.ts';
import { propertyRuns } from '../property-runs.ts';
import { changesOf, configHistory, extremeConfigs, plainRanking, sweepOf } from './config-histories.ts';
import { CHANGE_KINDS, EVERY_CHANGE } from './every-change.ts';
import { AT, addSweep, byNobody, created, GRANTED, NEW_SWEEP, planned, reported } from './store-writer.ts';
import { anyGrouping, changesOfTrial, groupedChanges, rowsAfter } from './trial-histories.ts';

/** The store under test. */
export interface TestedStore {
  readonly store: Store;
  /** Closes the store and opens it again, as a restarted coordinator does. */
  reopened(): Promise<Store>;
}

/** A new, empty store to which another process writes until that process is killed. */
export interface CrashedStore {
  /** The command of a process that runs `writeUntilKilled` on the store. */
  readonly command: readonly string[];
  /** Opens the store once the process is dead. */
  open(): Promise<Store>;
}

const PAGE = { rows: 1_000, bytes: 2 ** 20 };

/** Returns the answer to every query about a sweep, and the state that a coordinator loads. */
async function everything(store: Store, sweepId: string): Promise<Record<string, unknown>> {
  const { sweeps, trials, attempts, artifacts, selectors } = store.queries();
  const ids = await trials.ids(sweepId);
  const details: unknown[] = [];
  for (const id of ids) {
    details.push({
      trial: await trials.get(sweepId, id),
      attempts: await attempts.all(sweepId, id),
      rungs: await attempts.rungs(sweepId, id),
      programs: await attempts.programs(sweepId, id),
      reports: await collected(trialReports(store.queries(), sweepId, id)),
      log: await attempts.log(sweepId, id, 1, 0),
      artifacts: await artifacts.page(sweepId, id, { limit: 100 }),
    });
  }
  const core = await store.loadCore({ leaseMs: 1_000, now: AT });
  return {
    sweeps: await sweeps.all(),
    file: await sweeps.file(sweepId),
    versions: [await sweeps.versionText(sweepId, 1)],
    source: await sweeps.source(sweepId),
    environments: await sweeps.environments(sweepId, 10),
    policy: await sweeps.policy(sweepId),
    rungEntries: await sweeps.rungEntries(sweepId, { trialId: '', rung: 0 }, 100),
    slotTime: await sweeps.slotTime(sweepId),
    events: await sweeps.eventsAfter(sweepId, 0, 1_000),
    lastEvent: await sweeps.lastEvent(),
    last: await selectors.findSweep('last'),
    pages: await trials.after(sweepId, -1, PAGE),
    results: await trials.resultsAfter(sweepId, -1, PAGE),
    best: await trials.bestResults(sweepId, 'minimize', 10),
    bestConfigs: await trials.bestConfigs(sweepId, 'minimize', 10),
    running: await trials.runningResults(sweepId),
    points: await collected(trials.points(sweepId)),
    created: await trials.created(sweepId),
    dropped: await trials.droppedIds(sweepId),
    retryable: await trials.retryableIds(sweepId, { failures: 'all', cancelled: true }),
    eta: await trials.etaTrials(sweepId),
    extremes: await attempts.extremes(sweepId),
    lastReportAt: await attempts.lastReportAt(sweepId),
    inherited: await artifacts.inherited(),
    agents: [...(await store.loadAgents())],
    searchState: await store.searchState(sweepId),
    totals: await store.artifactTotals(),
    drains: [...core.drains],
    quarantines: [...core.quarantines],
    live: [...(core.sweeps.get(sweepId)?.trials.values() ?? [])].map(({ id, state, attempts: n }) => [id, state, n]),
    leases: [...core.leases.values()].map(({ key, agentId, lastSeq, reported: has }) => [key, agentId, lastSeq, has]),
    warnings: [...(core.sweeps.get(sweepId)?.warnings.shown ?? [])],
    details,
  };
}

const step = (epoch: number, loss: number) => expect.objectContaining({ step: epoch, score: loss });

/**
 * Adds a sweep that is stopping. Trial t0 has succeeded, t1 has resumed after a failure, t2 has two running attempts, t3
 * has failed, and t4 is cancelled.
 */
async function addBusySweep(store: Store): Promise<string> {
  const ranking = { metric: 'test_loss', goal: 'minimize', at: 'last' } as const;
  const earlyTerminate = { type: 'asha', minIter: 1, maxIter: undefined, eta: 2 } as const;
  const state = { search: 0, created: 5, points: 5, excluded: [], duplicates: 0, repeated: 0 };
  const sweepId = await store.addSweep(
    {
      ...NEW_SWEEP,
      trainer: 'command',
      policy: { ...NEW_SWEEP.policy, trainer: 'command', speculate: true, ranking, earlyTerminate },
      search: { planned: 9, done: true, state },
      warmStart: {
        results: [
          { parameters: { a: 7 }, value: 0.125 },
          { parameters: { a: 8 }, value: undefined },
        ],
        warning: undefined,
      },
    },
    Array.from({ length: 5 }, (_, index) => planned(`t${index}`, index)),
    AT,
  );
  const keyOf = (trialId: string, attempt: number) => ({ sweepId, trialId, attempt });
  const granted = (trialId: string, attempt: number, more: Partial<typeof GRANTED> = {}): Change => {
    return { ...GRANTED, key: keyOf(trialId, attempt), pack: `${trialId}/${attempt}`, ...more };
  };
  const report = (trialId: string, attempt: number, epoch: number, metrics: Record<string, number>): Change => {
    return { kind: 'report', key: keyOf(trialId, attempt), seq: epoch, at: AT, epoch, metrics };
  };
  const crash = { class: 'crash', message: 'boom' } as const;
  const failed = (trialId: string, early: boolean): Change => ({
    kind: 'ended',
    key: keyOf(trialId, 1),
    end: { outcome: 'failed', failure: crash },
    early,
    free: false,
    leasedMs: 5,
    used: undefined,
  });
  const moved = (trialId: string, to: 'succeeded' | 'failed' | 'cancelled' | 'pending', detail = ''): Change => {
    return { kind: 'trial', sweepId, trialId, state: to, detail, failure: to === 'failed' ? crash : undefined };
  };
  const rung = (trialId: string, value: number): Change => {
    return { kind: 'rung', key: keyOf(trialId, 1), at: AT, rung: 1, step: 1, value, detail: '' };
  };
  const checkpoint = { name: 'c', kind: 'checkpoint', epoch: 2, size: 1, sha256: '' } as const;
  const steps: readonly (readonly Change[])[] = [
    [granted('t0', 1), granted('t1', 1), granted('t2', 1), granted('t3', 1)],
    [report('t0', 1, 1, { test_loss: 0.5 }), rung('t0', 0.5)],
    [{ ...failed('t0', false), end: { outcome: 'succeeded' } } as Change, moved('t0', 'succeeded')],
    [report('t1', 1, 1, { test_loss: 0.9, other: 1 }), rung('t1', 0.9), report('t1', 1, 2, { test_loss: 0.8 })],
    [{ kind: 'artifact', key: keyOf('t1', 1), seq: 3, at: AT, artifact: checkpoint }],
  ];
  for (const changes of steps) await store.write(byNobody(changes), AT);
  await store.write(byNobody([failed('t1', true), moved('t1', 'pending')]), AT + 1);
  await store.write(byNobody([failed('t3', false), moved('t3', 'failed')]), AT + 2);
  await store.write(
    byNobody([
      granted('t1', 2, { agentId: 'b', resumedFrom: 2 }),
      { ...report('t1', 2, 3, { test_loss: 0.3 }), seq: 1 } as Change,
      report('t2', 1, 1, { test_loss: 0.7 }),
      { kind: 'log', key: keyOf('t2', 1), seq: 2, at: AT, text: 'line' },
      granted('t2', 2, { agentId: 'b', speculative: true }),
      report('t2', 2, 1, { test_loss: 0.6, second: 4 }),
      { kind: 'sweep', sweepId, state: 'stopping', reason: 'enough' },
      moved('t4', 'cancelled', 'enough'),
    ]),
    AT + 3,
  );
  return sweepId;
}

/**
 * Declares the tests of the contract.
 * @param open opens a new, empty store
 * @param openCrashed prepares a store to which another process writes
 * @param kills the numbers of acknowledgements after which the other process is killed
 */
export function testStore(
  open: () => Promise<TestedStore>,
  openCrashed: () => Promise<CrashedStore>,
  kills: readonly number[] = [0, 1, 5, 30],
): void {
  test('a change of each kind is stored, and every query and the loaded state are the same after a restart', async () => {
    const tested = await open();
    const { store } = tested;
    const id = await addSweep(store);
    const kinds = new Set<string>();
    for (const change of EVERY_CHANGE) {
      const { events } = await store.write([{ change, by: 'bob' }], AT);
      expect(events.every(({ by, at }) => by === 'bob' && at === AT)).toBe(true);
      kinds.add(change.kind);
    }
    const before = await everything(store, id);
    expect(before).toMatchObject({
      created: 5,
      best: [{ index: 0, value: 0.25 }],
      extremes: [
        { metric: 'psnr', least: 30, greatest: 30 },
        { metric: 'test_loss', least: 0.25, greatest: 0.5 },
      ],
      totals: { artifacts: 3, bytes: 2 ** 41 + 30 },
      retryable: [],
      leases: [[{ sweepId: '1', trialId: 't1', attempt: 2 }, 'b', 0, false]],
    });
    expect(await everything(await tested.reopened(), id)).toEqual(before);
    expect(kinds).toEqual(new Set(Object.keys(CHANGE_KINDS)));
  });

  test('no part of a failed transaction is stored, and the store can be used afterward', async () => {
    const { store } = await open();
    const id = await addSweep(store);
    await store.write(byNobody([GRANTED, reported(1)]), AT);
    const before = await everything(store, id);
    // Report 1 is already stored, so the transaction fails at its second change.
    await expect(store.write(byNobody([reported(2), reported(1)]), AT)).rejects.toThrow();
    expect(await everything(store, id)).toEqual(before);
    await store.write(byNobody([reported(2)]), AT);
    expect(await store.queries().trials.get(id, 't0')).toMatchObject({ epoch: 2, metrics: { test_loss: 0.5 } });
  });

  test('a repeated submission adds one sweep, even after a restart', async () => {
    const tested = await open();
    expect([await addSweep(tested.store), await addSweep(tested.store)]).toEqual(['1', '1']);
    const store = await tested.reopened();
    expect(await addSweep(store)).toBe('1');
    expect(await store.addSweep({ ...NEW_SWEEP, requestId: 'r2' }, [planned('t0', 0)], AT)).toBe('2');
    const sweeps = await store.queries().sweeps.all();
    expect(sweeps.map(({ id, submittedBy, counts }) => [id, submittedBy, counts?.pending])).toEqual([
      ['1', 'ann', 3],
      ['2', '', 1],
    ]);
  });

  test('a group commit stores changes in the order of the calls, and acknowledges them only after they are stored', async () => {
    const { store } = await open();
    const id = await addSweep(store);
    await store.write(byNobody([GRANTED]), AT);
    const journal = new Journal(store, () => AT);
    const seqs: number[] = [];
    journal.onCommit(({ events }) => seqs.push(...events.map(({ seq }) => seq)));
    const stored: number[] = [];
    await Promise.all(
      Array.from({ length: 200 }, async (_, at) => {
        await journal.commit([reported(at + 1)]);
        stored.push((await store.queries().trials.get(id, 't0')).epoch);
      }),
    );
    expect(stored.every((epoch, at) => epoch >= at + 1)).toBe(true);
    expect(seqs).toHaveLength(200);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    const reports = await collected(trialReports(store.queries(), id, 't0'));
    expect(reports.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 200 }, (_, at) => at + 1));
  });

  test('readers never see only a part of a transaction while transactions are written', async () => {
    const { store } = await open();
    const id = await addSweep(store);
    await store.write(byNobody([GRANTED]), AT);
    let done = false;
    const writing = (async () => {
      for (let seq = 1; seq <= 100; seq += 2) {
        await store.write(byNobody([reported(seq), reported(seq + 1)]), AT);
        await sleep(0);
      }
      done = true;
    })();
    const read = async () => {
      let last = 0;
      while (!done) {
        const { epoch } = await store.queries().trials.get(id, 't0');
        expect(epoch % 2).toBe(0);
        expect(epoch).toBeGreaterThanOrEqual(last);
        last = epoch;
        await sleep(0);
      }
    };
    await Promise.all([writing, read(), read(), read()]);
  });

  test('a sweep is loaded with its failures, resumed and speculative attempts, and early-stopping history', async () => {
    const tested = await open();
    const id = await addBusySweep(tested.store);
    const store = await tested.reopened();
    const core = await store.loadCore({ leaseMs: 1_000, now: AT + 10 });
    const sweep = core.sweeps.get(id);
    expect([...(sweep?.earlyStopping?.curves ?? [])]).toEqual([
      [`${id}/t1/2`, [step(1, 0.9), step(2, 0.8), step(3, 0.3)]],
      [`${id}/t2/1`, [step(1, 0.7)]],
      [`${id}/t2/2`, [step(1, 0.6)]],
    ]);
    expect([...(sweep?.earlyStopping?.scores ?? [])]).toEqual([[1, [0.5, 0.9]]]);
    expect([...core.leases.values()].map(({ lastSeq, received }) => [lastSeq, [...received.metrics]])).toEqual([
      [1, ['test_loss', 'other']],
      [2, ['test_loss']],
      [1, ['test_loss', 'second']],
    ]);
    expect([...(sweep?.warnings.progress.keys() ?? [])]).toEqual([...core.leases.keys()]);
    expect(sweep?.warnings.values.get(`${id}/t2/2`)?.get('second')).toEqual({ value: 4, step: 1 });
    expect(sweep?.trials.get('t1')).toMatchObject({
      failures: { crash: 1 },
      failedAttempts: [{ agentId: 'a', class: 'crash', early: true, free: false }],
      checkpoint: { attempt: 1, epoch: 2 },
    });
    expect(sweep?.trials.get('t2')).toMatchObject({ speculated: true });
    expect(sweep?.consecutiveFailures.map(({ trialId, earlyAgents }) => [trialId, earlyAgents])).toEqual([
      ['t1', 1],
      ['t3', 0],
    ]);
    expect(sweep?.durations.ofSweep).toMatchObject([{ durationMs: 0 }]);

    const loaded = await store.loadSweep(id, AT);
    expect(await store.loadTrials(loaded, ['t3', 'none', 't1'], AT)).toMatchObject([{ id: 't3', state: 'failed' }]);
    await store.loadRuleHistory(loaded);
    expect(loaded.earlyStopping?.resumable.get('t1')).toEqual([step(1, 0.9), step(2, 0.8)]);
    const noTrials = () => ({ usesResults: false, prepare: async () => {}, next: () => ({ kind: 'done' }) as const });
    expect(await store.loadUnfinishedSearch(loaded, noTrials)).toMatchObject({ state: { created: 5 } });
  });

  test('the attempts of a slot are loaded in the order of their grants, even if the grants have the same time', async () => {
    const tested = await open();
    const { store } = tested;
    await addSweep(store, 5);
    await store.addSweep({ ...NEW_SWEEP, requestId: 'r2' }, [planned('t0', 0)], AT);
    const granted = (sweepId: string, trialId: string, more: Partial<typeof GRANTED> = {}): Change => {
      const key = { sweepId, trialId, attempt: 1, ...more.key };
      return { ...GRANTED, pack: `${sweepId}/${trialId}`, ...more, key };
    };
    // The trials t1 and t2 are a pack.
    const pack = { pack: '1/t2' };
    const grants = [
      granted('1', 't3'),
      granted('2', 't0'),
      granted('1', 't2'),
      granted('1', 't1', pack),
      granted('1', 't0'),
    ];
    await store.write(byNobody(grants), AT);
    // There are more later grants than the store reads at once.
    const others = Array.from({ length: 600 }, (_, at): Change[] => {
      const key = { sweepId: '1', trialId: 't4', attempt: at + 1 };
      const end = { outcome: 'returned' } as const;
      return [
        granted('1', 't4', { key, agentId: 'b' }),
        { kind: 'ended', key, end, early: false, free: false, leasedMs: 0, used: undefined },
      ];
    });
    await store.write(byNobody(others.flat()), AT);
    const core = await (await tested.reopened()).loadCore({ leaseMs: 1_000, now: AT });
    const leases = [...core.leases.values()];
    const slot = core.slotsInUse.get('a')?.get(0) ?? [];
    const packs = slot.map((usage) => leases.find((lease) => lease.usage === usage)?.pack);
    expect(packs).toEqual(['1/t3', '2/t0', '1/t2', '1/t0']);
    expect(slot.map(({ startedAt }) => startedAt)).toEqual([AT, undefined, undefined, undefined]);
  });

  test('each store gives the same answers to selectors, searchers and queries about trials', async () => {
    const { store } = await open();
    const id = await addBusySweep(store);
    const { sweeps, trials, selectors, artifacts } = store.queries();
    expect(await trials.endedStates(id, ['t0', 't3', 't4', 't1', 'none'])).toEqual({
      succeeded: 1,
      failed: 1,
      cancelled: 1,
    });
    expect(await trials.retryableIds(id, { failures: ['crash', 'oom'], cancelled: true })).toEqual(['t3', 't4']);
    expect(await trials.retryableIds(id, { failures: ['oom'], cancelled: false })).toEqual([]);
    expect(await trials.cancelledBy(id, 'enough')).toEqual(['t4']);
    expect(await trials.cancelledBy(id, 'other')).toEqual([]);
    expect(await selectors.findTrial('', 't3')).toEqual({ sweepId: id, trialId: 't3' });
    expect(await earlierConfigs(store.reader, id, 'test_loss')).toMatchObject([{ value: 0.5 }, { lacksMetric: false }]);
    expect(await endedTrials(store.reader, store.queries(), id, 0, true)).toBeUndefined();
    const history = storedSearchHistory(store.reader, id);
    await history.refresh();
    expect(history.read()).toMatchObject({
      warm: [{ parameters: { a: 7 }, value: 0.125 }, { parameters: { a: 8 } }],
      results: [{ value: 0.125 }, {}, { parameters: { a: 0 }, value: 0.5 }, { parameters: { a: 3 } }],
    });
    for (const unknown of ['abc', '1e0', '', '-1', '0', '99999999999999999999']) {
      await expect(sweeps.get(unknown)).rejects.toThrow(NotFoundError);
      await expect(trials.get(unknown, 't0')).rejects.toThrow(NotFoundError);
      expect(await sweeps.isUnfinished(unknown)).toBe(false);
      expect(await artifacts.has({ sweepId: unknown, trialId: 't1', attempt: 1 }, 'c')).toBe(false);
    }
    await expect(selectors.findSweep('99999999999999999999')).rejects.toThrow(NotFoundError);
  });

  test('for any history, the best configs of a sweep with replicates match a ranking that is computed from all trials', async () => {
    const { store } = await open();
    let sweeps = 0;
    await fc.assert(
      fc.asyncProperty(configHistory, fc.constantFrom('minimize', 'maximize'), async (history, goal) => {
        sweeps += 1;
        const [sweep, trials] = sweepOf(history);
        const id = await store.addSweep({ ...sweep, requestId: `r${sweeps}` }, trials, AT);
        for (const changes of changesOf(id, history)) await store.write(byNobody(changes), AT);
        const { replicates, metric } = await store.queries().sweeps.get(id);
        const all = await store.queries().trials.all(id);
        const best = await store.queries().trials.bestConfigs(id, goal, 100);
        if (replicates === 1 || metric?.name === '') {
          expect(best).toEqual([]);
          return;
        }
        const extreme = extremeConfigs(all);
        const ranked = [...plainRanking(all, goal)].filter(([config]) => !extreme.has(config));
        const values = new Map(ranked);
        const found = best.filter((config) => !extreme.has(config));
        // The store and the ranking round means differently.
        const rounded = (value: number | undefined) => (value === undefined ? value : Math.round(value * 1e9) + 0);
        const stored = await store.reader.all<{ config: string; value: number }>(
          'select config_id as config, value from config_results where sweep_id = ? and value is not null',
          id,
        );
        const results = stored.filter(({ config }) => !extreme.has(config));
        expect(new Map(results.map(({ config, value }) => [config, rounded(value)]))).toEqual(
          new Map(ranked.map(([config, value]) => [config, rounded(value)])),
        );
        expect(found.map((config) => rounded(values.get(config)))).toEqual(ranked.map(([, value]) => rounded(value)));
      }),
      { numRuns: propertyRuns(25) },
    );
  });

  test('if a transaction has both reports and the end of a trial, the reports count for the result of the trial', async () => {
    const tested = await open();
    const trials = ['t0', 't1', 't2', 't3'].map((id, index) => ({ ...planned(id, index), configId: `c${index >> 1}` }));
    const id = await tested.store.addSweep({ ...NEW_SWEEP, replicates: 2 }, trials, AT);
    const [first, second, third, fourth] = trials.map(({ trialId }) => changesOfTrial(id, trialId));
    if (!(first && second && third && fourth)) throw new Error('a trial is missing');
    const stopped = { outcome: 'stopped', rule: 'asha', reason: 'rung 1' } as const;
    await tested.store.write(byNobody([first, second, third, fourth].map(({ granted }) => granted())), AT);
    await tested.store.write(byNobody([third.report(1, 0.75)]), AT);
    await tested.store.write(
      byNobody([
        first.report(1, 0.5),
        first.report(2, 0.25),
        second.report(1, 0.75),
        first.ended({ outcome: 'succeeded' }),
        second.ended({ outcome: 'succeeded' }),
        second.moved('succeeded'),
        first.moved('succeeded'),
        third.report(2, 0.875),
        third.ended(stopped),
        third.moved('stopped', 'asha: rung 1'),
        fourth.report(1, 0.625),
        fourth.ended({ outcome: 'held', rule: 'asha', reason: 'rung 1' }),
        fourth.moved('held', 'asha: rung 1'),
      ]),
      AT,
    );
    const store = await tested.reopened();
    const queries = store.queries();
    const found = await queries.trials.all(id);
    expect(found.map(({ epoch, metrics, metricSteps }) => [epoch, metrics, metricSteps])).toEqual([
      [2, { test_loss: 0.25 }, { test_loss: 2 }],
      [1, { test_loss: 0.75 }, { test_loss: 1 }],
      [2, { test_loss: 0.875 }, { test_loss: 2 }],
      [1, { test_loss: 0.625 }, { test_loss: 1 }],
    ]);
    expect(await queries.trials.bestResults(id, 'minimize', 9)).toEqual([
      { index: 0, value: 0.25 },
      { index: 1, value: 0.75 },
      { index: 2, value: 0.875 },
    ]);
    expect(
      await store.reader.all(
        'select config_id, complete, epoch, n, value from config_results where sweep_id = ? order by config_id',
        id,
      ),
    ).toEqual([
      { config_id: 'c0', complete: 1, epoch: 0, n: 2, value: 0.5 },
      { config_id: 'c1', complete: 0, epoch: 2, n: 1, value: 0.875 },
    ]);
  });

  test('for any grouping of changes into transactions, the rows are the same as with one change per transaction', async () => {
    const { store } = await open();
    let sweeps = 0;
    await fc.assert(
      fc.asyncProperty(anyGrouping, async (grouping) => {
        sweeps += 1;
        const grouped = await rowsAfter(store, `grouped${sweeps}`, (id) => groupedChanges(id, grouping));
        const single = await rowsAfter(store, `single${sweeps}`, (id) =>
          groupedChanges(id, grouping).flatMap((changes) => changes.map((change) => [change])),
        );
        expect(grouped).toEqual(single);
      }),
      { numRuns: propertyRuns(10) },
    );
  });

  test('configs with equal results are in the order of their first trials', async () => {
    const { store } = await open();
    const trials = ['b', 'a', 'c', 'c', 'a', 'b'].map((configId, index) => ({
      ...planned(`t${index}`, index),
      configId,
    }));
    const id = await store.addSweep({ ...NEW_SWEEP, replicates: 2 }, trials, AT);
    for (const { trialId } of trials.toReversed().slice(0, 5)) {
      const key = { sweepId: id, trialId, attempt: 1 };
      const report: Change = { kind: 'report', key, seq: 1, at: AT, epoch: 1, metrics: { test_loss: 0.7 } };
      const succeeded: Change = {
        kind: 'trial',
        sweepId: id,
        trialId,
        state: 'succeeded',
        detail: '',
        failure: undefined,
      };
      await store.write(byNobody([{ ...GRANTED, key, pack: trialId }, report, succeeded]), AT);
    }
    for (const goal of ['minimize', 'maximize'] as const) {
      expect(await store.queries().trials.bestConfigs(id, goal, 2)).toEqual(['b', 'a']);
    }
  });

  test('pages contain every row once and in order, and ids are sorted by their bytes', async () => {
    const { store } = await open();
    const ids = ['Z', 'a', '_', '0', 'é', 'b'];
    const id = await store.addSweep(
      NEW_SWEEP,
      ids.map((trial, index) => planned(trial, index)),
      AT,
    );
    const { trials, selectors } = store.queries();
    const found: string[] = [];
    for (let after = -1, more = true; more; ) {
      const page = await trials.after(id, after, { rows: 2, bytes: 2 ** 20 });
      expect(page.trials.length).toBeLessThanOrEqual(2);
      found.push(...page.trials.map((trial) => trial.id));
      after = page.trials.at(-1)?.index ?? 0;
      more = page.more;
    }
    expect(found).toEqual(ids);
    const inOrder = [...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await selectors.trialsWithPrefix(id, '', 10)).toEqual(inOrder);
    expect(await trials.existing(id, ['a', 'none', 'Z'])).toEqual(new Set(['a', 'Z']));
    expect((await trials.byIndices(id, [4, 1, 99])).map((trial) => trial.id).sort()).toEqual(['a', 'é']);
    expect((await trials.byIds(id, ['b', 'none'])).map(({ index }) => index)).toEqual([5]);
    expect((await trials.ofConfigs(id, ['c3', 'c0'])).map((trial) => trial.id)).toEqual(['Z', '0']);
    await expect(trials.get(id, 'none')).rejects.toThrow(NotFoundError);
  });

  test('numbers and texts are stored exactly', async () => {
    const tested = await open();
    const id = await addSweep(tested.store);
    const metrics = { test_loss: Number.NaN, up: Number.POSITIVE_INFINITY, down: -1e308, small: 5e-324, '"\\': 0.1 };
    const text = "a line end \r\n, a quote ' and \u{1f600}";
    const { key } = GRANTED;
    await tested.store.write(byNobody([GRANTED, reported(1, metrics), { kind: 'log', key, seq: 2, at: AT, text }]), AT);
    const store = await tested.reopened();
    expect((await store.queries().trials.get(id, 't0')).metrics).toEqual(metrics);
    expect(await store.queries().attempts.log(id, 't0', 1, 0)).toEqual([{ seq: 2, text }]);
    expect(await store.queries().trials.bestResults(id, 'minimize', 5)).toEqual([]);
  });

  test('the rows of an ended sweep are removed together, and its artifacts stay marked for removal until they are removed', async () => {
    const tested = await open();
    const { store } = tested;
    const id = await addSweep(store);
    await store.addSweep({ ...NEW_SWEEP, requestId: 'newer' }, [planned('t0', 0)], AT);
    const choice = { endedBefore: AT, keep: 0 };
    expect(await store.endedSweeps(choice)).toEqual([]);
    await store.write(byNobody([{ kind: 'sweep', sweepId: id, state: 'killed', reason: 'enough' }]), AT);
    expect(await store.endedSweeps({ ...choice, endedBefore: AT - 1 })).toEqual([]);
    expect(await store.endedSweeps({ ...choice, keep: 1 })).toEqual([]);
    expect(await store.endedSweeps(choice)).toMatchObject([{ id, trials: 3, artifacts: 0, bytes: 0, endedAtMs: AT }]);
    await store.removeSweep(id);
    const after = await tested.reopened();
    expect(await after.pendingRemovals()).toEqual([id]);
    await expect(after.queries().sweeps.get(id)).rejects.toThrow(NotFoundError);
    expect(await after.queries().trials.ids(id)).toEqual([]);
    await after.endRemoval(id);
    expect(await after.pendingRemovals()).toEqual([]);
    // The id of a removed sweep is not used again.
    expect(await after.addSweep({ ...NEW_SWEEP, requestId: 'third' }, [], AT)).toBe('3');
  });

  test('the cluster name and the location of the artifacts are kept', async () => {
    const tested = await open();
    const { cluster } = tested.store;
    expect(await tested.store.artifactLocation()).toBeUndefined();
    await tested.store.setArtifactLocation('s3://bucket/');
    const store = await tested.reopened();
    expect([store.cluster, await store.artifactLocation()]).toEqual([cluster, 's3://bucket/']);
  });

  test.each(kills)(
    'if a writer is killed after %i acknowledgements, all acknowledged transactions and no partial ones are stored',
    async (acknowledgements) => {
      const { command, open: openAfter } = await openCrashed();
      const acknowledged = await killedAfter(acknowledgements, command);
      const store = await openAfter();
      const queries = store.queries();
      const reports =
        (await queries.sweeps.all()).length === 0 ? [] : await collected(trialReports(queries, '1', 't0'));
      const stored = reports.length;
      // The transaction after the last acknowledged transaction might already be durable.
      expect(stored).toBeGreaterThanOrEqual(acknowledged);
      expect(reports.map(({ epoch }) => epoch)).toEqual(Array.from({ length: stored }, (_, at) => at + 1));
      if (stored > 0) {
        expect((await queries.attempts.log('1', 't0', 1, 0)).length).toBe(Math.min(stored, 500));
        expect(await queries.trials.created('1')).toBe(stored + 3);
      }
      await addSweep(store);
      await store.write(byNobody([stored > 0 ? reported(stored + 1) : created('later', 3)]), AT);
    },
    60_000,
  );
}

/**
 * Kills a writer with SIGKILL after a number of acknowledgements.
 * @returns the number of acknowledgements that arrived
 */
async function killedAfter(count: number, [program = '', ...args]: readonly string[]): Promise<number> {
  const child: ChildProcess = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let acknowledged = 0;
  const exited = once(child, 'exit');
  if (child.stdout === null) throw new Error('the writer has no output');
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'ready' ? count === 0 : Number(line) === count) child.kill('SIGKILL');
    acknowledged = Number(line) || acknowledged;
  }
  await exited;
  return acknowledged;
}
