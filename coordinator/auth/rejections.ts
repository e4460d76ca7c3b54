/** Counts and logs rejected connections, calls and messages by reason. */
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import { SparseLog } from '../../lib/net/sparse-log.ts';

/** The values of the label `reason` of `trawl_auth_rejected_total`. */
export const REJECTION_REASONS = [
  /** The peer does not use TLS, or offers only versions or ciphers that the coordinator rejects. */
  'handshake',
  'no_certificate',
  /** The certificate was not issued by the certificate authority that the coordinator trusts. */
  'wrong_certificate',
  'expired_certificate',
  'no_token',
  'wrong_token',
  /** The token and the certificate belong to different identities. */
  'other_certificate',
  'role',
  'other_agent',
  /** An agent without an identity, such as a revoked agent, sent a heartbeat. */
  'unknown_agent',
  'other_attempt',
  /** An agent exceeded a limit that a correct agent never reaches. */
  'limit',
  'metrics',
] as const;
export type RejectionReason = (typeof REJECTION_REASONS)[number];

/** Counts every rejection. A rejection is not logged if another rejection with the same reason was logged recently. */
export class RejectionLog {
  readonly #counter: Counter<'reason'>;
  readonly #log: Logger;
  readonly #logs = new Map<RejectionReason, SparseLog>();

  constructor(counter: Counter<'reason'>, log: Logger) {
    this.#counter = counter;
    this.#log = log;
  }

  /** @param facts the caller, its address and its request, but never a token */
  record(reason: RejectionReason, facts: Readonly<Record<string, unknown>>): void {
    this.#counter.inc({ reason });
    const log = this.#logs.get(reason) ?? new SparseLog(this.#log, 'rejected');
    this.#logs.set(reason, log);
    log.warn({ reason, ...facts });
  }
}
