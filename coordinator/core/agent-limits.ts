/**
 * Limits what one agent can hold and write. An agent that exceeds a limit is faulty or hostile, because a correct agent
 * stays below every limit.
 */
import { formatSize } from '../../lib/text/size.ts';
import type { Core, Lease } from './model.ts';

/**
 * The maximum number of attempts, or packs, that hold leases for one slot. An agent can claim the next attempt before
 * the end of the running attempt is stored.
 */
export const MAX_LEASES_PER_SLOT = 2;

/** The maximum size of an attempt's log, in characters. A correct agent sends about a million. */
export const MAX_ATTEMPT_LOG_CHARACTERS = 4_000_000;

/** The maximum size of an attempt's reports, in characters of JSON. */
export const MAX_ATTEMPT_REPORT_CHARACTERS = 2 ** 30;

/** Whether the slot already holds as many leases as it can. */
export function isSlotFull(core: Core, { agentId, slot }: Pick<Lease, 'agentId' | 'slot'>): boolean {
  if ((core.slotsInUse.get(agentId)?.get(slot) ?? 0) < MAX_LEASES_PER_SLOT) return false;
  const packs = new Set<string>();
  for (const lease of core.leases.values()) {
    if (lease.agentId === agentId && lease.slot === slot) packs.add(lease.pack);
  }
  return packs.size >= MAX_LEASES_PER_SLOT;
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

/** The punctuation and the digits of a metric's value. */
const CHARACTERS_PER_VALUE = 20;

/**
 * Counts a report of an attempt.
 * @returns the reason why the attempt must end; undefined if its reports are within the limit
 */
export function countReport({ received }: Pick<Lease, 'received'>, metrics: object): string | undefined {
  for (const name of Object.keys(metrics)) received.reportCharacters += name.length + CHARACTERS_PER_VALUE;
  if (received.reportCharacters <= MAX_ATTEMPT_REPORT_CHARACTERS) return undefined;
  return `the reports of the attempt exceed ${formatSize(MAX_ATTEMPT_REPORT_CHARACTERS)}`;
}
