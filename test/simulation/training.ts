/** What training comes to in the simulation: numbers that can be told from any other trial's, epoch's or attempt's. */
import { createHash } from 'node:crypto';

/** The loss of a trial at an epoch, whichever attempt came there. */
export function lossAt(trialId: string, epoch: number): number {
  let hash = 2166136261;
  for (const letter of `${trialId}/${epoch}`) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619) >>> 0;
  return hash / 2 ** 32;
}

/** The SHA-256 of a file that a trial leaves at an epoch. */
export function sumAt(kind: string, trialId: string, epoch: number): string {
  return createHash('sha256').update(`${kind}/${trialId}/${epoch}`).digest('hex');
}

/** How an attempt ends, were nothing to come between. */
export type Fate =
  | { readonly kind: 'well' }
  /** The trainer throws: the member fails, its worker lives on. */
  | { readonly kind: 'nan' | 'oom' | 'crash' | 'preflight'; readonly atEpoch: number }
  /** The worker's process dies, and its pack with it. */
  | { readonly kind: 'exit'; readonly atEpoch: number }
  /** Nothing is heard of it any more. */
  | { readonly kind: 'hang'; readonly atEpoch: number };
