import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { configsOf, rankConfigs } from '../../lib/domain/configs.ts';
import { rankTrials } from '../../lib/domain/ranking.ts';
import { PLAIN_POLICY } from '../../test/support/coordinator/sample-core.ts';
import { changeWriter, insertSweep } from '../../test/support/coordinator/sqlite-writes.ts';
import type { Change } from '../core/step.ts';
import { openStore } from '../store/open.ts';
import { Queries } from '../store/queries.ts';
import { SqliteReader } from '../store/reader.ts';
import { bestConfigs, bestTrials } from './best.ts';

const METRIC = 'loss "x"';

interface SampleTrial {
  readonly state: 'pending' | 'running' | 'succeeded' | 'stopped' | 'failed' | 'retried';
  /** The value of the metric; undefined if the trial reports only another metric. */
  readonly value: number | undefined;
  /** The epoch of the last report of the trial. */
  readonly epoch: number;
  /** The rule that stopped the trial, if the state is `stopped`. */
  readonly rule: 'asha' | 'patience';
}

const trialArbitrary = fc.record<SampleTrial>({
  state: fc.constantFrom('pending', 'running', 'succeeded', 'succeeded', 'stopped', 'failed', 'retried'),
  value: fc.oneof(fc.constantFrom(0.1, 0.2, 0.3, 1 / 3, Number.NaN, Number.POSITIVE_INFINITY, undefined), fc.double()),
  epoch: fc.integer({ min: 1, max: 3 }),
  rule: fc.constantFrom('asha', 'patience'),
});

function changesOf(sweepId: string, trialId: string, { state, value, epoch, rule }: SampleTrial): Change[] {
  if (state === 'pending') return [];
  const key = { sweepId, trialId, attempt: 1 };
  const metrics: Record<string, number> = value === undefined ? { other: 1 } : { [METRIC]: value };
  const failure = { class: 'crash', message: '' } as const;
  const started: Change[] = [
    {
      ...{ kind: 'granted', key, agentId: 'a', incarnation: 'i', slot: 0, pack: 'p', backend: 'wasm' },
      ...{ gpus: 0, resumedFrom: 0, speculative: false },
    },
    { kind: 'report', key, seq: 1, at: 1, epoch, metrics },
  ];
  if (state === 'running') return started;
  const how = { early: false, free: false, leasedMs: 1, used: undefined };
  if (state === 'succeeded' || state === 'stopped') {
    const end =
      state === 'succeeded' ? ({ outcome: 'succeeded' } as const) : ({ outcome: 'stopped', rule, reason: '' } as const);
    return [
      ...started,
      { kind: 'ended', key, end, ...how },
      {
        kind: 'trial',
        sweepId,
        trialId,
        state,
        detail: state === 'stopped' ? `${rule}: worse` : '',
        failure: undefined,
      },
    ];
  }
  const failed: Change[] = [
    ...started,
    { kind: 'ended', key, end: { outcome: 'failed', failure }, ...how },
    { kind: 'trial', sweepId, trialId, state: 'failed', detail: '', failure },
  ];
  if (state === 'failed') return failed;
  return [
    ...failed,
    { kind: 'retried', sweepId, trialId, requestId: 'q', attempts: 1, failure: 'crash', resumesFrom: 0 },
  ];
}

test('for any results, the best trials and the best configs are those at the top of the complete rankings', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-best-'));
  const db = openStore(dir);
  onTestFinished(() => {
    db.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const queries = new Queries(new SqliteReader(db));
  const write = changeWriter(db);
  let requests = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(trialArbitrary, { minLength: 1, maxLength: 24 }),
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom('minimize' as const, 'maximize' as const),
      fc.integer({ min: 1, max: 10 }),
      async (samples, replicates, goal, limit) => {
        requests += 1;
        const facts = {
          requestId: `r${requests}`,
          name: 's',
          fingerprint: 'f',
          fileName: 's',
          text: '',
          trainer: 'noop',
        };
        const counts = { configs: 1, replicates, excluded: 0, priority: 0 };
        const rows = samples.map((_, index) => {
          const configId = `c${Math.floor(index / replicates)}`;
          return { trialId: `t${index}`, configId, index, seed: index % replicates, parameters: {} };
        });
        const policy = { ...PLAIN_POLICY, ranking: { metric: METRIC, goal, at: 'last' as const } };
        const id = insertSweep(db, { ...facts, ...counts, metric: METRIC, goal, axes: [], policy }, rows, 1);
        db.transaction(() => {
          for (const [index, sample] of samples.entries()) {
            for (const change of changesOf(id, `t${index}`, sample)) write(change, 1, { events: [], dropped: [] });
          }
        })();
        const sweep = await queries.sweeps.get(id);
        const request = { metric: METRIC, goal, limit };
        const all = await queries.trials.all(id);
        const trials = rankTrials(all, METRIC, goal).filter(({ rank }) => rank > 0);
        expect(await bestTrials(queries, sweep, request)).toEqual(
          trials.length < limit ? undefined : trials.slice(0, limit).map(({ index, rank }) => [index, rank]),
        );
        const configs = rankConfigs(configsOf(all), METRIC, goal).filter(({ rank }) => rank > 0);
        expect(await bestConfigs(queries, sweep, request)).toEqual(
          configs.length < limit ? undefined : configs.slice(0, limit),
        );
      },
    ),
    { numRuns: 80 },
  );
});
