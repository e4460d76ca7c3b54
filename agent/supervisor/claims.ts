/** Claims the leases of offered attempts. Several claims are sent in one message, and unanswered claims are sent again. */

import type { Logger } from 'pino';
import type { Claim, Decision } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { MAX_CLAIMS } from '../../proto/limits.ts';
import type { CoordinatorSession } from './coordinator-session.ts';
import { GATHER_MS, type Gathering, PATIENT_GATHER_MS } from './gathering.ts';
import type { OfferToken, SlotEffect } from './slot-effects.ts';
import { claimedOffer, onDecision, type Slot } from './slots.ts';

const RETRY_MS = 500;

export interface ClaimEvents {
  /** Called with the resulting effects after the coordinator has answered a claim. */
  onEffects(effects: readonly SlotEffect[]): void;
  /** Called each time that the claim of an offer is repeated, so that NATS does not redeliver the offer. */
  onDelayed(offer: OfferToken): void;
}

/** The parts of the agent's state on which claims depend. */
export interface ClaimContext {
  /** Returns the session with the coordinator. Undefined before the first worker is ready. */
  session(): Pick<CoordinatorSession, 'open'> | undefined;
  /** Whether the agent takes new trials. */
  isTaking(): boolean;
  /** Calls `send`. */
  readonly gathering: Pick<Gathering, 'schedule'>;
}

export class Claims {
  readonly #slots: Slot[];
  readonly #context: ClaimContext;
  readonly #events: ClaimEvents;
  readonly #log: Logger;
  #gathered: Claim[] = [];
  #closed = false;

  constructor(slots: Slot[], context: ClaimContext, events: ClaimEvents, log: Logger) {
    this.#slots = slots;
    this.#context = context;
    this.#events = events;
    this.#log = log;
  }

  /** Adds a claim, and sends it soon. If the queue of its slot is long enough, the claim waits a little longer. */
  add(claim: Claim): void {
    this.#gathered.push(claim);
    this.#context.gathering.schedule(this.#canWait(claim) ? PATIENT_GATHER_MS : GATHER_MS);
  }

  /** Must be called when slots have started queued attempts, because their claims may no longer be able to wait. */
  onQueuesChanged(): void {
    if (this.#gathered.some((claim) => !this.#canWait(claim))) this.#context.gathering.schedule(GATHER_MS);
  }

  /** A full queue holds attempts for about 100 ms of work, so a quarter of it lasts for a round trip. */
  #canWait({ slot }: Claim): boolean {
    const { queue, prefetch } = this.#slots[slot] ?? { queue: [], prefetch: 0 };
    return queue.length > prefetch / 4;
  }

  /** Stops repeating claims. */
  close(): void {
    this.#closed = true;
  }

  /** Sends the gathered claims now, without those that their slots no longer wait for. */
  send(): void {
    const claims = this.#gathered.filter((claim) => this.#offerOf(claim) !== undefined);
    this.#gathered = [];
    for (let at = 0; at < claims.length; at += MAX_CLAIMS) void this.#open(claims.slice(at, at + MAX_CLAIMS));
  }

  async #open(claims: Claim[]): Promise<void> {
    const session = this.#context.session();
    if (session === undefined) return;
    try {
      const decisions = await session.open(claims);
      for (const [at, claim] of claims.entries()) this.#onDecision(claim, decisions[at]);
    } catch (error) {
      this.#log.debug({ err: error }, 'could not open leases; retrying');
      for (const claim of claims) this.#retry(claim);
    }
  }

  #onDecision(claim: Claim, decision: Decision | undefined): void {
    const answer = decision?.answer;
    if (answer === undefined || claim.key === undefined) {
      this.#retry(claim);
      return;
    }
    const mates = (decision?.mates ?? []).flatMap(({ key, grant }) => (key && grant ? [{ key, grant }] : []));
    const effects = onDecision(
      this.#slots,
      claim.slot,
      claim.key,
      answer.$case === 'grant' ? { grant: answer.grant, mates } : { refusal: answer.refusal },
      performance.now(),
      this.#context.isTaking(),
    );
    if (effects === 'retry') this.#retry(claim);
    this.#events.onEffects(effects === 'retry' ? [] : effects);
  }

  /**
   * Repeats a claim after a delay, unless its slot no longer waits for the answer. A repeated claim is granted the same
   * lease.
   */
  #retry(claim: Claim): void {
    setTimeout(() => {
      const offer = this.#offerOf(claim);
      if (this.#closed || offer === undefined) return;
      this.#events.onDelayed(offer);
      this.add(claim);
    }, RETRY_MS);
  }

  /** Returns the offer of a claim while its slot waits for the answer; otherwise undefined. */
  #offerOf({ slot, key }: Claim): OfferToken | undefined {
    return key && claimedOffer(this.#slots[slot], key);
  }
}
