/**
 * Limits the leases that one agent can hold and the records that it can send. An agent that exceeds a limit is faulty
 * or hostile, because a correct agent stays within every limit.
 */
import { formatSize } from '../../lib/text/size.ts';
import { MAX_ATTEMPT_METRIC_CHARACTERS, MAX_ATTEMPT_METRICS } from '../../proto/limits.ts';
import type { Agent } from './agent-model.ts';
import type { Lease, ReceivedAmounts } from './attempt-model.ts';
import type { Core } from './model.ts';

/**
 * The maximum number of leases that one slot holds at a time, not counting the additional leases that prefetch.ts
 * allows. All leases of a pack count as one lease. A slot needs two leases, because its agent can claim the next
 * attempt before the coordinator has stored the end of the previous one.
 */
export const MAX_LEASES_PER_SLOT = 2;

/**
 * The maximum size of an attempt's log, in characters. A correct agent sends at most about a million characters per
 * attempt.
 */
export const MAX_ATTEMPT_LOG_CHARACTERS = 4_000_000;

/**
 * The maximum size of an attempt's reports, in characters of JSON. Readers get the reports in pages, but the store must
 * sort all steps of the attempt to find a page. At the limit, the sort takes about half a second.
 */
export const MAX_ATTEMPT_REPORT_CHARACTERS = 2 ** 28;

/**
 * The maximum number of different metrics in the reports of an attempt. The stored row of a trial has a value for each
 * metric. A correct agent reports at most half as many metrics.
 */
export const MAX_REPORTED_METRICS = 2 * MAX_ATTEMPT_METRICS;
/** The maximum total length of the different metric names in the reports of an attempt, in characters. */
export const MAX_REPORTED_METRIC_CHARACTERS = 2 * MAX_ATTEMPT_METRIC_CHARACTERS;

/**
 * The maximum number of program records of an attempt. A correct agent sends two such records: one at the start of the
 * program, and one with its list of packages.
 */
export const MAX_ATTEMPT_PROGRAMS = 10;

export function nothingReceived(): ReceivedAmounts {
  return { logCharacters: 0, reportCharacters: 0, metrics: new Set(), metricCharacters: 0, programs: 0 };
}

/** How many records of an attempt the store has, and how large they are. */
export interface StoredRecords {
  readonly logCharacters: number;
  readonly reports: number;
  /** The size of the metrics of all reports, in characters of JSON. */
  readonly metricCharacters: number;
  readonly metrics: Iterable<string>;
  /** Whether the newest program record has a list of packages; `none` if there is no program record. */
  readonly program: 'with packages' | 'without packages' | 'none';
}

/**
 * Returns how much data of an attempt the coordinator received before it restarted. The store keeps only the newest
 * program record of an attempt, so the number of program records is not known. If the store has a program record of the
 * attempt, `programs` is therefore set so that the agent can send only as many further program records as a correct
 * agent sends: none after a record with a list of packages, and one after a record without this list.
 */
export function receivedBefore(stored: StoredRecords): ReceivedAmounts {
  const programsLeft = { 'with packages': 0, 'without packages': 1, none: MAX_ATTEMPT_PROGRAMS }[stored.program];
  const metrics = new Set(stored.metrics);
  return {
    logCharacters: stored.logCharacters,
    reportCharacters: stored.reports * CHARACTERS_PER_REPORT + stored.metricCharacters,
    metrics,
    metricCharacters: [...metrics].reduce((sum, name) => sum + name.length, 0),
    programs: MAX_ATTEMPT_PROGRAMS - programsLeft,
  };
}

/** Whether the slot of an agent already holds the maximum number of leases. */
export function isSlotFull(core: Core, { id, pools }: Pick<Agent, 'id' | 'pools'>, slot: number): boolean {
  return (core.slotsInUse.get(id)?.get(slot)?.length ?? 0) >= MAX_LEASES_PER_SLOT + prefetchOf(core, pools[slot]);
}

/**
 * Whether the slot of an agent holds a lease. Such a slot receives no speculative attempt. The attempt would be queued,
 * and the agent could return it before it runs. The trial would then get no other speculative attempt, because each
 * trial gets at most one.
 */
export function isSlotInUse(core: Core, { id }: Pick<Agent, 'id'>, slot: number): boolean {
  return core.slotsInUse.get(id)?.has(slot) === true;
}

/** Returns the number of attempts or packs that a slot of the pool may hold in addition to the one that it runs. */
export function prefetchOf(core: Core, pool: string | undefined): number {
  return core.prefetch.get(pool ?? '') ?? 0;
}

/**
 * Counts log text of an attempt.
 * @returns the reason why the attempt must end; undefined if its log is within the limit
 */
export function countLog({ received }: Pick<Lease, 'received'>, text: string): string | undefined {
  received.logCharacters += text.length;
  if (received.logCharacters <= MAX_ATTEMPT_LOG_CHARACTERS) return undefined;
  return `the agent sent more than ${MAX_ATTEMPT_LOG_CHARACTERS} characters of log for one attempt`;
}

/**
 * The approximate number of characters that a report takes in addition to its metrics: for its keys, step, time and
 * event. With this size, MAX_ATTEMPT_REPORT_CHARACTERS allows at most about a million reports per attempt.
 */
const CHARACTERS_PER_REPORT = 256;

/**
 * Counts a report of an attempt.
 * @returns why the attempt must end; undefined if its reports are within the limits
 */
export function countReport({ received }: Pick<Lease, 'received'>, metrics: object): string | undefined {
  received.reportCharacters += CHARACTERS_PER_REPORT + JSON.stringify(metrics).length;
  for (const name of Object.keys(metrics)) {
    if (received.metrics.has(name)) continue;
    received.metrics.add(name);
    received.metricCharacters += name.length;
  }
  if (received.metrics.size > MAX_REPORTED_METRICS) {
    return `the reports of the attempt name more than ${MAX_REPORTED_METRICS} metrics`;
  }
  if (received.metricCharacters > MAX_REPORTED_METRIC_CHARACTERS) {
    return `the names of the metrics of the attempt have more than ${MAX_REPORTED_METRIC_CHARACTERS} characters`;
  }
  if (received.reportCharacters <= MAX_ATTEMPT_REPORT_CHARACTERS) return undefined;
  return `the reports of the attempt exceed ${formatSize(MAX_ATTEMPT_REPORT_CHARACTERS)}`;
}

/**
 * Counts a program record of an attempt.
 * @returns the reason why the attempt must end; undefined if the number of program records is within the limit
 */
export function countProgram({ received }: Pick<Lease, 'received'>): string | undefined {
  received.programs += 1;
  if (received.programs <= MAX_ATTEMPT_PROGRAMS) return undefined;
  return `the agent sent more than ${MAX_ATTEMPT_PROGRAMS} program records for one attempt`;
}
