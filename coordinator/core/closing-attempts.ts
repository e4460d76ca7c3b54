/**
 * Accepts what a program still sends after a rule has stopped its trial: the end of its log, and the files that it
 * wrote before its exit. The result of the trial no longer changes. The stopped attempts are kept only in memory, so a
 * restart of the coordinator loses the files that are not uploaded yet.
 */
import { keyText } from '../../lib/domain/attempt-key.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { ClosingAttempt, Lease } from './attempt-model.ts';
import type { Core } from './model.ts';
import { type Output, type Step, stepOf } from './step.ts';

/**
 * A stopped attempt that sends nothing for this time, in milliseconds, is closed. The time is long, because the upload
 * of a large file takes minutes.
 */
export const CLOSING_MS = 10 * 60_000;

/** Lets an attempt send the rest of its log and its files. The lease of the attempt must have ended. */
export function startClosing(core: Core, lease: Lease, now: number): void {
  const { key, agentId, lastSeq, received } = lease;
  core.closing.set(keyText(key), { key, agentId, lastSeq, received, until: now + CLOSING_MS });
}

export function closingAttempt(core: Core, agentId: string, key: Lease['key']): ClosingAttempt | undefined {
  const attempt = core.closing.get(keyText(key));
  return attempt?.agentId === agentId ? attempt : undefined;
}

/** Returns the order to stop an attempt whose trial a rule has stopped. */
export function stopOrder({ agentId, key }: Pick<Lease, 'agentId' | 'key'>, message: string): Output {
  return { kind: 'revoke', agentId, key, refusal: { code: RefusalCode.STOPPED, message } };
}

/** Closes the attempts that have sent nothing for CLOSING_MS. */
export function closeSilent(core: Core, now: number): Step[] {
  return [...core.closing.values()].filter(({ until }) => now >= until).map((attempt) => closeAttempt(core, attempt));
}

/** Closes a stopped attempt. From then on, the attempt can send nothing more. */
export function closeAttempt(core: Core, { key }: ClosingAttempt): Step {
  core.closing.delete(keyText(key));
  return stepOf([], [{ kind: 'closed', key }]);
}
