/** Fills a store with a running sweep: its first 1,000 trials are pending, and all trials after them have ended. */
import { Runtime } from '../../coordinator/app/runtime.ts';
import { sweepControl } from '../../coordinator/app/sweep-control.ts';
import type { PlannedTrial } from '../../coordinator/search/trial-source.ts';
import { openStore } from '../../coordinator/store/open.ts';
import { SqliteStore } from '../../coordinator/store/sqlite-store.ts';
import { SubmitRequest } from '../../proto/gen/trawl/v1/sweep_service.ts';

/** A grid of 10^9 points, with a rule that makes some of them equal. */
const LARGE_GRID =
  'trainer: noop\nparameters: {a: {min: 1, max: 1000, step: 1}, b: {min: 1, max: 1000000, step: 1}}\n' +
  'when: [{if: {a: 7}, set: {b: 3}}]\n';

const LEASE_MS = 15_000;
const TRIALS_PER_TRANSACTION = 20_000;

/** Adds a sweep with `ended` trials that succeeded, each with one attempt, one report and five events. */
export async function fillStore(folder: string, ended: number): Promise<void> {
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
  const request = SubmitRequest.fromPartial({ requestId: 'r', fileName: 'large.yaml', text: LARGE_GRID });
  const id = await sweepControl(runtime).submit(request);
  await runtime.flush();
  const search = runtime.core.sweeps.get(id)?.search;
  if (search === undefined) throw new Error('the sweep creates no trials');
  const trial = db.prepare(
    `insert into trials (sweep_id, id, idx, config_id, seed, parameters, state, attempts, agent_id, backend, epoch,
       metrics, metric_steps, started_at, ended_at, value)
     values (?, ?, ?, ?, ?, ?, 'succeeded', 1, 'a', 'wasm', 10, ?, ?, ?, ?, ?)`,
  );
  const attempt = db.prepare(
    `insert into attempts (sweep_id, trial_id, number, agent_id, incarnation, slot, backend, granted_at, ended_at,
       outcome, pack) values (?, ?, 1, ?, 'i', 0, 'wasm', ?, ?, 'succeeded', ?)`,
  );
  const report = db.prepare(
    'insert into reports (sweep_id, trial_id, attempt, seq, at, epoch, metrics) values (?, ?, 1, 1, ?, 10, ?)',
  );
  const event = db.prepare(
    'insert into events (at, sweep_id, trial_id, attempt, kind, detail) values (?, ?, ?, ?, ?, ?)',
  );
  const startedAt = Date.now();
  let { state } = search;
  const nextTrial = async (): Promise<PlannedTrial> => {
    for (;;) {
      const step = search.source.next(state, () => false);
      if (step.kind === 'wait' && search.source.isUnprepared === true) await search.source.prepare(state);
      else if (step.kind === 'wait' || step.kind === 'done') throw new Error('the grid has too few points');
      else state = step.state;
      if (step.kind === 'trial') return step.trial;
    }
  };
  for (let written = 0; written < ended; ) {
    const planned: PlannedTrial[] = [];
    while (planned.length < Math.min(TRIALS_PER_TRANSACTION, ended - written)) planned.push(await nextTrial());
    db.transaction(() => {
      for (const { trialId, index, configId, seed, parameters } of planned) {
        const at = startedAt + index;
        const loss = ((index * 7_919) % 1_000_003) / 1_000_003;
        const metrics = JSON.stringify({ test_loss: loss, psnr: 40 * (1 - loss), lr: 0.001 });
        const steps = JSON.stringify({ test_loss: 10, psnr: 10, lr: 10 });
        trial.run(id, trialId, index, configId, seed, JSON.stringify(parameters), metrics, steps, at, at + 5_000, loss);
        attempt.run(id, trialId, `agent-${index % 16}`, at, at + 5_000, trialId);
        report.run(id, trialId, at + 4_000, metrics);
        for (const kind of ['created', 'granted', 'reported', 'ended', 'succeeded'])
          event.run(at, id, trialId, 1, kind, '');
      }
    })();
    written += planned.length;
  }
  db.prepare(
    'insert into agent_successes select sweep_id, agent_id, count(*) from attempts group by sweep_id, agent_id',
  ).run();
  db.prepare('update sweeps set search = ? where id = ?').run(JSON.stringify(state), id);
  db.close();
}
