/** The changes of trials that end in different ways, in any order and with any grouping into transactions. */
import fc from 'fast-check';
import type { Change } from '../../../coordinator/core/step.ts';
import type { Store } from '../../../coordinator/store/store.ts';
import type { NewSweep } from '../../../coordinator/store/submit.ts';
import { AT, byNobody, GRANTED, NEW_SWEEP, planned } from './store-writer.ts';

type Ended = Change & { readonly kind: 'ended' };

/** Returns functions that make the changes of one trial. Each attempt holds its slot for 5 ms. */
export function changesOfTrial(sweepId: string, trialId: string) {
  const keyOf = (attempt: number) => ({ sweepId, trialId, attempt });
  const failure = { class: 'crash', message: 'boom' } as const;
  return {
    granted(attempt = 1, more: Partial<typeof GRANTED> = {}): Change {
      return { ...GRANTED, key: keyOf(attempt), pack: `${trialId}/${attempt}`, ...more };
    },
    report(seq: number, loss: number, attempt = 1): Change {
      return { kind: 'report', key: keyOf(attempt), seq, at: AT, epoch: seq, metrics: { test_loss: loss } };
    },
    checkpoint(seq: number, epoch: number): Change {
      const artifact = { name: 'c', kind: 'checkpoint', epoch, size: 1, sha256: '' } as const;
      return { kind: 'artifact', key: keyOf(1), seq, at: AT, artifact };
    },
    ended(end: Ended['end'] | 'failed', attempt = 1): Change {
      const how = end === 'failed' ? ({ outcome: 'failed', failure } as const) : end;
      const used = { slotMs: 5, gpuMs: 5 };
      return { kind: 'ended', key: keyOf(attempt), end: how, early: false, free: false, leasedMs: 5, used };
    },
    promoted(attempt: number): Change {
      return { kind: 'promoted', key: keyOf(attempt) };
    },
    moved(state: (Change & { kind: 'trial' })['state'], detail = ''): Change {
      return { kind: 'trial', sweepId, trialId, state, detail, failure: state === 'failed' ? failure : undefined };
    },
    retried(resumesFrom: number): Change {
      return { kind: 'retried', sweepId, trialId, requestId: 'r', attempts: 1, failure: 'crash', resumesFrom };
    },
  };
}

type TrialChanges = ReturnType<typeof changesOfTrial>;

const STOPPED = { outcome: 'stopped', rule: 'asha', reason: 'rung 1' } as const;
const HELD = { outcome: 'held', rule: 'asha', reason: 'rung 1' } as const;

const HISTORIES: readonly ((trial: TrialChanges) => readonly Change[])[] = [
  // The trial succeeds.
  ({ granted, report, ended, moved }) => [
    granted(),
    report(1, 0.5),
    report(2, 0.25),
    ended({ outcome: 'succeeded' }),
    moved('succeeded'),
  ],
  // A rule stops the trial.
  ({ granted, report, ended, moved }) => [granted(), report(1, 0.9), ended(STOPPED), moved('stopped', 'asha: rung 1')],
  // A rule holds the trial, which later resumes.
  ({ granted, report, checkpoint, ended, moved }) => [
    granted(),
    report(1, 0.8),
    checkpoint(2, 1),
    report(3, 0.7),
    ended(HELD),
    moved('held', 'asha: rung 1'),
    moved('pending'),
    granted(2, { resumedFrom: 1 }),
    report(2, 0.6, 2),
    ended({ outcome: 'succeeded' }, 2),
    moved('succeeded'),
  ],
  // The first attempt fails, and the second starts from scratch.
  ({ granted, report, ended, moved }) => [
    granted(),
    report(1, 0.4),
    ended('failed'),
    moved('pending'),
    granted(2),
    report(1, 0.3, 2),
    ended(STOPPED, 2),
    moved('stopped', 'asha: rung 1'),
  ],
  // The first attempt fails while a speculative attempt runs.
  ({ granted, report, ended, promoted, moved }) => [
    granted(),
    report(1, 0.4),
    granted(2, { speculative: true }),
    report(1, 0.2, 2),
    report(2, 0.1),
    ended('failed'),
    promoted(2),
    report(2, 0.15, 2),
    ended({ outcome: 'succeeded' }, 2),
    moved('succeeded'),
  ],
  // The trial fails, and a user retries it from its checkpoint.
  ({ granted, report, checkpoint, ended, moved, retried }) => [
    granted(),
    report(1, 0.7),
    checkpoint(2, 1),
    report(3, 0.6),
    ended('failed'),
    moved('failed'),
    retried(1),
    granted(2, { resumedFrom: 1 }),
    report(2, 0.35, 2),
    ended({ outcome: 'succeeded' }, 2),
    moved('succeeded'),
  ],
];

/** A sweep with one trial per history, and two trials per config. */
const HISTORIES_SWEEP: NewSweep = {
  ...NEW_SWEEP,
  policy: { ...NEW_SWEEP.policy, speculate: true },
  configs: HISTORIES.length / 2,
  replicates: 2,
};
const HISTORIES_TRIALS = HISTORIES.map((_, index) => {
  return { ...planned(`t${index}`, index), configId: `c${Math.floor(index / 2)}` };
});

const CHANGES = HISTORIES.flatMap((history) => history(changesOfTrial('1', 't0'))).length;

/** Generates an order for the changes of all trials, and selects the changes after which a transaction ends. */
export const anyGrouping = fc.array(
  fc.record({
    trial: fc.nat(HISTORIES.length - 1),
    endsTransaction: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  }),
  { minLength: CHANGES, maxLength: CHANGES },
);

/**
 * Returns the changes of all trials, grouped by transaction. The changes of each trial keep their order.
 * @param grouping a value of `anyGrouping`
 */
export function groupedChanges(
  sweepId: string,
  grouping: readonly { readonly trial: number; readonly endsTransaction: boolean }[],
): readonly (readonly Change[])[] {
  const left = HISTORIES.map((history, at) => [...history(changesOfTrial(sweepId, `t${at}`))]);
  const transactions: Change[][] = [[]];
  for (const { trial, endsTransaction } of grouping) {
    const unfinished = left.filter((changes) => changes.length > 0);
    const change = unfinished[trial % unfinished.length]?.shift();
    if (change !== undefined) transactions.at(-1)?.push(change);
    if (endsTransaction) transactions.push([]);
  }
  return transactions.filter((changes) => changes.length > 0);
}

/**
 * Adds a sweep, writes the transactions, and returns the rows of the sweep. The rows do not contain the id of the
 * sweep.
 */
export async function rowsAfter(
  store: Store,
  requestId: string,
  transactions: (sweepId: string) => readonly (readonly Change[])[],
): Promise<Record<string, unknown>> {
  const id = await store.addSweep({ ...HISTORIES_SWEEP, requestId }, HISTORIES_TRIALS, AT);
  for (const changes of transactions(id)) await store.write(byNobody(changes), AT);
  const rowsOf = async (table: string, order: string) => {
    const rows = await store.reader.all<Record<string, unknown>>(
      `select * from ${table} where sweep_id = ? order by ${order}`,
      id,
    );
    return rows.map(({ sweep_id: _, ...row }) => row);
  };
  const [used] = await store.reader.all('select slot_ms, gpu_ms from sweeps where id = ?', id);
  return {
    used,
    trials: await rowsOf('trials', 'idx'),
    attempts: await rowsOf('attempts', 'trial_id, number'),
    reports: await rowsOf('reports', 'trial_id, attempt, seq'),
    configResults: await rowsOf('config_results', 'config_id'),
    artifacts: await rowsOf('artifacts', 'trial_id, attempt, name'),
  };
}
