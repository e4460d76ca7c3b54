/** Where a sweep begins to share the slots: nobody has a credit for the time before it came, or while it was paused. */
import type { Sweep } from './model.ts';
import { type Pool, suits } from './pools.ts';
import { levelOf, raiseTo } from './share.ts';

/**
 * Who has waited for nothing until now joins at the level of those with whom it shares: in each of its pools of the one
 * that is served next there, and of these the highest.
 * @param peers sweeps of its priority, itself among them
 * @param waits whether something of it waits that one of these pools could run
 */
export function join(sweep: Sweep, peers: readonly Sweep[], pools: readonly Pool[], waits: boolean, now: number): void {
  if (waits && !sweep.share.waits) {
    for (const pool of pools) {
      const sharing = peers.filter((peer) => peer !== sweep && peer.share.waits && suits(peer, pool));
      if (sharing.length > 0) raiseTo(sweep, Math.min(...sharing.map((peer) => levelOf(peer, now))), now);
    }
  }
  sweep.share.waits = waits;
}
