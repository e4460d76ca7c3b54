/** Determines the user of a call, for events and for display. The decisions about access are in admit.ts. */
import type { Metadata } from '@grpc/grpc-js';
import { visibleText } from '../../lib/text/visible-text.ts';
import { MAX_USER, USER_HEADER } from '../../proto/user-header.ts';

export interface UserCall {
  readonly metadata: Metadata;
  getAuthContext(): { readonly sslPeerCertificate?: { readonly subject: { readonly CN?: unknown } } | undefined };
}

/**
 * Returns the name in the certificate. Without a certificate, returns the name that the client gives, such as
 * `ann@gpu-1`. Returns an empty text if neither exists. The name that a client gives is not verified.
 */
export function userOf(call: UserCall): string {
  const certified = call.getAuthContext().sslPeerCertificate?.subject.CN;
  const name = certified === undefined ? call.metadata.get(USER_HEADER)[0]?.toString() : `${certified}`;
  return visibleText(name ?? '').slice(0, MAX_USER);
}
