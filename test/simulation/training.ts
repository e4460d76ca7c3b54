/**
 * Results of simulated training. The results are unique per trial and epoch, so that a result of the wrong trial or
 * epoch is detected.
 */
import { createHash } from 'node:crypto';

/** Returns the loss of a trial after an epoch. Every attempt of the trial has the same losses. */
export function lossAt(trialId: string, epoch: number): number {
  let hash = 2166136261;
  for (const letter of `${trialId}/${epoch}`) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619) >>> 0;
  return hash / 2 ** 32;
}

/** Returns the SHA-256 of a file that a trial writes after an epoch. */
export function sumAt(kind: string, trialId: string, epoch: number): string {
  return createHash('sha256').update(`${kind}/${trialId}/${epoch}`).digest('hex');
}

/** How an attempt ends, unless a fault ends it earlier. */
export type PlannedEnd =
  | { readonly kind: 'well' }
  /** The attempt fails, and its worker continues. */
  | { readonly kind: 'nan' | 'oom' | 'crash' | 'preflight'; readonly atEpoch: number }
  /** The worker's process and its whole pack die. */
  | { readonly kind: 'exit'; readonly atEpoch: number }
  | { readonly kind: 'hang'; readonly atEpoch: number };
