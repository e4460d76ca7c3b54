/**
 * How sweeps of one priority share the slots: start-time fair queuing over slot-time (P. Goyal, H. M. Vin, H. Cheng:
 * "Start-time Fair Queuing", SIGCOMM 1996), with as many in service at once as there are slots (SFQ(D): W. Jin, J. S.
 * Chase, J. Kaur: "Interposed Proportional Sharing for a Storage Service Utility", SIGMETRICS 2004).
 *
 * A sweep's **level** is the slot-time that it has had, divided by its weight. Its **tag** is what the level will be when
 * all that it has been given is over; the next offer is of the sweep with the least. How long an attempt takes is not
 * known before: what the sweep's attempts have taken on average stands for it. A pack is one slot's time. Nothing of this
 * is stored: after a restart everybody begins with what runs.
 */
import type { Lease, Sweep } from './model.ts';

/** What an attempt is thought to take before any has ended. */
const FIRST_GUESS_MS = 60_000;
/** How much the newest attempt counts in the average. */
const NEWEST = 0.25;

export interface Share {
  /** Level at which it joined those that it shares with, less what it had had by then. */
  base: number;
  /** Slot-milliseconds of stays that are over. */
  doneMs: number;
  /** Stays that are not over, and the sum of when they began. */
  stays: number;
  sinceSum: number;
  /** What a stay has taken on average; undefined: none is over. */
  meanMs: number | undefined;
  /** Whether something of it waited at the last pass that a slot could have run. */
  waits: boolean;
}

/** One slot's time with one attempt, or with a pack. */
export interface Stay {
  readonly since: number;
  /** Leases that have not ended. */
  leases: number;
}

/** What a stay takes on average, of whichever sweep. */
export interface Guess {
  /** Undefined: none is over. */
  meanMs: number | undefined;
}

export function newShare(): Share {
  return { base: 0, doneMs: 0, stays: 0, sinceSum: 0, meanMs: undefined, waits: false };
}

/** A slot begins with the sweep's attempt. */
export function beginStay({ share }: Sweep, now: number): Stay {
  share.stays += 1;
  share.sinceSum += now;
  return { since: now, leases: 1 };
}

/** A lease has ended, and the slot's time with it when it was the last. */
export function endStay(guess: Guess, { share }: Sweep, { stay }: Lease, now: number): void {
  stay.leases -= 1;
  if (stay.leases > 0) return;
  const tookMs = Math.max(0, now - stay.since);
  share.stays -= 1;
  share.sinceSum -= stay.since;
  share.doneMs += tookMs;
  share.meanMs = share.meanMs === undefined ? tookMs : share.meanMs + NEWEST * (tookMs - share.meanMs);
  guess.meanMs = guess.meanMs === undefined ? tookMs : guess.meanMs + NEWEST * (tookMs - guess.meanMs);
}

export function levelOf({ share, policy }: Sweep, now: number): number {
  return share.base + (share.doneMs + goneBy(share, now)) / policy.weight;
}

export function tagOf({ meanMs }: Guess, { share, policy, offers }: Sweep, now: number): number {
  const eachMs = share.meanMs ?? meanMs ?? FIRST_GUESS_MS;
  const givenMs = Math.max(share.stays * eachMs, goneBy(share, now)) + offers.size * eachMs;
  return share.base + (share.doneMs + givenMs) / policy.weight;
}

/** Slot-milliseconds of the stays that are not over. */
function goneBy({ stays, sinceSum }: Share, now: number): number {
  return Math.max(0, stays * now - sinceSum);
}

/** Raises the sweep to a level that it is not below. */
export function raiseTo(sweep: Sweep, level: number, now: number): void {
  sweep.share.base += Math.max(0, level - levelOf(sweep, now));
}

/** What it has had beside sweeps of another priority means nothing to the new ones: it joins them like one that comes. */
export function leaveOthers(sweep: Sweep, now: number): void {
  sweep.share.base -= levelOf(sweep, now);
  sweep.share.waits = false;
}
