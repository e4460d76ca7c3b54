/** Decides whether a call is admitted, based on its certificate, token and method. Performs no I/O. */
import { status } from '@grpc/grpc-js';
import type { HashedSecret } from '../../lib/net/secret.ts';
import { type Role, rolesOf } from '../../proto/roles.ts';
import type { KnownIdentity } from './identities.ts';
import type { RejectionReason } from './rejections.ts';

/** The name and the role in the caller's verified certificate. */
export interface CertificateHolder {
  readonly name: string;
  readonly role: string;
}

export interface Credentials {
  /** The path of the called method. */
  readonly method: string;
  /** Undefined if the connection has no verified certificate. */
  readonly peer: CertificateHolder | undefined;
  /** The token in the call's header `authorization`. Undefined if the call has no token. */
  readonly token: HashedSecret | undefined;
}

export interface Caller {
  readonly name: string;
  /** The owner of the coordinator may call every method. */
  readonly role: Role | 'owner';
}

export type Admission =
  | { readonly admitted: true; readonly caller: Caller }
  | { readonly admitted: false; readonly reason: RejectionReason; readonly code: status; readonly message: string };

/**
 * Decides whether a call is admitted.
 * @param identityOf returns the identity that a token belongs to
 */
export function admit(
  { method, peer, token }: Credentials,
  identityOf: (token: HashedSecret) => KnownIdentity | undefined,
): Admission {
  if (peer === undefined) return unauthenticated('no_certificate', 'this coordinator requires a client certificate');
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

const OWNER: Caller = { name: 'owner', role: 'owner' };

/**
 * Decides whether a call is admitted by a coordinator that listens on the loopback address. Every call with the
 * coordinator's token is admitted.
 * @param file the path of the token file, for the error message
 */
export function admitOwner(credentials: Credentials, token: HashedSecret, file: string): Admission {
  const missing =
    `this coordinator requires a token, which is in ${file}: run the command as the user who started the ` +
    'coordinator, or pass a copy of this file with --token-file, or set TRAWL_TOKEN to the token';
  return admitToken(credentials, token, {
    missing,
    wrong: `wrong token: the token of this coordinator is in ${file}`,
  });
}

/** The error messages for a call without a token, and for a call with a wrong token. */
interface TokenMessages {
  readonly missing: string;
  readonly wrong: string;
}

/** Admits every call that has this token, and treats the caller as the owner. */
export function admitToken(
  { token: given }: Credentials,
  token: HashedSecret,
  { missing, wrong }: TokenMessages,
): Admission {
  if (given === undefined) return unauthenticated('no_token', missing);
  if (!given.isSame(token)) return unauthenticated('wrong_token', wrong);
  return { admitted: true, caller: OWNER };
}

function unauthenticated(reason: RejectionReason, message: string): Admission {
  return { admitted: false, reason, code: status.UNAUTHENTICATED, message };
}
