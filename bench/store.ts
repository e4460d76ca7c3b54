/**
 * Measures how many reports per second a store commits durably, for SQLite and for a PostgreSQL server on the same
 * machine. Each report inserts its own row and the row of its event, and updates its trial. The reports are committed
 * through the journal, which is how the coordinator commits the reports of agents.
 *
 *   npm run bench:store -- [--seconds 10] [--attempts 200] [--batch 10]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Change } from '../coordinator/core/step.ts';
import { Journal } from '../coordinator/store/journal.ts';
import { SqliteStore } from '../coordinator/store/sqlite-store.ts';
import type { Store } from '../coordinator/store/store.ts';
import { openAsLeader } from '../test/support/coordinator/postgres-leader.ts';
import { addSweep, byNobody, GRANTED } from '../test/support/coordinator/store-writer.ts';
import { PostgresServer, postgresMissing } from '../test/support/postgres-server.ts';
import { descendantsOf } from '../test/support/processes.ts';
import { cpuSeconds } from './process-figures.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    attempts: { type: 'string', default: '200' },
    batch: { type: 'string', default: '10' },
  },
});
const [seconds, attempts, batch] = [Number(values.seconds), Number(values.attempts), Number(values.batch)];
const METRICS = ['train_loss', 'train_total_loss', 'last_batch_loss', 'test_loss', 'psnr', 'psnr_peak1', 'psnr_input'];

const keyOf = (attempt: number) => ({ sweepId: '1', trialId: `t${attempt}`, attempt: 1 });

function report(attempt: number, seq: number): Change {
  const metrics = Object.fromEntries(METRICS.map((name, at) => [name, (at + 1) / seq]));
  return { kind: 'report', key: keyOf(attempt), seq, at: Date.now(), epoch: seq, metrics };
}

/**
 * Measures a store. Every attempt commits a batch of reports as soon as the previous batch of the attempt is durable.
 * @param serverCpu returns the CPU time of the database's own processes in seconds
 */
async function measure(name: string, store: Store, serverCpu: () => number): Promise<void> {
  await addSweep(store, attempts);
  const granted = Array.from({ length: attempts }, (_, at): Change => ({ ...GRANTED, key: keyOf(at) }));
  await store.write(byNobody(granted), Date.now());
  const journal = new Journal(store, Date.now);
  let rows = 0;
  let transactions = 0;
  let writing = 0;
  const cpu = process.cpuUsage();
  const cpuOfServer = serverCpu();
  const begun = performance.now();
  journal.onCommit(({ changes, seconds: took }) => {
    rows += changes.length;
    transactions += 1;
    writing += took;
  });
  await Promise.all(
    granted.map(async (_, attempt) => {
      for (let seq = 1; performance.now() - begun < seconds * 1_000; seq += batch) {
        await journal.commit(Array.from({ length: batch }, (__, at) => report(attempt, seq + at)));
      }
    }),
  );
  const took = (performance.now() - begun) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const usedByServer = serverCpu() - cpuOfServer;
  const perReport = (used: number) => `${((1e6 * used) / rows).toFixed(0)} us`;
  const stored = await store.reader.get<{ n: number }>('select count(*) as n from reports');
  if (stored?.n !== rows) throw new Error(`${name}: ${stored?.n} reports are stored instead of ${rows}`);
  const cells = [
    `${Math.round(rows / took)}`.padStart(10),
    `${Math.round(transactions / took)}`.padStart(15),
    `${((1_000 * writing) / transactions).toFixed(1)} ms`.padStart(17),
    perReport((user + system) / 1e6).padStart(20),
    perReport(usedByServer).padStart(15),
  ];
  console.log(`${name.padEnd(18)}${cells.join('')}`);
}

const missing = postgresMissing();
if (missing !== undefined) throw new Error(missing);
const folder = mkdtempSync(join(tmpdir(), 'trawl-bench-store-'));
const server = await PostgresServer.start({ fsync: true });
try {
  const [version] = await server.query('postgres', "select current_setting('server_version') as version");
  console.log(
    `machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
  );
  console.log(
    `${attempts} attempts, ${batch} reports of ${METRICS.length} metrics per message, ${seconds} s per store\n`,
  );
  console.log('store              reports/s transactions/s  one transaction   CPU of a report  of the server');
  const sqlite = SqliteStore.open(mkdtempSync(join(folder, 'sqlite-')));
  await measure('SQLite', sqlite, () => 0);
  await sqlite.close();
  const url = await server.createDatabase('trawl');
  const postgres = await openAsLeader(url, mkdtempSync(join(folder, 'coordinator-')));
  await measure(`PostgreSQL ${`${version?.version}`.split(' ')[0]}`, postgres, () =>
    descendantsOf(server.pid).reduce((sum, pid) => sum + cpuSeconds(pid), cpuSeconds(server.pid)),
  );
  await postgres.close();
} finally {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
}
