import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { TestRandom } from '../support/random.ts';
import { until } from '../support/until.ts';
import { roundSeeds } from './sweep-under-faults.ts';

const LIMIT_MS = 300_000;
/**
 * The trials fit into the creation window, so all of them are created. `trawl kill` cancels only created trials, and
 * only created trials can be retried.
 */
const TRIALS = 1_000;
const DEATHS = 4;

const SWEEP = `trainer: noop\nparameters: {x: {min: 1, max: ${TRIALS}, step: 1}}\n`;

test.each(roundSeeds())(
  'if a coordinator is killed during a retry, either all trials or no trials have been retried (seed %i)',
  { timeout: LIMIT_MS },
  async (seed) => {
    const random = new TestRandom(seed);
    const folder = testFolder();
    const cluster = await Cluster.start(folder);
    const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, SWEEP));
    for (let death = 0; death < DEATHS; death++) {
      await cluster.run('kill', sweep, '-y');
      expect((await cluster.sweep(sweep))?.counts?.cancelled).toBe(TRIALS);
      const retry = cluster.run('retry', sweep, '--cancelled');
      await sleep(random.between(200, 900));
      await cluster.coordinator.killNow();
      await cluster.startCoordinator();
      const { code } = await retry;
      const { counts, state } = await until('the coordinator answers', () => cluster.sweep(sweep));
      const cancelled = counts?.cancelled;
      console.log(`kill ${death + 1}: retry exited with code ${code}; ${cancelled} of ${TRIALS} trials are cancelled`);
      expect([0, TRIALS]).toContain(cancelled);
      expect(state).toBe(cancelled === 0 ? 'SWEEP_STATE_RUNNING' : 'SWEEP_STATE_KILLED');
      if (code === 0) expect(cancelled).toBe(0);
      if (cancelled === TRIALS) await cluster.run('retry', sweep, '--cancelled');
    }
  },
);
