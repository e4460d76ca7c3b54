import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { group } from 'd3-array';
import fc from 'fast-check';
import type { Database } from 'libsql';
import { beforeAll, expect, test } from 'vitest';
import { collected } from '../../test/support/collected.ts';
import { openStore } from './open.ts';
import { Queries } from './queries.ts';
import { SqliteReader } from './reader.ts';
import { trialCurve, trialReports } from './report-stream.ts';

let db: Database;
let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-reports-'));
  db = openStore(dir);
  return () => rmSync(dir, { recursive: true, force: true });
});

interface StoredAttempt {
  readonly resumedFrom: number;
  readonly hidden: boolean;
  readonly reports: readonly { readonly epoch: number; readonly metrics: Readonly<Record<string, number>> }[];
}

let trials = 0;

function store(attempts: readonly StoredAttempt[]): string {
  const trialId = `t${++trials}`;
  const addAttempt = db.prepare(
    `insert into attempts (sweep_id, trial_id, number, agent_id, incarnation, slot, backend, granted_at, resumed_from,
       speculative) values (1, ?, ?, 'a', 'i', 0, '', 0, ?, ?)`,
  );
  const addReport = db.prepare('insert into reports values (1, ?, ?, ?, ?, ?, ?)');
  db.transaction(() => {
    attempts.forEach(({ resumedFrom, hidden, reports }, at) => {
      addAttempt.run(trialId, at + 1, resumedFrom, hidden ? 1 : 0);
      reports.forEach(({ epoch, metrics }, seq) => {
        addReport.run(trialId, at + 1, seq + 1, seq, epoch, JSON.stringify(metrics));
      });
    });
  })();
  return trialId;
}

interface Expected {
  readonly attempt: number;
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** Returns the reports that `trialReports` should return: in order of attempt and step, with one report per step. */
function expectedReports(attempts: readonly StoredAttempt[]): Expected[] {
  return attempts.flatMap(({ hidden, reports }, at) => {
    const steps = group(hidden ? [] : reports, ({ epoch }) => epoch);
    return [...steps]
      .sort(([a], [b]) => a - b)
      .map(([epoch, same]) => {
        return { attempt: at + 1, epoch, metrics: Object.assign({}, ...same.map(({ metrics }) => metrics)) };
      });
  });
}

function expectedCurve(attempts: readonly StoredAttempt[]): Expected[] {
  const curve = new Map<number, Expected>();
  let attempt = 0;
  for (const report of expectedReports(attempts)) {
    if (report.attempt !== attempt) {
      attempt = report.attempt;
      const kept = attempts[attempt - 1]?.resumedFrom ?? 0;
      for (const epoch of curve.keys()) if (epoch > kept) curve.delete(epoch);
    }
    curve.set(report.epoch, report);
  }
  return [...curve.values()].sort((a, b) => a.epoch - b.epoch);
}

const anyAttempt = fc.record({
  resumedFrom: fc.nat(6),
  hidden: fc.boolean(),
  reports: fc.array(
    fc.record({
      epoch: fc.constantFrom(0, 0.5, 1, 2, 3, 4, 5, 6),
      metrics: fc.dictionary(fc.constantFrom('loss', 'psnr', 'constructor'), fc.integer({ min: 0, max: 9 })),
    }),
    { maxLength: 12 },
  ),
});

test('with pages of any size, the reports are read in order of attempt and step, and the curve is correct', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyAttempt, { maxLength: 4 }), fc.integer({ min: 1, max: 6 }), async (attempts, size) => {
      const queries = new Queries(new SqliteReader(db));
      const trialId = store(attempts);
      const sizes = { placesPerRead: size, reportsPerRead: 2 };
      const plain = ({ attempt, epoch, metrics }: Expected) => ({ attempt, epoch, metrics: { ...metrics } });
      expect((await collected(trialReports(queries, '1', trialId, sizes))).map(plain)).toEqual(
        expectedReports(attempts),
      );
      expect((await collected(trialCurve(queries, '1', trialId, sizes))).map(plain)).toEqual(expectedCurve(attempts));
    }),
    { numRuns: 60 },
  );
});

test('an attempt that started from scratch replaces the curve, and an attempt that resumed continues the curve', async () => {
  const reports = [1, 2, 3, 4].map((epoch) => ({ epoch, metrics: {} }));
  const scratch = { resumedFrom: 0, hidden: false, reports: reports.slice(0, 2) };
  const resumed = { resumedFrom: 2, hidden: false, reports: reports.slice(2) };
  const curve = async (...attempts: StoredAttempt[]) =>
    (await collected(trialCurve(new Queries(new SqliteReader(db)), '1', store(attempts)))).map(({ attempt, epoch }) => [
      attempt,
      epoch,
    ]);
  expect(await curve({ ...scratch, reports }, scratch)).toEqual([
    [2, 1],
    [2, 2],
  ]);
  expect(await curve({ ...scratch, reports: reports.slice(0, 3) }, resumed)).toEqual([
    [1, 1],
    [1, 2],
    [2, 3],
    [2, 4],
  ]);
});

test('reports are read from the store only when they are requested, so a report that is stored before then is included', async () => {
  const trialId = store([{ resumedFrom: 0, hidden: false, reports: [{ epoch: 1, metrics: { loss: 1 } }] }]);
  const reports = trialReports(new Queries(new SqliteReader(db)), '1', trialId, { placesPerRead: 1 });
  db.prepare('insert into reports values (1, ?, 1, 2, 0, 2, ?)').run(trialId, '{"loss":2}');
  expect((await collected(reports)).map(({ epoch }) => epoch)).toEqual([1, 2]);
});
