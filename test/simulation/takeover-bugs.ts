/** Planted bugs of coordinators that share a store. Only seeds with several coordinators can find these bugs. */
import type { Bug } from './bug.ts';

export const TAKEOVER_BUGS: Readonly<Record<string, Bug>> = {
  'no-epoch-check': { about: 'a transaction does not check whether its coordinator still leads', epochCheck: 'none' },
  'epoch-read-before': {
    about: 'a coordinator checks before its transaction, and not within the transaction, whether it leads',
    epochCheck: 'before the transaction',
  },
  'standby-acts': { about: 'a standby answers agents', standbyActs: true },
  'takeover-loses-lease': { about: 'a coordinator that takes over forgets a lease', takeoverLosesLease: true },
};
