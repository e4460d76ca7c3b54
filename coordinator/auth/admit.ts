/** Whether a call is let in. No I/O: what the connection and the call show, and whom the coordinator knows, are given. */
import { status } from '@grpc/grpc-js';
import { type Role, rolesOf } from '../../proto/roles.ts';
import type { Known } from './identities.ts';

/** Why someone was refused: the label of a counter, so the list is short and closed. */
export const REFUSAL_REASONS = [
  /** What came was no TLS, or none that the coordinator speaks. */
  'handshake',
  'no_certificate',
  /** Not of this authority. */
  'wrong_certificate',
  'expired_certificate',
  'no_token',
  /** None that is known, or not any more. */
  'wrong_token',
  /** The token is another's than the certificate. */
  'other_certificate',
  /** The role may not call that. */
  'role',
  /** An agent speaks for another. */
  'other_agent',
  /** An agent reaches for an attempt that is leased to another. */
  'other_attempt',
  /** Of /metrics. */
  'metrics',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** What a certificate that was checked says of its holder. */
export interface Peer {
  readonly name: string;
  readonly role: string;
}

export interface Shown {
  /** The method's path. */
  readonly method: string;
  /** Undefined: the connection carries no certificate that was checked. */
  readonly peer: Peer | undefined;
  /** The value of `authorization`; undefined: none. */
  readonly authorization: string | undefined;
}

export interface Caller {
  readonly name: string;
  readonly role: Role;
}

export type Admission =
  | { readonly admitted: true; readonly caller: Caller }
  | { readonly admitted: false; readonly reason: RefusalReason; readonly code: status; readonly message: string };

/** @param known whose token it is */
export function admit({ method, peer, authorization }: Shown, known: (token: string) => Known | undefined): Admission {
  if (peer === undefined) return unknown('no_certificate', 'this coordinator asks for a certificate');
  const token = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1];
  if (token === undefined)
    return unknown('no_token', 'this coordinator asks for a token: name who you are (--identity)');
  const caller = known(token);
  if (caller === undefined)
    return unknown('wrong_token', `the token of ${peer.name} is not known here, or not any more`);
  if (caller.name !== peer.name || caller.role !== peer.role) {
    return unknown('other_certificate', `the token is another's than the certificate of ${peer.role} ${peer.name}`);
  }
  const allowed = rolesOf(method);
  if (allowed.includes(caller.role)) return { admitted: true, caller };
  const whose = allowed.length === 0 ? 'nobody' : allowed.join(' or ');
  const message = `${caller.name} is ${caller.role}: ${method.split('/').at(-1)} is for ${whose}`;
  return { admitted: false, reason: 'role', code: status.PERMISSION_DENIED, message };
}

function unknown(reason: RefusalReason, message: string): Admission {
  return { admitted: false, reason, code: status.UNAUTHENTICATED, message };
}
