/** The failure classes by which commands can select the trials to retry. */
import { InvalidArgumentError } from 'commander';
import { didYouMean } from '../../lib/text/did-you-mean.ts';
import type { RetryTrialsRequest } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { failureClass } from '../../proto/names.ts';

/** The classes, each with the help text of its option. */
export const RETRIED_CLASSES = {
  oom: 'retry trials that ran out of memory',
  nan: 'retry trials that diverged to NaN or infinity',
  crash: 'retry trials whose program crashed',
  lost: 'retry trials whose agent was lost',
  timeout: 'retry trials that exceeded their timeout',
  preflight: 'retry trials that failed before their program started',
} as const;
export type RetriedClass = keyof typeof RETRIED_CLASSES;
export const retriedClasses = Object.keys(RETRIED_CLASSES) as RetriedClass[];

/** Selects which failed trials of a sweep to retry. */
export type RetriedFailures = Pick<RetryTrialsRequest, 'failed' | 'failures'>;

/**
 * Parses `failed`, or failure classes separated by commas.
 * @throws {InvalidArgumentError}
 */
export function parseRetriedFailures(text: string): RetriedFailures {
  const words = text.split(',').map((word) => word.trim());
  const choices = ['failed', ...retriedClasses];
  for (const word of words) {
    if (choices.includes(word)) continue;
    throw new InvalidArgumentError(`Allowed choices are ${choices.join(', ')}${didYouMean(word, choices)}.`);
  }
  const failed = words.includes('failed');
  const failures = failed ? [] : retriedClasses.filter((name) => words.includes(name)).map(failureClass.to);
  return { failed, failures };
}
