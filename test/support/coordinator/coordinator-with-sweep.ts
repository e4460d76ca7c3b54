/** A coordinator without its transports: the core, the store and one sweep. */

import { Runtime } from '../../../coordinator/app/runtime.ts';
import { sweepControl } from '../../../coordinator/app/sweep-control.ts';
import { onHello } from '../../../coordinator/core/agents.ts';
import { onRecord } from '../../../coordinator/core/attempt-records.ts';
import { onOpen } from '../../../coordinator/core/attempts.ts';
import { schedule } from '../../../coordinator/core/scheduler.ts';
import type { Step } from '../../../coordinator/core/step.ts';
import { openStore } from '../../../coordinator/store/open.ts';
import { SqliteStore } from '../../../coordinator/store/sqlite-store.ts';
import { agentHello, LEASE_MS } from './sample-core.ts';

/**
 * Starts a coordinator with one agent and a real store, and submits a sweep. The test itself ends the trials.
 * @param dir the data folder
 */
export async function coordinatorWithSweep(dir: string, text: string, slots: number) {
  const db = openStore(dir);
  const store = new SqliteStore(db, '');
  const open = () => Runtime.open({ store, leaseMs: LEASE_MS, send: () => {}, onBroken: () => {}, now: () => 1 });
  const runtime = await open();
  const id = await sweepControl(runtime).submit({ fileName: 's.yaml', text, requestId: 'r', source: undefined });
  await runtime.settle(onHello(runtime.core, agentHello('a', 'i', slots), 1));
  const seqs = new Map<string, number>();

  async function record(trialId: string, attempt: number, body: object): Promise<void> {
    const key = { sweepId: id, trialId, attempt };
    const seq = (seqs.get(`${trialId}/${attempt}`) ?? 0) + 1;
    seqs.set(`${trialId}/${attempt}`, seq);
    const change = { key, seq, at: 1, ...body } as Parameters<typeof onRecord>[1]['record'];
    await runtime.settle(onRecord(runtime.core, { agentId: 'a', record: change }, 1).step);
  }

  return {
    runtime,
    /** Returns a second coordinator that starts from the store, as after a crash. */
    restarted: open,
    /** Runs the scheduler once, and stores its step. */
    async schedule(): Promise<Step> {
      await runtime.prepareSources();
      const step = schedule(runtime.core, 1);
      await runtime.settle(step);
      return step;
    },
    /**
     * Takes as many offered trials as there are slots, and runs each of them to its end. A trial fails if `lossOf`
     * returns undefined.
     */
    async runOffers(lossOf: (parameters: Record<string, unknown>, seed: number) => number | undefined): Promise<void> {
      for (const { id: trialId, attempts } of [...(runtime.core.sweeps.get(id)?.offers ?? [])].slice(0, slots)) {
        const attempt = attempts + 1;
        const key = { sweepId: id, trialId, attempt };
        const opened = onOpen(runtime.core, { key, agentId: 'a', incarnation: 'i', slot: 0 }, 1);
        await runtime.settle(opened.step);
        const row = db.prepare('select parameters, seed from trials where id = ?').get(trialId) as {
          parameters: string;
          seed: number;
        };
        const loss = lossOf(JSON.parse(row.parameters), row.seed);
        if (loss === undefined) {
          const failure = { class: 'nan', message: 'the loss is NaN' };
          await record(trialId, attempt, { kind: 'ended', end: { outcome: 'failed', failure } });
          continue;
        }
        await record(trialId, attempt, { kind: 'report', epoch: 1, metrics: { test_loss: loss } });
        await record(trialId, attempt, { kind: 'ended', end: { outcome: 'succeeded' } });
      }
    },
    sweep: () => runtime.core.sweeps.get(id),
    trials: () =>
      (
        db.prepare('select parameters, seed, metrics, state from trials order by idx').all() as {
          parameters: string;
          seed: number;
          metrics: string;
          state: string;
        }[]
      ).map(({ parameters, seed, metrics, state }) => ({
        state,
        seed,
        ...JSON.parse(parameters),
        ...JSON.parse(metrics),
      })),
  };
}
