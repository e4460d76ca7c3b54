/** Elects a leader among the coordinators of a store, and renews its leadership until another coordinator leads. */
import { randomUUID } from 'node:crypto';
import { hostname, uptime } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { hasEnded, processIdentity } from '../../lib/files/process-identity.ts';
import { within } from '../../lib/net/within.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { NotLeaderError, RejectedError, UnreachableError } from '../../proto/errors.ts';
import {
  afterRenewal,
  isCertain,
  isHeld,
  isStale,
  type Leadership,
  newRenewals,
  RENEW_RETRY_MS,
  type Renewals,
  type SeenLeadership,
  seenAfter,
  type Term,
  untilAttempt,
  untilRenewal,
} from './leadership.ts';

/**
 * Reads and writes the leadership in a store. Each method throws an UnreachableError if the store does not answer in
 * time.
 */
export interface Election {
  /**
   * Tries to become the leader. Succeeds if no other coordinator leads.
   * @param holder identifies this process
   * @param address HOST:PORT of this coordinator
   * @param over a leadership that this process may replace: it has ended, although it has not expired
   * @returns the leadership after the attempt, whose holder is this process or the process that still leads
   */
  tryToLead(holder: string, address: string, over?: EndedLeadership): Promise<Leadership>;
  /** @returns false if the term has ended */
  renew(term: Term, address: string): Promise<boolean>;
  /** Ends a term, so that another coordinator can lead at once. */
  release(term: Term): Promise<void>;
  close(): Promise<void>;
}

/** A leadership that has ended, although it has not expired on the clock of the store. */
export interface EndedLeadership {
  /** The holder. Set if the process of the holder has ended. */
  readonly holder?: string;
  /** The recorded time of the expiry. Set if the leadership has not been renewed for longer than its duration. */
  readonly expiresAt?: string;
}

/** A term of this process, and the time at which this process requested the leadership. */
export interface Elected {
  readonly term: Term;
  readonly sentAt: number;
  /** HOST:PORT of the previous leader; undefined if no other process led when this process tried to lead. */
  readonly previous?: string | undefined;
}

/** A process that tries to lead. */
export interface Candidacy {
  readonly election: Election;
  /** A text from `newHolder`. */
  readonly holder: string;
  /** HOST:PORT that is published while the process leads; empty for a process that answers no calls. */
  readonly address: string;
  /** Default: `clock` */
  readonly clock?: () => number;
}

interface CandidateOptions extends Candidacy {
  readonly signal: AbortSignal;
  /** Called after each attempt to lead that fails because another coordinator leads. */
  readonly onStandby: (leadership: Leadership) => void;
  /** @param problem the reason why the store does not answer; undefined once it answers */
  readonly onProblem: (problem: string | undefined) => void;
}

const startedAt = { performance: performance.now(), uptime: uptime() };

/**
 * Returns the time since the start of the process in milliseconds, from a clock that never jumps back and continues
 * while the machine sleeps.
 */
function clock(): number {
  return Math.max(performance.now() - startedAt.performance, (uptime() - startedAt.uptime) * 1_000);
}

/** Returns a text that identifies this process as the holder of a leadership. Each call returns a different text. */
export function newHolder(): string {
  return [hostname(), processIdentity(), randomUUID()].join('/');
}

/**
 * Leads if no other process leads, or if the leading process ran on this machine and has ended.
 * @returns the leadership of the other process if this one does not lead
 * @throws {RejectedError | UnreachableError} if the store cannot be used, or does not answer
 */
export async function tryOnce({ election, holder, address, clock: time = clock }: Candidacy) {
  const sentAt = time();
  let leadership = await election.tryToLead(holder, address);
  // If the leading process was killed, its leadership may not have expired yet.
  if (hasHolderEnded(leadership)) leadership = await election.tryToLead(holder, address, { holder: leadership.holder });
  return leadership.holder === holder ? electedAt(sentAt, leadership) : leadership;
}

/** Whether the leading process ran on this machine and has ended. */
function hasHolderEnded({ holder }: Leadership): boolean {
  const [, leading = ''] = holder.split('/');
  return hasEnded(leading);
}

function electedAt(sentAt: number, { epoch, holder }: Term, previous?: string): Elected {
  return { term: { epoch, holder }, sentAt, previous };
}

/**
 * Tries to become the leader until an attempt succeeds. The attempts continue while the store does not answer.
 * @returns undefined if the signal ended the attempts
 * @throws {RejectedError} if the store cannot be used
 */
export async function untilElected(options: CandidateOptions): Promise<Elected | undefined> {
  const { election, holder, address, signal, onStandby, onProblem, clock: time = clock } = options;
  let previous: string | undefined;
  let seen: SeenLeadership | undefined;
  while (!signal.aborted) {
    let delayMs = RENEW_RETRY_MS;
    try {
      const sentAt = time();
      const over = seen !== undefined && isStale(seen, sentAt) ? { expiresAt: seen.leadership.expiresAt } : {};
      const leadership = await election.tryToLead(holder, address, over);
      seen = seenAfter(seen, leadership, time());
      onProblem(undefined);
      if (leadership.holder === holder) return electedAt(sentAt, leadership, previous);
      previous = leadership.address;
      onStandby(leadership);
      delayMs = untilAttempt(leadership);
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      onProblem(error.message);
    }
    await sleep(delayMs, undefined, { signal }).catch(() => {});
  }
  return undefined;
}

/**
 * Becomes the leader. If another process led and has died, this may take until the leadership of that process expires.
 * @param rejection returns the error to throw if another process renews its leadership
 * @throws {UnreachableError} if the store does not answer
 */
export async function electedAlone(
  candidacy: Candidacy,
  rejection: (leadership: Leadership) => RejectedError = otherLeads,
): Promise<Elected> {
  const first = await tryOnce(candidacy);
  if ('term' in first) return first;
  const stopping = new AbortController();
  let seen = first;
  let failure: Error | undefined;
  const fail = (error: Error) => {
    failure ??= error;
    stopping.abort();
  };
  const elected = await untilElected({
    ...candidacy,
    signal: stopping.signal,
    onStandby(leadership) {
      if (isHeld(seen, leadership)) fail(rejection(leadership));
      seen = leadership;
    },
    onProblem: (problem) => problem !== undefined && fail(new UnreachableError(problem)),
  });
  if (elected === undefined) throw failure;
  return elected;
}

/**
 * Finds out whether a process leads, for a caller that does not try to lead. Uses the rules of a standby, so a dead
 * leader is detected even if the clock of the store was set back.
 * @param read reads the leadership in the store
 * @returns the leadership of the leading process, once that process has renewed the leadership; undefined if no process
 * leads. After the death of a leader, the answer takes up to LEADERSHIP_MS, or up to two seconds longer if the clock of
 * the store was set back
 */
export async function leaderThatRuns(
  read: () => Promise<Leadership>,
  time: () => number = clock,
): Promise<Leadership | undefined> {
  let seen: SeenLeadership | undefined;
  while (true) {
    const sentAt = time();
    const leadership = await read();
    if (leadership.holder === '' || leadership.remainingMs <= 0 || hasHolderEnded(leadership)) return undefined;
    if (seen !== undefined && isHeld(seen.leadership, leadership)) return leadership;
    if (seen !== undefined && isStale(seen, sentAt)) return undefined;
    seen = seenAfter(seen, leadership, time());
    await sleep(untilAttempt(leadership));
  }
}

function otherLeads({ address }: Leadership): RejectedError {
  return new RejectedError(
    `the coordinator at ${address} leads this store: submit sweeps to it with --server ${address}, stop it, or use ` +
      'another database (--store, TRAWL_STORE)',
  );
}

const RELEASE_LIMIT_MS = 2_000;

export interface LeaderOptions {
  readonly election: Election;
  readonly elected: Elected;
  /** HOST:PORT at which clients reach this coordinator. */
  readonly address: string;
  /** Called once another coordinator leads. The process must then end. */
  readonly onLost: (error: NotLeaderError) => void;
  readonly log: Logger;
  /** Default: `clock` */
  readonly clock?: () => number;
}

/** Renews the leadership of this process. */
export class Leader {
  readonly term: Term;
  /** HOST:PORT of the other coordinator from which this one took over, if there was one. */
  readonly previous: string | undefined;
  readonly #options: LeaderOptions;
  readonly #time: () => number;
  #address: string;
  #renewals: Renewals;
  #timer: NodeJS.Timeout | undefined;
  #renewing: Promise<void> | undefined;
  #isPaused = false;
  #onPause = () => {};
  #stopped = false;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#time = options.clock ?? clock;
    const { elected, address } = options;
    this.term = elected.term;
    this.previous = elected.previous === address ? undefined : elected.previous;
    this.#address = address;
    this.#renewals = newRenewals(options.elected.sentAt);
    this.#schedule();
  }

  /**
   * Whether it is certain that the leadership has not expired. If it is not certain, this coordinator must not answer
   * calls.
   */
  get isCertain(): boolean {
    return isCertain(this.#renewals, this.#time());
  }

  /** Calls `listener` each time the leadership may have expired, so that the listener can end the calls in progress. */
  whenPaused(listener: () => void): void {
    this.#onPause = listener;
  }

  /** Publishes a new address of this coordinator. */
  moveTo(address: string): void {
    if (address === this.#address) return;
    this.#address = address;
    this.check();
  }

  /** Renews the leadership now, for example because a caller knows of a newer leader. */
  check(): void {
    clearTimeout(this.#timer);
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
      this.#schedule();
    });
  }

  /** Ends the term, so that a standby leads at once. All writes of the term must have ended before this call. */
  async release(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    const { election, log } = this.#options;
    const late = new UnreachableError('the store does not answer');
    await within(RELEASE_LIMIT_MS, late, election.release(this.term)).catch((error: unknown) =>
      log.warn({ reason: errorMessage(error) }, 'could not release the leadership; it expires by itself'),
    );
    void election.close();
  }

  #schedule(): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.check(), untilRenewal(this.#renewals, this.#time()));
  }

  async #renew(): Promise<void> {
    const { election, log, onLost } = this.#options;
    const sentAt = this.#time();
    this.#pauseIfUncertain();
    try {
      const isRenewed = await election.renew(this.term, this.#address);
      if (this.#stopped) return;
      if (!isRenewed) {
        this.#stopped = true;
        return onLost(new NotLeaderError('another coordinator leads'));
      }
      this.#renewals = afterRenewal(this.#renewals, sentAt, true);
      if (this.#isPaused) log.info('the leadership is renewed; this coordinator answers calls again');
      this.#isPaused = false;
    } catch (error) {
      this.#renewals = afterRenewal(this.#renewals, sentAt, false);
      if (!this.#stopped) log.warn({ reason: errorMessage(error) }, 'could not renew the leadership; retrying');
      this.#pauseIfUncertain();
    }
  }

  #pauseIfUncertain(): void {
    if (this.isCertain || this.#isPaused || this.#stopped) return;
    this.#isPaused = true;
    this.#options.log.warn('the leadership may have expired; this coordinator answers no calls until it is renewed');
    this.#onPause();
  }
}
