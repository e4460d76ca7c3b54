import { type ServiceError, status } from '@grpc/grpc-js';
import { DEFAULT_ADDRESS } from '../../lib/net/address.ts';
import { BadInputError, NotFoundError, RejectedError, UnreachableError } from '../../proto/errors.ts';
import { LEADER_HEADER } from '../../proto/leader-header.ts';
import type { Connection } from './connect.ts';
import { type ServerKind, serverAt } from './server-at.ts';

type Peer = Pick<Connection, 'address' | 'usesTls'>;

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}

/**
 * Converts the error of a failed call to an error with a message for the user. Returns other errors unchanged. If the
 * error does not show the cause, detects the kind of the server, which takes up to two seconds.
 */
export async function explainCallError(error: unknown, peer: Peer): Promise<unknown> {
  if (!isServiceError(error)) return error;
  const { address } = peer;
  const { code, details } = error;
  switch (code) {
    case status.UNAVAILABLE:
      if (error.metadata.get(LEADER_HEADER).length > 0) {
        return new UnreachableError(`the coordinator at ${address} does not lead (${details}): retry in a few seconds`);
      }
      return unavailable(details, peer);
    case status.CANCELLED:
      return new UnreachableError(`the coordinator at ${address} closed the connection: it is stopping or has stopped`);
    case status.DEADLINE_EXCEEDED:
      return (
        unlessCoordinator(await serverAt(address), peer) ??
        new UnreachableError(
          `the coordinator at ${address} did not answer in time: it may be overloaded, or a firewall may drop the ` +
            'connection; retry, or name another coordinator with --server HOST:PORT',
        )
      );
    case status.INVALID_ARGUMENT:
    case status.FAILED_PRECONDITION:
    case status.ALREADY_EXISTS:
    case status.OUT_OF_RANGE:
      return new BadInputError(details);
    case status.RESOURCE_EXHAUSTED:
      return /message larger than max/i.test(details) ? new BadInputError(details) : new UnreachableError(details);
    case status.NOT_FOUND:
      return new NotFoundError(details);
    case status.PERMISSION_DENIED:
    case status.UNAUTHENTICATED:
      return new RejectedError(details);
    case status.UNIMPLEMENTED:
      return new RejectedError(
        `the server at ${address} does not support this request: it is not a coordinator, or runs another version of trawl`,
      );
    default:
      if (/RST_STREAM|HTTP status|GOAWAY/.test(details)) {
        return new UnreachableError(`the connection to ${address} broke during the request; retry`);
      }
      return new Error(`the coordinator at ${address} failed: ${details}`, { cause: error });
  }
}

async function unavailable(details: string, peer: Peer): Promise<Error> {
  const { address } = peer;
  const problem = CERTIFICATE_PROBLEMS.find(({ pattern }) => pattern.test(details));
  if (problem !== undefined) {
    return new RejectedError(
      `the server at ${address} is not the coordinator of this identity: ${problem.reason}; ${problem.advice}`,
    );
  }
  const reason = FAILED_CONNECTIONS.find(({ pattern }) => pattern.test(details))?.reason;
  if (reason !== undefined) return noCoordinator(address, reason);
  // If CLOSED does not match, the details are from the coordinator, and explain why the coordinator is not available.
  if (!CLOSED.test(details)) return noCoordinator(address, details);
  return unlessCoordinator(await serverAt(address), peer) ?? noCoordinator(address, 'connection closed');
}

const noCoordinator = (address: string, reason: string): Error =>
  new UnreachableError(
    `no coordinator at ${address} (${reason}); start one with "trawl coordinator", name another with ` +
      '--server HOST:PORT or TRAWL_SERVER, or read a data folder with --dir DIR',
  );

/** Returns the error if the server is not a coordinator, or if only one side uses TLS. */
function unlessCoordinator(kind: ServerKind | undefined, { address, usesTls }: Peer): Error | undefined {
  if (kind === undefined) return undefined;
  if (kind === 'tls' && !usesTls) {
    return new UnreachableError(
      `the server at ${address} requires TLS, and no identity was given; if it is a coordinator, pass your identity with ` +
        '--identity DIR or TRAWL_IDENTITY',
    );
  }
  if (kind === 'plain') {
    if (!usesTls) return undefined;
    return new UnreachableError(
      `the server at ${address} does not use TLS, but an identity was given; omit --identity and unset TRAWL_IDENTITY`,
    );
  }
  const port = DEFAULT_ADDRESS.split(':').at(-1);
  return new UnreachableError(
    `expected a coordinator at ${address}, but found ${FOUND[kind]}; give the coordinator's address with --server ` +
      `HOST:PORT or TRAWL_SERVER (its default port is ${port})`,
  );
}

const FOUND: Readonly<Record<Exclude<ServerKind, 'plain'>, string>> = {
  tls: 'another TLS server',
  http: 'an HTTP server',
  nats: 'a NATS server',
  ssh: 'an SSH server',
  closing: 'a server that closes every connection',
  silent: 'a server that does not answer',
  other: 'a server of another kind',
};

const CERTIFICATE_PROBLEMS: readonly { readonly pattern: RegExp; readonly reason: string; readonly advice: string }[] =
  [
    {
      pattern: /certificate has expired|certificate is not yet valid/i,
      reason: 'its certificate has expired or is not valid yet',
      advice: 'check the clocks, or renew the certificate with "trawl certs renew"',
    },
    {
      pattern: /altnames|does not match certificate/i,
      reason: 'its certificate does not cover the name in this address',
      advice: 'use the name that the certificate has, or issue a certificate for this name with "trawl certs"',
    },
    {
      pattern: /alert.*(certificate|unknown ca)|bad certificate/is,
      reason: 'it rejected the certificate of the identity',
      advice: 'pass the identity that was issued for this coordinator with --identity DIR',
    },
    {
      pattern: /certificate/i,
      reason: 'another authority issued its certificate',
      advice: 'pass the identity that was issued for this coordinator with --identity DIR',
    },
  ];

const FAILED_CONNECTIONS: readonly { readonly pattern: RegExp; readonly reason: string }[] = [
  { pattern: /ECONNREFUSED/, reason: 'connection refused' },
  { pattern: /ENOTFOUND|EAI_AGAIN|Name resolution failed/, reason: 'unknown host' },
  { pattern: /EHOSTUNREACH|ENETUNREACH/, reason: 'host unreachable' },
  { pattern: /ETIMEDOUT|timed out/i, reason: 'connection timed out' },
];

/**
 * Matches the details of an error if the server accepted the connection, and then closed it or sent something
 * unexpected.
 */
const CLOSED =
  /ECONNRESET|EPIPE|EPROTO|SSL|socket|hang up|dropped|no connection established|connection closed|Protocol error|Failed to connect/i;
