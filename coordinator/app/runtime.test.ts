import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { agentHello, LEASE_MS } from '../../test/support/coordinator/sample-core.ts';
import { newFolder } from '../../test/support/coordinator/serve.ts';
import { until } from '../../test/support/until.ts';
import { onHello } from '../core/agents.ts';
import { onPause, onResume } from '../core/sweeps.ts';
import { openStore } from '../store/open.ts';
import { SqliteStore } from '../store/sqlite-store.ts';
import { Runtime } from './runtime.ts';
import { sweepControl } from './sweep-control.ts';

const PASSES_MS = 100;

test.each([
  ['a grid', 'parameters: {x: {min: 1, max: 5000, step: 1}}'],
  ['a random search', 'method: random\nrun_cap: 5000\nparameters: {x: {min: 0.0, max: 1.0}}'],
])(
  'a paused sweep of %s causes no further passes of the scheduler, even if its window is not full',
  async (_, space) => {
    let passes = 0;
    const store = new SqliteStore(openStore(newFolder()), '');
    const runtime = await Runtime.open({
      store,
      leaseMs: LEASE_MS,
      send: () => {},
      onBroken: () => {},
      onPass: () => {
        passes += 1;
      },
      creationWindow: { trials: 2_000, packsPerSlot: 2 },
    });
    onTestFinished(() => runtime.stop());
    const text = `trainer: noop\n${space}\n`;
    await sweepControl(runtime).submit({ fileName: 's.yaml', text, requestId: 'r', source: undefined });
    await runtime.settle(onHello(runtime.core, agentHello('a', 'i', 1), 1));
    const { search, counts } = runtime.core.sweeps.get('1') ?? {};
    if (search === undefined || counts === undefined) throw new Error('the sweep has no search');
    // Trials that end make room in the window, so the next pass takes more steps than were prepared.
    counts.pending -= 1_500;
    runtime.reschedule();
    await until('a pass needs more steps than were prepared', () => search.source.isUnprepared === true);
    await runtime.settle(onPause(runtime.core, { sweepId: '1', reason: '' }));
    const before = passes;
    await sleep(PASSES_MS);
    expect(passes - before).toBeLessThanOrEqual(2);
    await runtime.settle(onResume(runtime.core, { sweepId: '1' }));
    runtime.reschedule();
    await until('the window is full again', () => counts.pending + counts.offered >= 2_000);
  },
);
