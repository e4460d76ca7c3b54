/** An independent implementation of the retry limits, to compare with coordinator/core/retry.ts. */

import type { SweepPolicy } from '../../../coordinator/core/policy.ts';
import type { FailureClassName } from '../../../proto/names.ts';

/**
 * Returns the number of failures of this class after which a trial ends as failed, as the sweep file reference says.
 */
export function budget(failure: FailureClassName, { retry }: SweepPolicy): number {
  switch (failure) {
    case 'oom':
      return retry.oom + 1;
    case 'crash':
    case 'preflight':
      return retry.crash + 1;
    case 'timeout':
      return retry.timeout + 1;
    case 'lost':
      return 10;
    case 'drained':
      return 100;
    case 'nan':
    case 'rejected':
      return 1;
  }
}
