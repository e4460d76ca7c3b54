/**
 * Sweeps on eleven machines, any of which can fail, be cut off or be suspended. By default, two faults are tested, once
 * each. TRAWL_REPLICATED_ROUNDS=N tests all faults, N times each. TRAWL_REPLICATED_FAULTS selects faults by a regular
 * expression.
 */
import { expect, test } from 'vitest';
import { testFolder } from '../support/folder.ts';
import { postgresMissing } from '../support/postgres-server.ts';
import { isSkipped } from '../support/requirements.ts';
import { s3ServerMissing } from '../support/s3-server.ts';
import { machinesMissing } from './ip.ts';
import { ReplicatedCluster } from './replicated-cluster.ts';
import { FAULTS, LEADER_DIES, type Outcome, PRIMARY_DIES, sweepThroughFault, tableOf } from './replicated-faults.ts';

const rounds = Number(process.env.TRAWL_REPLICATED_ROUNDS ?? 0);
const selected = new RegExp(process.env.TRAWL_REPLICATED_FAULTS ?? '');
const faults = rounds === 0 ? [LEADER_DIES, PRIMARY_DIES] : FAULTS;
/** With this many trials, a sweep lasts a few seconds longer than a fault, even if no trial is delayed. */
const TRIALS = rounds === 0 ? 40 : 48;
const LIMIT_MS = 300_000;

const skipped = isSkipped(machinesMissing() ?? postgresMissing() ?? s3ServerMissing());

test.skipIf(skipped)(
  'if one machine fails, is cut off or is suspended, nothing acknowledged is lost, and each trial succeeds exactly once',
  { timeout: LIMIT_MS * Math.max(1, rounds * faults.length) },
  async () => {
    const folder = testFolder();
    const cluster = await ReplicatedCluster.start(folder);
    const outcomes: Outcome[] = [];
    const problems: unknown[] = [];
    for (let round = 0; round < Math.max(1, rounds); round += 1) {
      for (const fault of faults.filter(({ what }) => selected.test(what))) {
        await sweepThroughFault(cluster, folder, fault, TRIALS, (outcome) => outcomes.push(outcome)).catch((error) => {
          console.log(`${fault.what}: ${error}`);
          problems.push(error);
        });
        if (rounds > 0) console.log(tableOf(outcomes));
      }
    }
    expect(problems).toEqual([]);
  },
);
