/**
 * Controls the access to a coordinator: reads its identity, checks its addresses, and builds the rule that admits
 * calls.
 */
import type { Logger } from 'pino';
import { type Address, isLoopback } from '../../lib/net/address.ts';
import type { BasicAuth, TokenAuth } from '../../lib/net/http.ts';
import { type Identity, readIdentity } from '../../lib/net/identity.ts';
import { HashedSecret } from '../../lib/net/secret.ts';
import { BadInputError } from '../../proto/errors.ts';
import { COORDINATOR } from '../../proto/subjects.ts';
import { admit, admitOwner } from '../auth/admit.ts';
import type { Admit } from '../auth/guard.ts';
import { Identities } from '../auth/identities.ts';
import { checkExposure } from '../transport/server.ts';

export interface AccessOptions {
  readonly listen: Address;
  readonly metrics: Address;
  /**
   * The path of the server's identity folder. If set, the coordinator requires TLS, and a known identity from each
   * caller.
   */
  readonly identityDir: string | undefined;
  /**
   * Whether the coordinator may listen, without encryption or authentication, on addresses that other machines can
   * reach.
   */
  readonly insecure: boolean;
  /**
   * The username and the password that `/metrics` requires. If undefined, `/metrics` requires a client certificate when
   * it is served over TLS. Without TLS, `/metrics` requires the coordinator's token on a loopback address, and requires
   * no credentials on other addresses.
   */
  readonly metricsAuth: BasicAuth | undefined;
  /** Whether the metrics are served over TLS, with the server's certificate. */
  readonly metricsTls: boolean;
  readonly log: Logger;
}

/**
 * Returns the server's identity; undefined without an identity folder.
 * @throws {BadInputError} if the identity cannot be read, or if the metrics need a certificate and there is no identity
 */
export function readServerIdentity({ identityDir, metricsTls }: AccessOptions): Identity | undefined {
  const identity = identityDir === undefined ? undefined : readIdentity(identityDir, [COORDINATOR]);
  if (metricsTls && identity === undefined) throw new BadInputError('--metrics-tls requires --identity');
  return identity;
}

/** @throws {RejectedError} if an address exposes the coordinator without encryption or authentication */
export function checkAddresses(options: AccessOptions, identity: Identity | undefined): void {
  const { insecure, metricsAuth, metricsTls } = options;
  checkExposure(options.listen, insecure, identity !== undefined, 'pass --identity (see "trawl certs")');
  checkExposure(
    options.metrics,
    insecure,
    metricsTls || metricsAuth !== undefined,
    'pass --metrics-tls, or --metrics-user with a password',
  );
}

/**
 * Returns the rule that decides which calls are admitted. With identities, the rule checks the caller's identity.
 * Without identities, on a loopback address, the rule checks the coordinator's token. Returns undefined if there is
 * nothing to check, in which case every call is admitted.
 */
export function admission(
  { listen }: AccessOptions,
  identities: Identities | undefined,
  token: TokenAuth | undefined,
): Admit | undefined {
  if (identities !== undefined) return (shown) => admit(shown, (given) => identities.find(given));
  if (token === undefined || !isLoopback(listen)) return undefined;
  const own = new HashedSecret(token.token);
  return (shown) => admitOwner(shown, own, token.file);
}

/**
 * Returns the identities that the coordinator knows, and reloads them when their file in the identity folder changes.
 * Returns undefined if the coordinator has no identity.
 */
export function watchIdentities({ identityDir, log }: AccessOptions): Identities | undefined {
  if (identityDir === undefined) return undefined;
  return new Identities(identityDir, (error) => log.error({ err: error }, 'could not reload the identities'));
}
