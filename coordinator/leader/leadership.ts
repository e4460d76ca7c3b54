/**
 * Decides when a leader renews its leadership, when it pauses, and when a standby tries to lead.
 *
 * The store keeps one leadership. It has an epoch, which increases with each new leader, and it expires on the clock of
 * the store unless its holder renews it. Every transaction of a leader checks that no other coordinator has led since
 * this leader's term began. This check, and not the times in this file, protects the store. A leader stops answering
 * before its leadership can expire, because the leader measures the duration from the time at which it sent the last
 * successful renewal. The store measures the duration from the time at which it received this renewal, which is later.
 */

/** The time in milliseconds after which a leadership that is not renewed expires. */
export const LEADERSHIP_MS = 9_000;
export const RENEW_INTERVAL_MS = LEADERSHIP_MS / 3;
/** The delay in milliseconds before a failed renewal is retried. */
export const RENEW_RETRY_MS = 500;
/** The time between two attempts of a standby to lead. An attempt changes nothing while another coordinator leads. */
export const STANDBY_INTERVAL_MS = 500;
/**
 * A leader pauses this long before the expiry, because the speeds of its clock and of the store's clock may differ by
 * up to a tenth.
 */
const PAUSE_MARGIN_MS = LEADERSHIP_MS / 9;

/** Identifies the time during which one coordinator leads. */
export interface Term {
  /** Increases with each term. */
  readonly epoch: number;
  /** The process that leads. The text is different each time a process starts. */
  readonly holder: string;
}

/** The leadership in the store. */
export interface Leadership extends Term {
  /** HOST:PORT of the leader; empty if no coordinator has led yet. */
  readonly address: string;
  /** The time until the leadership expires, in milliseconds; negative after the expiry. */
  readonly remainingMs: number;
  /** The time of the expiry on the clock of the store, as a text. Each renewal changes it. */
  readonly expiresAt: string;
}

/**
 * A leadership that a process has read from the store. `since` is the time at which the process first saw the latest
 * renewal, on the clock of the process.
 */
export interface SeenLeadership {
  readonly leadership: Leadership;
  readonly since: number;
}

/** The renewals of a leader. Times are in milliseconds on a clock that never jumps back. */
export interface Renewals {
  /** The time at which the last successful renewal was sent. */
  readonly renewedAt: number;
  /** The time at which the last renewal was sent. */
  readonly triedAt: number;
}

/** @param sentAt the time at which the request for the leadership was sent */
export function newRenewals(sentAt: number): Renewals {
  return { renewedAt: sentAt, triedAt: sentAt };
}

/** Returns the state after a renewal that was sent at `sentAt`. */
export function afterRenewal({ renewedAt }: Renewals, sentAt: number, isRenewed: boolean): Renewals {
  return { renewedAt: isRenewed ? Math.max(renewedAt, sentAt) : renewedAt, triedAt: sentAt };
}

/** Returns the time in milliseconds until the next renewal is due. */
export function untilRenewal({ renewedAt, triedAt }: Renewals, now: number): number {
  const dueAt = triedAt > renewedAt ? triedAt + RENEW_RETRY_MS : renewedAt + RENEW_INTERVAL_MS;
  return Math.max(0, dueAt - now);
}

/**
 * Returns whether it is certain that the leadership has not expired. If it is not certain, the leader pauses: it
 * answers no calls until a renewal succeeds. If the renewal shows that another coordinator leads, the leader ends.
 */
export function isCertain({ renewedAt }: Renewals, now: number): boolean {
  return now < renewedAt + LEADERSHIP_MS - PAUSE_MARGIN_MS;
}

/** Returns the time in milliseconds until a standby tries to lead again. */
export function untilAttempt({ holder, remainingMs }: Pick<Leadership, 'holder' | 'remainingMs'>): number {
  if (holder === '') return 0;
  return Math.min(STANDBY_INTERVAL_MS, Math.max(0, remainingMs));
}

/** Returns whether the leadership was renewed, or won by a new leader, between two reads of it. */
export function isHeld(before: Leadership, after: Leadership): boolean {
  return after.epoch !== before.epoch || after.expiresAt !== before.expiresAt;
}

/**
 * Returns a leadership that was just read. If it has not been renewed since `before` was read, the time `since` does
 * not change.
 * @param now the time at which the leadership was read
 */
export function seenAfter(before: SeenLeadership | undefined, leadership: Leadership, now: number): SeenLeadership {
  const isSame = before !== undefined && !isHeld(before.leadership, leadership);
  return { leadership, since: isSame ? before.since : now };
}

/**
 * Returns whether a leadership has not been renewed for longer than its duration. It has then ended, even if it has not
 * expired on the clock of the store, for example because that clock was set back. The leader has paused by then.
 */
export function isStale({ since }: SeenLeadership, now: number): boolean {
  return now - since > LEADERSHIP_MS + PAUSE_MARGIN_MS;
}
