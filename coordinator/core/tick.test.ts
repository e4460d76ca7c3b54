import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addSweep, agentHello } from '../../test/support/coordinator/sample-core.ts';
import { onHeartbeat, onHello } from './agents.ts';
import { onOpen } from './attempts.ts';
import { agentLeases } from './leases.ts';
import { newCore } from './model.ts';
import { openOffers, schedule } from './scheduler.ts';
import { onTick } from './tick.ts';

const AGENTS = 3;
/** The lease duration is short, so that many events happen in the same millisecond as the end of a lease. */
const LEASE_MS = 8;

test('the first tick at or after the end of a lease ends the attempt, for any grants and heartbeats between the ticks', () => {
  const event = fc.record({
    afterMs: fc.integer({ min: 1, max: LEASE_MS / 4 }),
    agent: fc.nat(AGENTS - 1),
    kind: fc.constantFrom('grant' as const, 'heartbeat' as const, 'tick' as const),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const core = newCore(LEASE_MS, 0);
      for (let at = 0; at < AGENTS; at++) onHello(core, agentHello(`a${at}`, `i${at}`, 100), 0);
      addSweep(core, '1', 200);
      let now = 0;
      for (const { afterMs, agent, kind } of events) {
        now += afterMs;
        const [agentId, incarnation] = [`a${agent}`, `i${agent}`];
        if (kind === 'heartbeat') {
          const held = [...agentLeases(core, agentId)].map(({ key }) => key);
          onHeartbeat(core, { agentId, incarnation, held, leaving: false }, now);
        } else if (kind === 'grant') {
          schedule(core, now);
          const [offer] = openOffers(core);
          if (offer !== undefined) onOpen(core, { key: offer.key, agentId, incarnation, slot: core.leases.size }, now);
        } else {
          const overdue = [...core.leases.values()].filter(({ expiresAt }) => expiresAt <= now).map(({ key }) => key);
          const ended = onTick(core, now).changes.flatMap((change) => (change.kind === 'ended' ? [change.key] : []));
          expect(ended).toEqual(overdue);
        }
      }
    }),
  );
});
