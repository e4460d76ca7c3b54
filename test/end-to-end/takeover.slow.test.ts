/**
 * Tests coordinators that share a store in a real PostgreSQL server: one leads, and another takes over when the leader is
 * killed, suspended or stopped.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Metadata } from '@grpc/grpc-js';
import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { noopLoss } from '../../agent/trainers/noop.ts';
import { connect, withConnection } from '../../bin/client/connect.ts';
import { getSweep } from '../../bin/client/sweeps.ts';
import { startNatsServer } from '../../bin/local/nats-server.ts';
import { EXIT, EXIT_NOT_LEADER } from '../../proto/errors.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { expectExactlyOnce } from '../faults/exactly-once.ts';
import { noopSweepText } from '../faults/noop-sweep.ts';
import { type Daemon, logEnd, startDaemon } from '../support/daemon.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { PostgresServer, postgresMissing, queryOnce } from '../support/postgres-server.ts';
import { isSkipped } from '../support/requirements.ts';
import { readPostgres } from '../support/stored.ts';
import { startTrawl, trawl, trawlJson } from '../support/trawl.ts';
import { until } from '../support/until.ts';

/** The number of rounds. Each round kills, stops and suspends the leader. */
const ROUNDS = Number(process.env.TRAWL_TAKEOVER_ROUNDS ?? 1);

/** The maximum takeover time after the death of the leader in docs/reliability.md, in milliseconds. */
const AFTER_DEATH_MS = 15_000;
/**
 * The maximum takeover time after a SIGTERM, in milliseconds. The limit in docs/reliability.md is 3 s. A single round may
 * run on a busy machine, so its limit is higher, but shorter than the term of a leader.
 */
const AFTER_STOP_MS = ROUNDS > 1 ? 3_000 : 7_000;

type Role = 'leads' | 'stands by';

/** A coordinator that keeps its addresses when it is restarted. */
class Replica {
  readonly #log: string;
  readonly #args: readonly string[];
  #address = '127.0.0.1:0';
  #metrics = '127.0.0.1:0';
  #daemon: Daemon | undefined;

  constructor(folder: string, name: string, args: readonly string[]) {
    const dir = join(folder, name);
    mkdirSync(dir);
    this.#log = join(folder, `${name}.log`);
    this.#args = ['--dir', dir, '--no-auth', '--log-format', 'json', ...args];
  }

  get address(): string {
    return this.#address;
  }

  get daemon(): Daemon {
    if (this.#daemon === undefined) throw new Error(`${this.#address} is not running`);
    return this.#daemon;
  }

  async start(role: Role): Promise<void> {
    const addresses = ['--listen', this.#address, '--metrics', this.#metrics];
    const daemon = await startDaemon(this.#log, 'coordinator', ...addresses, ...this.#args);
    this.#daemon = daemon;
    let isGone = false;
    void daemon.exited.then(() => {
      isGone = true;
    });
    const message = role === 'leads' ? 'the coordinator is up' : 'the coordinator stands by';
    const { address, metrics } = await until(`a coordinator ${role}`, () => {
      if (isGone) throw new Error(`the coordinator ended:\n${logEnd(this.#log)}`);
      return this.#entries().findLast(({ msg }) => msg === message);
    });
    this.#address = `${address}`;
    this.#metrics = `127.0.0.1:${metrics}`;
    await until(`${address} ${role}`, async () => (await this.role()) === role);
  }

  #entries(): { readonly msg: string; readonly address?: string; readonly metrics?: number }[] {
    const lines = readFileSync(this.#log, 'utf8').split('\n');
    return lines.filter((line) => line.startsWith('{') && line.endsWith('}')).map((line) => JSON.parse(line));
  }

  async role(): Promise<Role | undefined> {
    const signal = AbortSignal.timeout(500);
    const response = await fetch(`http://${this.#metrics}/leader`, { signal }).catch(() => undefined);
    if (response === undefined) return undefined;
    return response.status === 200 ? 'leads' : 'stands by';
  }

  async page(path: string): Promise<string> {
    const response = await fetch(`http://${this.#metrics}${path}`);
    return `${response.status} ${await response.text()}`;
  }

  /** Waits until this coordinator leads and answers calls. Returns the duration of the wait, in milliseconds. */
  async untilLeads(): Promise<number> {
    const begun = performance.now();
    await until(`${this.address} leads`, async () => (await this.role()) === 'leads');
    await until(`${this.address} answers`, () => isAnswered(this.address));
    return performance.now() - begun;
  }
}

/**
 * Whether the coordinator answers a call. The call is not made by a command, because the start of a command would
 * distort the measured time.
 */
async function isAnswered(address: string): Promise<boolean> {
  const connection = await connect({ server: address });
  const answered = new Promise<boolean>((resolve) => {
    const deadline = Date.now() + 1_000;
    connection.client.listSweeps({}, new Metadata(), { deadline }, (error) => resolve(error === null));
  });
  return answered.finally(() => connection.close());
}

/** Starts two coordinators on one store: `a` leads, and `b` stands by. */
async function startPair() {
  const folder = testFolder();
  const server = await PostgresServer.start({ fsync: true });
  const nats = await startNatsServer({ storeDir: join(folder, 'nats') });
  onTestFinished(async () => {
    await nats.stop();
    await server.close();
  });
  const shared = ['--store', await server.createDatabase('trawl'), '--nats', nats.url];
  const args = [...shared, '--allow-local-artifacts'];
  const a = new Replica(folder, 'a', args);
  const b = new Replica(folder, 'b', args);
  await a.start('leads');
  await b.start('stands by');
  return { folder, server, nats, a, b, both: `${a.address},${b.address}`, shared };
}

test.skipIf(isSkipped(postgresMissing()))(
  'a standby takes over from a leader that is killed, stopped or suspended, and no acknowledged change is lost',
  async () => {
    const { folder, a, b } = await startPair();
    expect(await b.page('/healthz')).toMatch(/^200/);
    expect(await b.page('/readyz')).toMatch(/^200/);
    expect(await b.page('/sd')).toBe('200 []\n');
    expect(await b.page('/metrics')).toContain('\ntrawl_coordinator_leading 0\n');
    expect(await a.page('/metrics')).toContain('\ntrawl_coordinator_leading 1\n');

    const submitted: string[] = [];
    const submit = async (to: Replica) => {
      const file = sweepFile(folder, noopSweepText({ trials: 2, epochs: 1, epochMs: 1 }));
      const { sweep } = await trawlJson<{ sweep: string }>('submit', file, '--server', to.address);
      submitted.push(sweep);
    };
    const sweeps = async (at: Replica) =>
      (await trawlJson<{ sweep: string }[]>('ls', '--server', at.address))
        .map(({ sweep }) => sweep)
        .sort((one, other) => Number(one) - Number(other));
    await submit(a);
    let [leader, standby] = [a, b];
    const times = { afterKill: [] as number[], afterStop: [] as number[], afterSuspension: [] as number[] };
    const takesOver = async (into: number[]) => {
      into.push(await standby.untilLeads());
      [leader, standby] = [standby, leader];
      expect(await sweeps(leader)).toEqual(submitted);
      await submit(leader);
    };
    for (let round = 1; round <= ROUNDS; round++) {
      await leader.daemon.killNow();
      await takesOver(times.afterKill);
      await standby.start('stands by');

      const stopped = leader.daemon.stop();
      await takesOver(times.afterStop);
      expect(await stopped).toBe(EXIT.done);
      await standby.start('stands by');

      const suspended = leader.daemon;
      process.kill(suspended.pid, 'SIGSTOP');
      await takesOver(times.afterSuspension);
      process.kill(suspended.pid, 'SIGCONT');
      expect(await suspended.exited).toBe(EXIT_NOT_LEADER);
      expect(await sweeps(leader)).toEqual(submitted);
      if (round < ROUNDS) await standby.start('stands by');
      const shown = Object.entries(times).map(([name, all]) => `${name} ${all.map((ms) => Math.round(ms)).join(' ')}`);
      console.log(`takeovers in milliseconds, ${round} rounds: ${shown.join('; ')}`);
    }
    expect(submitted).toHaveLength(1 + 3 * ROUNDS);
    expect(Math.max(...times.afterKill)).toBeLessThan(AFTER_DEATH_MS);
    expect(Math.max(...times.afterStop)).toBeLessThan(AFTER_STOP_MS);
    expect(Math.max(...times.afterSuspension)).toBeLessThan(AFTER_DEATH_MS);
  },
  ROUNDS * 300_000,
);

test.skipIf(isSkipped(postgresMissing()))(
  'a leader that receives SIGTERM during a long write hands over without waiting for the write, and the submitted sweep is stored once',
  async () => {
    const { folder, server, a, b, both } = await startPair();
    const file = sweepFile(folder, noopSweepText({ trials: 2, epochs: 1, epochMs: 1 }));
    const url = server.url('trawl');
    const blocker = new Client({ connectionString: url });
    await blocker.connect();
    onTestFinished(() => blocker.end());
    await blocker.query('begin');
    await blocker.query('lock table sweeps in exclusive mode');
    const submission = startTrawl('submit', file, '--server', both);
    const waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = 'trawl'";
    await until('the write waits', async () => (await queryOnce(url, waiting)).length > 0);
    const stopped = a.daemon.stop();
    const afterStop = await b.untilLeads();
    console.log('handover during a long write in milliseconds', afterStop);
    expect(afterStop).toBeLessThan(AFTER_STOP_MS);
    expect(await stopped).toBe(EXIT.done);
    await blocker.query('rollback');
    const { code, stderr } = await submission.ended;
    expect(code, stderr).toBe(EXIT.done);
    expect(await trawlJson<unknown[]>('ls', '--server', b.address)).toHaveLength(1);
  },
);

/**
 * The maximum duration of a coordinator's restart on a busy machine. It is shorter than the term of a leader, so the
 * test fails if the restarted process waits until the term of the killed process expires.
 */
const RESTART_MS = 7_000;

test.skipIf(isSkipped(postgresMissing()))(
  'a standby without shared artifacts is rejected, a standby with a different artifact location is not ready, a killed coordinator leads immediately after its restart, and "trawl up" fails while a coordinator leads its store',
  async () => {
    const { folder, server, a, b, shared } = await startPair();
    expect(await b.daemon.stop()).toBe(EXIT.done);
    const local = ['--dir', join(folder, 'c'), '--listen', '127.0.0.1:0', '--metrics', '127.0.0.1:0', ...shared];
    const rejected = await trawl('coordinator', ...local);
    expect(rejected.code, rejected.stderr).toBe(EXIT.rejected);
    expect(rejected.stderr).toContain(`artifacts are in the data folder of the coordinator at ${a.address}`);
    const elsewhere = new Replica(folder, 'd', [...shared, '--artifacts', 's3://bucket/a?endpoint=http://127.0.0.1:1']);
    await elsewhere.start('stands by');
    const notReady = await until('the standby is not ready', async () => {
      const page = await elsewhere.page('/readyz');
      return page.startsWith('503') && page;
    });
    expect(notReady).toContain(`artifacts are in the data folder of the coordinator at ${a.address}, but`);
    await queryOnce(server.url('trawl'), "insert into meta (name, value) values ('artifacts', 's3://bucket/a')");
    await until('the standby is ready', async () => (await elsewhere.page('/readyz')).startsWith('200'));
    await queryOnce(server.url('trawl'), "delete from meta where name = 'artifacts'");
    await elsewhere.daemon.killNow();
    await a.daemon.killNow();
    const begun = performance.now();
    await a.start('leads');
    const afterRestart = performance.now() - begun;
    console.log('restart in milliseconds', afterRestart);
    expect(afterRestart).toBeLessThan(RESTART_MS);

    const file = sweepFile(folder, noopSweepText({ trials: 2, epochs: 1, epochMs: 1 }));
    process.env.TRAWL_STORE = server.url('trawl');
    onTestFinished(() => {
      delete process.env.TRAWL_STORE;
    });
    const { code, stderr } = await trawl('up', file, '--dir', join(folder, 'up'), '--slots', '1');
    expect(code, stderr).toBe(EXIT.rejected);
    expect(stderr).toContain(`the coordinator at ${a.address} leads this store: submit sweeps to it with --server`);
    expect(await a.role()).toBe('leads');
  },
);

const SWEEP = { trials: 60, epochs: 4, epochMs: 500 };

test.skipIf(isSkipped(postgresMissing()))(
  'running attempts continue across takeovers, clients follow the leader, and no trial runs twice',
  async () => {
    const { folder, server, nats, a, b, both } = await startPair();
    const agent = ['--server', both, '--nats', nats.url, '--slots', '4', '--dir', join(folder, 'agent'), '--no-auth'];
    await startDaemon(join(folder, 'agent.log'), 'agent', ...agent, '--id', 'agent', '--log-format', 'json');
    const file = sweepFile(folder, noopSweepText(SWEEP));
    // The first address is that of the standby, which answers with the address of the leader.
    const { sweep } = await trawlJson<{ sweep: string }>('submit', file, '--server', `${b.address},${a.address}`);
    const waiting = startTrawl('wait', sweep, '--server', both);
    const untilSucceeded = (count: number) =>
      until(`${count} trials have succeeded`, async () => {
        const counts = await withConnection({ server: both }, async (connection) => {
          return (await getSweep(connection, sweep)).sweep.counts;
        });
        return (counts?.succeeded ?? 0) >= count;
      });
    await untilSucceeded(8);
    expect(await a.daemon.stop()).toBe(EXIT.done);
    await untilSucceeded(20);
    await a.start('stands by');
    await b.daemon.killNow();
    await untilSucceeded(32);
    await b.start('stands by');
    process.kill(a.daemon.pid, 'SIGSTOP');
    await untilSucceeded(44);
    process.kill(a.daemon.pid, 'SIGCONT');
    expect(await a.daemon.exited).toBe(EXIT_NOT_LEADER);
    const { code, stderr } = await waiting.ended;
    expect(code, stderr).toBe(EXIT.done);
    await b.daemon.stop();
    const stored = await readPostgres(server, 'trawl');
    expectExactlyOnce(stored, {
      ...SWEEP,
      lossAt: (parameters, epoch) => noopLoss(parameters as Parameters) * (0.5 + 0.5 / epoch),
    });
    expect(stored.attempts.filter(({ outcome }) => outcome !== 'succeeded')).toEqual([]);
  },
);
