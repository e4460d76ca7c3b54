/**
 * Runs a sweep of 24 trials on an agent with two slots, kills processes of the cluster during the sweep, and checks the
 * store afterward.
 */
import { expect } from 'vitest';
import { noopLoss } from '../../agent/trainers/noop.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { TestRandom } from '../support/random.ts';
import { readStore } from '../support/stored.ts';
import { expectExactlyOnce } from './exactly-once.ts';
import { AGENT, type FaultKind, killAndRestart, planFaults, SLOTS } from './faults.ts';

const TRIALS = 24;
const EPOCHS = 4;
const SWEEP = `
trainer: noop
parameters:
  x: {min: 1, max: ${TRIALS}, step: 1}
  epochs: {value: ${EPOCHS}}
  duration_ms: {value: 200}
retry: {crash: 20, backoff: 100ms}
`;

/**
 * Returns one seed per round. TRAWL_FAULT_SEED sets the first seed, to repeat a run; the timing of the processes can
 * still differ. TRAWL_FAULT_ROUNDS sets the number of rounds.
 */
export function roundSeeds(): number[] {
  const first = Number(process.env.TRAWL_FAULT_SEED ?? Date.now() % 1_000_000);
  return Array.from({ length: Number(process.env.TRAWL_FAULT_ROUNDS ?? 1) }, (_, round) => first + round);
}

/** @param kinds the processes to kill, in random order and at random times */
export async function sweepUnderFaults(kinds: readonly FaultKind[], seed: number): Promise<void> {
  const random = new TestRandom(seed);
  const faults = planFaults(kinds, random);
  const begun = performance.now();
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: '2s' });
  await cluster.startAgent(AGENT, SLOTS);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, SWEEP));

  const recoveries: string[] = [];
  for (const [at, fault] of faults.entries()) {
    const waitedMs = await killAndRestart(fault, cluster, sweep, random);
    const before = faults[at - 1]?.kind;
    if (before !== undefined && waitedMs !== undefined) recoveries.push(`${before} ${(waitedMs / 1000).toFixed(1)}`);
  }

  const ended = await cluster.run('wait', sweep, '-o', 'json');
  expect(ended.code, ended.stderr).toBe(0);
  expect(JSON.parse(ended.stdout)).toMatchObject({ state: 'finished', counts: { succeeded: TRIALS } });
  expect(await cluster.coordinator.stop()).toBe(0);
  const stored = readStore(cluster.dir);
  const retries = stored.attempts.flatMap(({ failureClass }) => failureClass ?? []);
  const seconds = Math.round((performance.now() - begun) / 1000);
  console.log(
    `TRAWL_FAULT_SEED=${seed}: killed ${faults.map(({ kind }) => kind).join(', ')}; ` +
      `attempts that failed: ${retries.sort().join(', ') || 'none'}; ` +
      `seconds until every slot was busy again: ${recoveries.join(', ') || 'not measured'}; ${seconds} s in all`,
  );
  expectExactlyOnce(stored, {
    trials: TRIALS,
    epochs: EPOCHS,
    lossAt: (parameters, epoch) => noopLoss(parameters as Parameters) * (0.5 + 0.5 / epoch),
  });
  const workers = faults.filter(({ kind }) => kind === 'worker').length;
  expect(retries.filter((failure) => failure === 'crash').length).toBeLessThanOrEqual(workers);
}
