/** Decides whether a call is admitted, from its certificate, token and method. Performs no I/O. */
import { status } from '@grpc/grpc-js';
import { type Role, rolesOf } from '../../proto/roles.ts';
import type { KnownIdentity } from './identities.ts';
import type { RejectionReason } from './rejections.ts';

/** The holder of a verified certificate. */
export interface CertificateHolder {
  readonly name: string;
  readonly role: string;
}

export interface Credentials {
  /** The path of the method. */
  readonly method: string;
  /** Undefined if the connection has no verified certificate. */
  readonly peer: CertificateHolder | undefined;
  /** The value of the header `authorization`. Undefined if there is none. */
  readonly authorization: string | undefined;
}

export interface Caller {
  readonly name: string;
  readonly role: Role;
}

export type Admission =
  | { readonly admitted: true; readonly caller: Caller }
  | { readonly admitted: false; readonly reason: RejectionReason; readonly code: status; readonly message: string };

/** Decides whether a call is admitted. @param identityOf returns the identity that a token belongs to */
export function admit(
  { method, peer, authorization }: Credentials,
  identityOf: (token: string) => KnownIdentity | undefined,
): Admission {
  if (peer === undefined) return unauthenticated('no_certificate', 'this coordinator requires a client certificate');
  const token = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1];
  if (token === undefined) {
    return unauthenticated('no_token', 'this coordinator requires a token: pass your identity with --identity');
  }
  const caller = identityOf(token);
  if (caller === undefined) {
    return unauthenticated('wrong_token', `the token of ${peer.name} is unknown to this coordinator, or was revoked`);
  }
  if (caller.name !== peer.name || caller.role !== peer.role) {
    return unauthenticated(
      'other_certificate',
      `the token does not belong to the certificate of ${peer.role} ${peer.name}`,
    );
  }
  const allowed = rolesOf(method);
  if (allowed.includes(caller.role)) return { admitted: true, caller };
  const roles = allowed.length === 0 ? 'no role' : allowed.join(' or ');
  const message = `${caller.name} has the role ${caller.role}: ${method.split('/').at(-1)} is allowed for ${roles}`;
  return { admitted: false, reason: 'role', code: status.PERMISSION_DENIED, message };
}

function unauthenticated(reason: RejectionReason, message: string): Admission {
  return { admitted: false, reason, code: status.UNAUTHENTICATED, message };
}
