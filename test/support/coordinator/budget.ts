/** The retry budget, computed independently of coordinator/core/retry.ts. */

import type { SweepPolicy } from '../../../coordinator/core/model.ts';
import type { FailureClassName } from '../../../proto/names.ts';

/** The number of failures of each class after which a trial fails, by the documentation of sweep files. */
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
