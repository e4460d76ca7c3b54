/** A sample history of one sweep, and a function that writes the history until its process is killed. */
import type { Change } from '../../../coordinator/core/step.ts';
import type { Store } from '../../../coordinator/store/store.ts';
import type { NewSweep } from '../../../coordinator/store/submit.ts';
import { PLAIN_POLICY } from './sample-core.ts';

export const NEW_SWEEP: NewSweep = {
  requestId: 'r1',
  name: 's',
  fingerprint: 'f',
  fileName: 's.yaml',
  text: 'trainer: noop\n',
  trainer: 'noop',
  metric: 'test_loss',
  goal: 'minimize',
  axes: ['a'],
  policy: PLAIN_POLICY,
  configs: 3,
  replicates: 1,
  excluded: 0,
  priority: 0,
};
export const AT = 1_700_000_000_123;

export const planned = (id: string, index: number) => {
  return { trialId: id, configId: `c${index}`, index, seed: 0, parameters: { a: index } };
};
export const byNobody = (changes: readonly Change[]) => changes.map((change) => ({ change, by: '' }));
export const created = (trialId: string, index: number): Change => ({
  kind: 'created',
  sweepId: '1',
  trial: planned(trialId, index),
  state: { search: 0, created: index + 1, points: index + 1, excluded: [], duplicates: 0, repeated: 0 },
});
export const reported = (seq: number, metrics: Readonly<Record<string, number>> = { test_loss: 1 / seq }): Change => {
  return { kind: 'report', key: { sweepId: '1', trialId: 't0', attempt: 1 }, seq, at: AT, epoch: seq, metrics };
};
export const GRANTED: Change & { readonly kind: 'granted' } = {
  kind: 'granted',
  key: { sweepId: '1', trialId: 't0', attempt: 1 },
  agentId: 'a',
  incarnation: 'i',
  slot: 0,
  pack: 'p',
  gpus: 0.5,
  backend: 'wasm',
  resumedFrom: 0,
  speculative: false,
};

export async function addSweep(store: Store, trials = 3): Promise<string> {
  const first = Array.from({ length: trials }, (_, index) => planned(`t${index}`, index));
  return store.addSweep(NEW_SWEEP, first, AT, 'ann');
}

/**
 * Writes one report per transaction, and prints the number of each durable report. Runs until the process is killed.
 * @param store a new and empty store
 */
export async function writeUntilKilled(store: Store): Promise<never> {
  await addSweep(store);
  await store.write(byNobody([GRANTED]), AT);
  for (let seq = 1; ; seq++) {
    // If a transaction were stored only in part, the first of these changes would be stored without the others.
    const { key } = GRANTED;
    await store.write(
      byNobody([reported(seq), { kind: 'log', key, seq, at: AT, text: `${seq}` }, created(`n${seq}`, seq + 2)]),
      AT,
    );
    process.stdout.write(`${seq}\n`);
  }
}
