import { afterEach, beforeEach, expect, test } from 'vitest';
import { OverloadedError } from '../../proto/errors.ts';
import { controlOf } from '../control.ts';
import { Step } from '../core/step.ts';
import { newFolder, noopSweep, type Served, serve } from '../testing/serve.ts';
import { WATCH_BACKLOG } from './limits.ts';
import { watchSweep } from './watch.ts';

let served: Served;
beforeEach(async () => {
  served = await serve(newFolder());
});
afterEach(() => served.stop());

function watch(sweepId: string) {
  const { runtime } = served;
  const source = { queries: runtime.queries, agents: () => [], onCommit: runtime.onCommit.bind(runtime) };
  return watchSweep(source, sweepId, new AbortController().signal);
}

test('a watcher that falls far behind is let go, and one that comes again sees how things stand', async () => {
  const { runtime } = served;
  const sweepId = await controlOf(runtime).submit({ fileName: 's.yaml', text: noopSweep(1), requestId: 'r' });
  const [trial] = runtime.queries.trials(sweepId);
  const key = { sweepId, trialId: trial?.id ?? '', attempt: 1 };
  const slow = watch(sweepId);
  expect((await slow.next()).value).toMatchObject({ update: { $case: 'snapshot' } });
  const step = new Step();
  for (let epoch = 1; epoch <= WATCH_BACKLOG + 1; epoch++) {
    step.changes.push({ kind: 'report', key, seq: epoch, at: 5, epoch, metrics: { test_loss: epoch } });
  }
  await runtime.settle(step);
  await expect(slow.next()).rejects.toThrow(OverloadedError);

  const again = watch(sweepId);
  const { value } = await again.next();
  expect(value).toMatchObject({ update: { snapshot: { trials: [{ epoch: WATCH_BACKLOG + 1 }] } } });
  await again.return(undefined);
});
