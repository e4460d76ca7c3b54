/**
 * Reads the reports of a trial in pages, so that the memory that is needed does not grow with the number of reports.
 */
import { mergedBySteps } from '../../lib/domain/metric-values.ts';
import type { Attempt, Report } from '../../proto/gen/trawl/v1/types.ts';
import { curveBounds } from '../analysis/curve.ts';
import type { ReportPosition } from './attempt-queries.ts';
import type { Queries } from './queries.ts';

/**
 * The maximum number of report positions per query. The number is large, because each query scans all reports of the
 * attempts.
 */
const PLACES_PER_READ = 50_000;
/** The limits of a query for reports: their number, and the total size of their metrics. */
const REPORTS_PER_READ = 500;
const BYTES_PER_READ = 256 * 1024;

const FIRST: ReportPosition = { epoch: Number.NEGATIVE_INFINITY, attempt: 0, seq: 0 };

/** The page sizes. Production uses the defaults. */
export interface PageSizes {
  readonly placesPerRead?: number;
  readonly reportsPerRead?: number;
}

/**
 * Yields the reports of a trial in order of attempt and step. The reports of an attempt for one step are merged. The
 * reports of hidden attempts are omitted (see `Attempt` in types.proto).
 */
export async function* trialReports(
  queries: Queries,
  sweepId: string,
  trialId: string,
  sizes: PageSizes = {},
): AsyncGenerator<Report, void, void> {
  for (const attempt of await shownAttempts(queries, sweepId, trialId)) {
    yield* mergedBySteps(reportsInOrder(queries, sweepId, trialId, [attempt.number], sizes));
  }
}

/**
 * Yields the curve of a trial: one report per epoch, in order. An attempt that resumed from a checkpoint continues the
 * curve from the checkpoint. An attempt that started from scratch replaces the curve.
 */
export async function* trialCurve(
  queries: Queries,
  sweepId: string,
  trialId: string,
  sizes: PageSizes = {},
): AsyncGenerator<Report, void, void> {
  const reported: Attempt[] = [];
  for (const attempt of await shownAttempts(queries, sweepId, trialId)) {
    const first = { attempts: [attempt.number], after: FIRST, limit: 1 };
    const places = await queries.attempts.reportPlaces(sweepId, trialId, first);
    if (places.length > 0) reported.push(attempt);
  }
  const bounds = curveBounds(reported);
  let point: Report | undefined;
  const numbers = reported.map(({ number }) => number);
  for await (const report of mergedBySteps(reportsInOrder(queries, sweepId, trialId, numbers, sizes))) {
    if (report.epoch > (bounds.get(report.attempt) ?? Number.NEGATIVE_INFINITY)) continue;
    if (point !== undefined && point.epoch !== report.epoch) yield point;
    point = report;
  }
  if (point !== undefined) yield point;
}

async function shownAttempts(queries: Queries, sweepId: string, trialId: string): Promise<Attempt[]> {
  return (await queries.attempts.all(sweepId, trialId)).filter(({ hidden }) => !hidden);
}

/** Yields the reports of the attempts in order of step, attempt and arrival. */
async function* reportsInOrder(
  queries: Queries,
  sweepId: string,
  trialId: string,
  attempts: readonly number[],
  { placesPerRead = PLACES_PER_READ, reportsPerRead = REPORTS_PER_READ }: PageSizes,
): AsyncGenerator<Report, void, void> {
  let after = FIRST;
  while (true) {
    const places = packed(
      await queries.attempts.reportPlaces(sweepId, trialId, { attempts, after, limit: placesPerRead }),
    );
    for (let at = 0; at < places.length; ) {
      const begin = at;
      for (let bytes = 0; at < places.length && at - begin < reportsPerRead && bytes < BYTES_PER_READ; at++) {
        bytes += places.bytes[at] ?? 0;
      }
      const page = Array.from({ length: at - begin }, (_, offset) => ({
        attempt: places.attempts[begin + offset] ?? 0,
        seq: places.seqs[begin + offset] ?? 0,
      }));
      yield* await queries.attempts.reportsAt(sweepId, trialId, page);
    }
    if (places.length < placesPerRead || places.last === undefined) return;
    after = places.last;
  }
}

/**
 * Converts positions to compact arrays of numbers. The positions stay in memory until all of their reports have been
 * read, which can take long if the client is slow.
 */
function packed(places: Awaited<ReturnType<Queries['attempts']['reportPlaces']>>) {
  return {
    length: places.length,
    last: places.at(-1),
    attempts: Uint32Array.from(places, ({ attempt }) => attempt),
    seqs: Float64Array.from(places, ({ seq }) => seq),
    bytes: Uint32Array.from(places, ({ bytes }) => bytes),
  };
}
