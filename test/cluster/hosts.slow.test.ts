/** A sweep on six machines. One or two machines lose power without notice and come back. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { testFolder } from '../support/folder.ts';
import { isSkipped } from '../support/requirements.ts';
import { machinesMissing } from './ip.ts';
import { busySweep, expectRecovery } from './recovery.ts';
import { someOf } from './rounds.ts';
import { AGENTS, HEAD, NATS, queueLeader, SLOTS_EACH, SpreadCluster } from './spread-cluster.ts';

const LIMIT_MS = 300_000;
const [FAILING_AGENT] = AGENTS;

interface Failure {
  readonly what: string;
  readonly agents?: readonly string[];
  readonly victims: (cluster: SpreadCluster) => Promise<readonly string[]>;
  readonly awayMs: number;
  readonly start: (cluster: SpreadCluster, name: string) => Promise<void>;
  /** The maximum number of attempts that may be lost. */
  readonly maxLostAttempts: number;
}

const FAILURES: readonly Failure[] = [
  {
    what: "the coordinator's machine fails",
    victims: async () => [HEAD],
    awayMs: 5_000,
    start: (cluster) => cluster.startCoordinator(),
    maxLostAttempts: 0,
  },
  {
    what: "the machine of the queue's leader fails",
    victims: async (cluster) => [await queueLeader(cluster)],
    awayMs: 20_000,
    start: (cluster, name) => cluster.startNats(name),
    maxLostAttempts: 0,
  },
  {
    what: "an agent's machine fails",
    agents: [FAILING_AGENT],
    victims: async () => [FAILING_AGENT],
    awayMs: 10_000,
    start: (cluster, name) => cluster.startAgent(name),
    maxLostAttempts: SLOTS_EACH,
  },
  {
    what: "two of the three NATS machines fail, including the machine of the queue's leader",
    victims: async (cluster) => {
      const first = await queueLeader(cluster);
      return [first, NATS.find((name) => name !== first) ?? first];
    },
    awayMs: 10_000,
    start: (cluster, name) => cluster.startNats(name),
    maxLostAttempts: 0,
  },
];

const skipped = isSkipped(machinesMissing());

test.skipIf(skipped).each(someOf(FAILURES))(
  'a sweep loses no report, and each of its trials succeeds exactly once: $what',
  { timeout: LIMIT_MS },
  async ({ what, agents, victims, awayMs, start, maxLostAttempts }) => {
    const folder = testFolder();
    const cluster = await SpreadCluster.start(folder);
    const sweep = await busySweep(cluster, folder);
    const names = await victims(cluster);
    const beganAt = Date.now();
    await Promise.all(names.map((name) => cluster.machine(name).fail()));
    await sleep(awayMs);
    for (const name of names) cluster.machine(name).plugIn();
    const repairedAt = Date.now();
    await Promise.all(names.map((name) => start(cluster, name)));
    const stored = await expectRecovery(cluster, sweep, { what, beganAt, repairedAt, ...(agents && { agents }) });
    const ends = stored.attempts.flatMap(({ failureClass }) => failureClass ?? []);
    expect(ends.filter((failure) => failure !== 'lost')).toEqual([]);
    expect(ends.length).toBeLessThanOrEqual(maxLostAttempts);
  },
);
