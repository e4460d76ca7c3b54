import { expect, onTestFinished, test } from 'vitest';
import { coordinatorWithSweep } from '../../test/support/coordinator/coordinator-with-sweep.ts';
import { newFolder } from '../../test/support/coordinator/serve.ts';
import { sweepControl } from './sweep-control.ts';

const FILE = 'trainer: noop\nparameters: {x: {values: [1, 2, 3, 4]}}\n';
const EDITED = FILE.replace('[1, 2, 3, 4]', '[3, 4, 5]');
const KILL = { sweep: '1', action: 'SWEEP_ACTION_KILL', reason: '', priority: 0 } as const;
const RETRY = { sweep: '1', trials: [], failed: false, failures: [], cancelled: true, requestId: 'again' };
const APPLY = { sweep: '1', fileName: 's.yaml', text: EDITED, baseVersion: 0, dryRun: false };

/** The delays of the second request, in microtasks. Each test runs once per delay. */
const DELAYS = Array.from({ length: 25 }, (_, at) => at * 8);

async function inTurns(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await undefined;
}

async function killedSweep() {
  const sweep = await coordinatorWithSweep(newFolder(), FILE, 2);
  onTestFinished(() => sweep.runtime.stop());
  await sweep.schedule();
  const control = sweepControl(sweep.runtime);
  const facts = async () => {
    const { state, counts } = await sweep.runtime.queries.sweeps.get('1');
    return { state, pending: counts?.pending, inMemory: sweep.runtime.core.sweeps.get('1')?.state };
  };
  return { sweep, control, facts };
}

test('a kill during an apply is final, whenever the kill arrives', async () => {
  for (const delay of DELAYS) {
    const { sweep, control, facts } = await killedSweep();
    const applied = control.apply('1', APPLY, 'ann').catch(() => {});
    await inTurns(delay);
    await control.act('1', KILL, 'bob');
    await applied;
    await sweep.schedule();
    expect(await facts(), `${delay} turns`).toEqual({ state: 'SWEEP_STATE_KILLED', pending: 0, inMemory: undefined });
  }
});

test('after a kill during a retry, no trial of the sweep is pending', async () => {
  for (const delay of DELAYS) {
    const { sweep, control, facts } = await killedSweep();
    await control.act('1', KILL, 'bob');
    const retried = control.retry(RETRY, 'ann');
    await inTurns(delay);
    await control.act('1', KILL, 'bob').catch(() => {});
    await retried;
    await sweep.schedule();
    const { state, pending, inMemory } = await facts();
    if (state === 'SWEEP_STATE_KILLED') expect([pending, inMemory], `${delay} turns`).toEqual([0, undefined]);
    else expect([state, pending], `${delay} turns`).toEqual(['SWEEP_STATE_RUNNING', 4]);
  }
});
