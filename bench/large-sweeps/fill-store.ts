/**
 * Fills a store with a running sweep. Its first 1,000 trials are pending. The trials after them have ended. The
 * arguments are the folder of the store, and a description of the ended trials as JSON (`EndedTrials`).
 */
import { Runtime } from '../../coordinator/app/runtime.ts';
import { sweepControl } from '../../coordinator/app/sweep-control.ts';
import type { PlannedTrial } from '../../coordinator/search/trial-source.ts';
import { insertConfigResults } from '../../coordinator/store/config-results.ts';
import { openStore } from '../../coordinator/store/open.ts';
import { SqliteStore } from '../../coordinator/store/sqlite-store.ts';
import { SubmitRequest } from '../../proto/gen/trawl/v1/sweep_service.ts';

/** A grid of 10^9 points, with a rule that makes some of them equal. */
const LARGE_GRID =
  'trainer: noop\nparameters: {a: {min: 1, max: 1000, step: 1}, b: {min: 1, max: 1000000, step: 1}}\n' +
  'when: [{if: {a: 7}, set: {b: 3}}]\n';

const LEASE_MS = 15_000;
const TRIALS_PER_TRANSACTION = 20_000;

/** Describes the ended trials of the sweep. */
export interface EndedTrials {
  readonly count: number;
  /** The number of trials per config. */
  readonly replicates: number;
  /** Whether early stopping has cut off about half of the trials, at different epochs. The others have succeeded. */
  readonly cutOff: boolean;
  /** Whether the store has one attempt, one report and five events for each trial. If false, it has only the trials. */
  readonly hasRecords: boolean;
}

/** Adds a running sweep with ended trials to the store in `folder`. */
async function fillStore(folder: string, { count, replicates, cutOff, hasRecords }: EndedTrials): Promise<void> {
  const db = openStore(folder);
  const fail = (error: unknown) => {
    throw error;
  };
  const runtime = await Runtime.open({
    store: new SqliteStore(db, ''),
    leaseMs: LEASE_MS,
    send: () => {},
    onBroken: fail,
  });
  const text = `${LARGE_GRID}seeds: [${Array.from({ length: replicates }, (_, seed) => seed).join(', ')}]\n`;
  const request = SubmitRequest.fromPartial({ requestId: 'r', fileName: 'large.yaml', text });
  const id = await sweepControl(runtime).submit(request);
  await runtime.flush();
  const search = runtime.core.sweeps.get(id)?.search;
  if (search === undefined) throw new Error('the sweep creates no trials');
  const trial = db.prepare(
    `insert into trials (sweep_id, id, idx, config_id, seed, parameters, state, attempts, agent_id, backend, epoch,
       metrics, metric_steps, started_at, ended_at, value, stop_reason)
     values (?, ?, ?, ?, ?, ?, ?, 1, 'a', 'wasm', ?, ?, ?, ?, ?, ?, ?)`,
  );
  const attempt = db.prepare(
    `insert into attempts (sweep_id, trial_id, number, agent_id, incarnation, slot, backend, granted_at, ended_at,
       outcome, pack) values (?, ?, 1, ?, 'i', 0, 'wasm', ?, ?, ?, ?)`,
  );
  const report = db.prepare(
    'insert into reports (sweep_id, trial_id, attempt, seq, at, epoch, metrics) values (?, ?, 1, 1, ?, ?, ?)',
  );
  const event = db.prepare(
    'insert into events (at, sweep_id, trial_id, attempt, kind, detail) values (?, ?, ?, ?, ?, ?)',
  );
  const startedAt = Date.now();
  let searched = search.state;
  const nextTrial = async (): Promise<PlannedTrial> => {
    for (;;) {
      const step = search.source.next(searched, () => false);
      if (step.kind === 'wait' && search.source.isUnprepared === true) await search.source.prepare(searched);
      else if (step.kind === 'wait' || step.kind === 'done') throw new Error('the grid has too few points');
      else searched = step.state;
      if (step.kind === 'trial') return step.trial;
    }
  };
  for (let written = 0; written < count; ) {
    const planned: PlannedTrial[] = [];
    while (planned.length < Math.min(TRIALS_PER_TRANSACTION, count - written)) planned.push(await nextTrial());
    db.transaction(() => {
      for (const { trialId, index, configId, seed, parameters } of planned) {
        const at = startedAt + index;
        const loss = ((index * 7_919) % 1_000_003) / 1_000_003;
        const isCutOff = cutOff && (index * 104_729) % 1_009 < 505;
        const state = isCutOff ? 'stopped' : 'succeeded';
        const epoch = isCutOff ? 3 ** ((index % 7) % 3) : 10;
        const reason = isCutOff ? `asha: ${loss} ranks 5 of 9 at rung ${epoch}; the top 3 continue` : '';
        const metrics = JSON.stringify({ test_loss: loss, psnr: 40 * (1 - loss), lr: 0.001 });
        const steps = JSON.stringify({ test_loss: epoch, psnr: epoch, lr: epoch });
        const point = [id, trialId, index, configId, seed, JSON.stringify(parameters)];
        trial.run(...point, state, epoch, metrics, steps, at, at + 5_000, loss, reason);
        if (!hasRecords) continue;
        attempt.run(id, trialId, `agent-${index % 16}`, at, at + 5_000, state, trialId);
        report.run(id, trialId, at + 4_000, epoch, metrics);
        for (const kind of ['created', 'granted', 'reported', 'ended', state]) event.run(at, id, trialId, 1, kind, '');
      }
    })();
    written += planned.length;
  }
  db.prepare(
    'insert into agent_successes select sweep_id, agent_id, count(*) from attempts group by sweep_id, agent_id',
  ).run();
  db.prepare(insertConfigResults('id = ?')).run(id);
  db.prepare('update sweeps set search = ? where id = ?').run(JSON.stringify(searched), id);
  db.close();
}

const [folder = '', trials = ''] = process.argv.slice(2);
await fillStore(folder, JSON.parse(trials));
