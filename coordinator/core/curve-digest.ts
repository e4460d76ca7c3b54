/**
 * Computes digests of curves. The curves of replicates can be compared by their digests, without keeping their points.
 * The digest of a curve is the sum of the hashes of its values.
 */
import { createHash } from 'node:crypto';

/** A hash has 6 bytes, so that a sum of two hashes is a safe integer. */
const HASH_BYTES = 6;
const MODULUS = 2 ** (8 * HASH_BYTES);

/**
 * The digest covers only the first reports of an attempt, up to this number. Later differences are not noticed. But if
 * two replicates differ at all, their first reports almost always differ.
 */
export const CURVE_REPORTS = 1_000;

export interface CurveDigest {
  /** The sum is equal for equal curves. */
  readonly sum: number;
  readonly reports: number;
}

/** The digest of an empty curve. */
export const EMPTY_CURVE: CurveDigest = { sum: 0, reports: 0 };

/**
 * Returns the digest of a curve after one more report. Curves with the same values at the same steps have the same sum.
 * The order of the reports does not matter, and the values of a step can be in one report or in several reports. All
 * values that are not finite count as equal, because older versions of trawl stored NaN and infinity alike. Reports
 * after the first CURVE_REPORTS do not change the digest.
 */
export function withCurveReport(
  digest: CurveDigest,
  step: number,
  metrics: Readonly<Record<string, number>>,
): CurveDigest {
  if (digest.reports >= CURVE_REPORTS) return digest;
  let { sum } = digest;
  for (const [name, value] of Object.entries(metrics)) {
    sum = (sum + hashOf(step, name, value)) % MODULUS;
  }
  return { sum, reports: digest.reports + 1 };
}

function hashOf(step: number, name: string, value: number): number {
  const text = `${step} ${Number.isFinite(value) ? value : 'not finite'} ${name}`;
  return createHash('sha1').update(text).digest().readUIntBE(0, HASH_BYTES);
}
