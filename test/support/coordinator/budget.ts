/** The retry budget in plain words: the second opinion on coordinator/core/retry.ts. */

import type { SweepPolicy } from '../../../coordinator/core/model.ts';
import type { FailureClassName } from '../../../proto/names.ts';

/** Attempts that may fail so before the trial is given up, as the sweep file's documentation has it. */
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
