/** The faults of a cluster in which any single machine can fail, and the laws that hold after each fault. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { EXIT } from '../../proto/errors.ts';
import { expectExactlyOnce } from '../faults/exactly-once.ts';
import { sweepFile } from '../support/folder.ts';
import { readPostgres, type Stored } from '../support/stored.ts';
import { until } from '../support/until.ts';
import { DATABASE } from './postgres-pair.ts';
import { Progress } from './progress.ts';
import { AGENTS, OBJECTS, type ReplicatedCluster, SLOTS_EACH } from './replicated-cluster.ts';

/** The maximum takeover times in docs/reliability.md, in milliseconds. */
const AFTER_DEATH_MS = 15_000;
const AFTER_STOP_MS = 3_000;

/** How long a machine is off, cut off or suspended. Each lease and each leadership lasts for a shorter time. */
const AWAY_MS = 13_000;
/** The time from the beginning of a fault until the operator promotes the standby of PostgreSQL. */
const UNTIL_PROMOTION_MS = 3_000;

const EPOCHS = 4;
const SMALL_BYTES = 20_000;
/** Agents send files of this size directly to the S3 server. */
const LARGE_BYTES = 2_000_000;
/** Each trial whose `x` is a multiple of this number writes a large file. */
const LARGE_EVERY = 5;

const PROGRAM = `
x=$1
size=${SMALL_BYTES}
[ $((x % ${LARGE_EVERY})) -ne 0 ] || size=${LARGE_BYTES}
yes "the result of $x" | head -c $size > "$TRAWL_ARTIFACTS/result.txt"
for epoch in ${Array.from({ length: EPOCHS }, (_, at) => at + 1).join(' ')}; do
  sleep 0.4
  echo "{\\"epoch\\": $epoch, \\"test_loss\\": $x.$epoch}"
done
`;

export interface Fault {
  readonly what: string;
  /** Returns the machine that the fault affects. */
  readonly victim: (cluster: ReplicatedCluster) => Promise<string> | string;
  /** Causes the fault, and repairs it. */
  readonly inflict: (cluster: ReplicatedCluster, name: string) => Promise<void>;
  /** The maximum time until another coordinator leads, in milliseconds. Default: not checked. */
  readonly takeoverMs?: number;
  /** Whether the attempts on the machine may be lost. Default: false */
  readonly losesLeases?: boolean;
}

export interface Outcome {
  readonly what: string;
  /** The longest time during which no attempt ended, in milliseconds. */
  readonly pauseMs: number;
  /** The time until another coordinator led and answered, in milliseconds. */
  readonly takeoverMs: number | undefined;
  readonly reruns: number;
  /** The number of ends, reports and transactions that were durable before the fault and are missing afterward. */
  readonly losses: number;
}

type Inflict = Fault['inflict'];

const kill: Inflict = async (cluster, name) => {
  await cluster.fail(name);
  await sleep(AWAY_MS);
  cluster.machine(name).plugIn();
  await cluster.startMachine(name);
};

const cut: Inflict = async (cluster, name) => {
  cluster.machine(name).unplug();
  await sleep(AWAY_MS);
  cluster.machine(name).plugIn();
};

const suspend: Inflict = async (cluster, name) => {
  cluster.machine(name).suspend();
  await sleep(AWAY_MS);
  cluster.machine(name).resume();
};

const stop: Inflict = async (cluster, name) => {
  await cluster.stop(name);
  await sleep(UNTIL_PROMOTION_MS);
};

/** A machine with a PostgreSQL server fails, and returns with its data. */
const restartServer: Inflict = async (cluster, name) => {
  const machine = cluster.machine(name);
  await machine.fail();
  await sleep(AWAY_MS);
  machine.plugIn();
  await cluster.postgres.startServer(machine);
};

/** Promotes the standby during a fault of the primary. Afterward, the former primary becomes the standby. */
const promoteAfter =
  (begin: (cluster: ReplicatedCluster, name: string) => Promise<void> | void): Inflict =>
  async (cluster, name) => {
    const machine = cluster.machine(name);
    await begin(cluster, name);
    await sleep(UNTIL_PROMOTION_MS);
    await cluster.postgres.promote();
    await sleep(AWAY_MS - UNTIL_PROMOTION_MS);
    machine.plugIn();
    machine.resume();
    // For a moment, coordinators can reach both servers. They must not use the former primary.
    await sleep(UNTIL_PROMOTION_MS);
    await machine.fail();
    machine.plugIn();
    await cluster.postgres.rebuild();
  };

const leader: Fault['victim'] = (cluster) => cluster.leader();
const standby: Fault['victim'] = (cluster) => cluster.standby();
const queueLeader: Fault['victim'] = (cluster) => cluster.queueLeader();
const primary: Fault['victim'] = ({ postgres }) => postgres.primary.name;
const replica: Fault['victim'] = ({ postgres }) => postgres.standby.name;
const objects: Fault['victim'] = () => OBJECTS;
const agent: Fault['victim'] = () => AGENTS[0];

const takeover = { victim: leader, takeoverMs: AFTER_DEATH_MS };

export const LEADER_DIES: Fault = { what: 'leading coordinator: machine fails', inflict: kill, ...takeover };
export const PRIMARY_DIES: Fault = {
  what: 'PostgreSQL primary: machine fails, standby promoted after 3 s',
  victim: primary,
  inflict: promoteAfter((cluster, name) => cluster.machine(name).fail()),
};

export const FAULTS: readonly Fault[] = [
  LEADER_DIES,
  { what: 'leading coordinator: cut off', inflict: cut, ...takeover },
  { what: 'leading coordinator: suspended', inflict: suspend, ...takeover },
  { what: 'leading coordinator: SIGTERM', inflict: stop, victim: leader, takeoverMs: AFTER_STOP_MS },
  { what: 'standby coordinator: machine fails', victim: standby, inflict: kill },
  { what: 'standby coordinator: cut off', victim: standby, inflict: cut },
  { what: 'standby coordinator: suspended', victim: standby, inflict: suspend },
  { what: 'NATS server that leads the queue: machine fails', victim: queueLeader, inflict: kill },
  { what: 'NATS server that leads the queue: cut off', victim: queueLeader, inflict: cut },
  { what: 'NATS server that leads the queue: suspended', victim: queueLeader, inflict: suspend },
  PRIMARY_DIES,
  {
    what: 'PostgreSQL primary: cut off, standby promoted after 3 s',
    victim: primary,
    inflict: promoteAfter((cluster, name) => cluster.machine(name).unplug()),
  },
  {
    what: 'PostgreSQL primary: suspended, standby promoted after 3 s',
    victim: primary,
    inflict: promoteAfter((cluster, name) => cluster.machine(name).suspend()),
  },
  { what: 'PostgreSQL primary: suspended, no promotion', victim: primary, inflict: suspend },
  { what: 'PostgreSQL primary: cut off, no promotion', victim: primary, inflict: cut },
  { what: 'PostgreSQL standby: machine fails', victim: replica, inflict: restartServer },
  { what: 'PostgreSQL standby: cut off', victim: replica, inflict: cut },
  { what: 'PostgreSQL standby: suspended', victim: replica, inflict: suspend },
  { what: 'S3 server: machine fails', victim: objects, inflict: kill },
  { what: 'S3 server: cut off', victim: objects, inflict: cut },
  { what: 'S3 server: suspended', victim: objects, inflict: suspend },
  { what: 'agent: machine fails', victim: agent, inflict: kill, losesLeases: true },
  { what: 'agent: cut off', victim: agent, inflict: cut, losesLeases: true },
  { what: 'agent: suspended', victim: agent, inflict: suspend, losesLeases: true },
];

/**
 * Runs a sweep during a fault, and checks the laws.
 * @param trials the number of trials of the sweep
 * @param onOutcome called before the laws are checked
 */
export async function sweepThroughFault(
  cluster: ReplicatedCluster,
  folder: string,
  { what, victim, inflict, takeoverMs: maxTakeoverMs, losesLeases = false }: Fault,
  trials: number,
  onOutcome: (outcome: Outcome) => void,
): Promise<void> {
  const progress = new Progress(cluster);
  await until('the store is observed', () => progress.ended !== undefined);
  const endedBefore = progress.ended ?? 0;
  const sweep = await submit(cluster, folder, trials);
  const slots = AGENTS.length * SLOTS_EACH;
  await until('each slot has ended a trial', () => (progress.ended ?? 0) >= endedBefore + slots);
  const name = await victim(cluster);
  const before = await readPostgres(cluster.postgres, DATABASE, sweep);
  const acknowledged = cluster.acknowledged();
  const beganAt = Date.now();
  await inflict(cluster, name);
  // The command begins during the fault, and waits for a leader.
  const waited = await cluster.run('wait', sweep);
  expect(waited.code, `${what}: ${waited.stderr}`).toBe(EXIT.done);
  await progress.stop();
  await cluster.untilHealthy();
  const stored = await readPostgres(cluster.postgres, DATABASE, sweep);
  const lost = lostOf(before, stored) + Math.max(0, acknowledged - (await commitsOf(cluster)));
  const ledAt = cluster.ledAt(beganAt);
  const takeoverMs = ledAt === undefined ? undefined : ledAt - beganAt;
  const reruns = stored.attempts.filter(({ outcome }) => outcome !== 'succeeded');
  const outcome = { what, pauseMs: progress.longestPause(beganAt), takeoverMs, reruns: reruns.length, losses: lost };
  onOutcome(outcome);
  console.log(JSON.stringify({ ...outcome, reasons: [...new Set(cluster.reasonsSince(beganAt))] }));
  expectExactlyOnce(stored, {
    trials,
    epochs: EPOCHS,
    lossAt: ({ x }, epoch) => Number(`${x}.${epoch}`),
  });
  expect(lost, `${what}: acknowledged changes are missing`).toBe(0);
  const expected = losesLeases ? { agent: name, classes: ['lost', 'drained'] } : { agent: '', classes: [] };
  for (const attempt of reruns) {
    expect([what, attempt.agent], JSON.stringify(attempt)).toEqual([what, expected.agent]);
    expect(expected.classes).toContain(attempt.failureClass);
  }
  await expectArtifacts(cluster, sweep, stored);
  if (maxTakeoverMs !== undefined) expect(takeoverMs, `${what}: takeover`).toBeLessThan(maxTakeoverMs);
}

async function submit(cluster: ReplicatedCluster, folder: string, trials: number): Promise<string> {
  const work = join(folder, 'work');
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, 'train.sh'), PROGRAM);
  const text = `
code: .
command: [sh, train.sh, "\${param:x}"]
metric: {name: test_loss, goal: minimize}
parameters: {x: {min: 1, max: ${trials}, step: 1}}
retry: {crash: 0, oom: 0, timeout: 0}
`;
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(work, text));
  return sweep;
}

/** Counts the ends of attempts and the reports that are in `before`, but are missing or different in `after`. */
function lostOf(before: Stored, after: Stored): number {
  const ends = new Set(after.attempts.map(({ trial, number, outcome }) => `${trial} ${number} ${outcome}`));
  const reports = new Set(after.reports.map((report) => JSON.stringify(report)));
  const lostEnds = before.attempts.filter(
    ({ trial, number, outcome }) => outcome !== null && !ends.has(`${trial} ${number} ${outcome}`),
  );
  return lostEnds.length + before.reports.filter((report) => !reports.has(JSON.stringify(report))).length;
}

async function commitsOf({ postgres }: ReplicatedCluster): Promise<number> {
  const [row] = await postgres.query(DATABASE, "select cast(value as bigint) as n from meta where name = 'commits'");
  return Number(row?.n);
}

/** Checks that each successful attempt has its file, with the right content and checksum. */
async function expectArtifacts(cluster: ReplicatedCluster, sweep: string, stored: Stored): Promise<void> {
  const rows = await cluster.postgres.query(
    DATABASE,
    `select trial_id as trial, attempt, name, size, sha256 from artifacts where sweep_id = ${Number(sweep)}`,
  );
  const objects = readdirSync(cluster.bucket, { recursive: true, encoding: 'utf8' });
  for (const { trial, number } of stored.attempts.filter(({ outcome }) => outcome === 'succeeded')) {
    const x = Number(stored.trials.find(({ id }) => id === trial)?.parameters.x);
    const line = `the result of ${x}\n`;
    const size = x % LARGE_EVERY === 0 ? LARGE_BYTES : SMALL_BYTES;
    const content = Buffer.from(line.repeat(Math.ceil(size / line.length)).slice(0, size));
    const sha256 = createHash('sha256').update(content).digest('hex');
    const mine = rows.filter((row) => row.trial === trial && row.attempt === number);
    expect(mine).toEqual([{ trial, attempt: number, name: 'result.txt', size, sha256 }]);
    const file = objects.find((path) => path.includes(`/${trial}/`) && path.endsWith(`/result.txt/${sha256}`));
    expect(file, `the file of trial ${trial} in sweep ${sweep}`).toBeDefined();
    expect(readFileSync(join(cluster.bucket, file ?? '')).equals(content)).toBe(true);
  }
}

/** Returns a table with a row for each fault. */
export function tableOf(outcomes: readonly Outcome[]): string {
  const seconds = (times: readonly number[]) => {
    const sorted = times.toSorted((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
    return `${(median / 1_000).toFixed(1)} / ${(Math.max(0, ...sorted) / 1_000).toFixed(1)}`;
  };
  const rows = [...new Set(outcomes.map(({ what }) => what))].map((what) => {
    const mine = outcomes.filter((outcome) => outcome.what === what);
    const takeovers = mine.flatMap(({ takeoverMs }) => takeoverMs ?? []);
    const sum = (key: 'reruns' | 'losses') => mine.reduce((total, each) => total + each[key], 0);
    const pauses = seconds(mine.map(({ pauseMs }) => pauseMs));
    return `| ${what} | ${mine.length} | ${pauses} | ${takeovers.length === 0 ? '' : seconds(takeovers)} | ${sum('reruns')} | ${sum('losses')} |`;
  });
  const head =
    '| fault | rounds | no trial ended for (s, median / max) | takeover (s, median / max) | attempts run again | losses |';
  return [head, '| --- | --- | --- | --- | --- | --- |', ...rows].join('\n');
}
