import { type ServiceError, status } from '@grpc/grpc-js';
import { BadInputError, NotFoundError, RejectedError, type TrawlError, UnreachableError } from '../../proto/errors.ts';

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}

/** Converts the error of a failed call to an error with a message for the user. Returns other errors unchanged. */
export function explainCallError(error: unknown, address: string): unknown {
  if (!isServiceError(error)) return error;
  return (
    byStatus(error, address) ?? new Error(`the coordinator at ${address} failed: ${error.details}`, { cause: error })
  );
}

function byStatus({ code, details }: ServiceError, address: string): TrawlError | undefined {
  switch (code) {
    case status.UNAVAILABLE:
      return unavailable(details, address);
    case status.CANCELLED:
      return new UnreachableError(`the coordinator at ${address} closed the connection: it is stopping or has stopped`);
    case status.DEADLINE_EXCEEDED:
      return new UnreachableError(
        `the coordinator at ${address} did not answer in time: it may be overloaded, or a firewall may drop the ` +
          'connection; retry, or name another coordinator with --server HOST:PORT',
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
      return undefined;
  }
}

function unavailable(details: string, address: string): TrawlError {
  if (/certificate|altnames/i.test(details)) {
    return new RejectedError(
      `the server at ${address} is not the coordinator of this identity, or its certificate does not cover the name ` +
        `${address} (${details})`,
    );
  }
  const cause = CONNECTION_FAILURES.find(({ pattern }) => pattern.test(details));
  const tls = cause?.mayBeTls ? '; a coordinator that uses TLS needs --identity DIR' : '';
  return new UnreachableError(
    `no coordinator at ${address} (${cause?.reason ?? details}); start one with "trawl coordinator", name another with ` +
      `--server HOST:PORT or TRAWL_SERVER, or read a data folder with --dir DIR${tls}`,
  );
}

const CONNECTION_FAILURES: readonly { readonly pattern: RegExp; readonly reason: string; readonly mayBeTls?: true }[] =
  [
    { pattern: /ECONNREFUSED/, reason: 'connection refused' },
    { pattern: /ENOTFOUND|EAI_AGAIN|Name resolution failed/, reason: 'unknown host' },
    { pattern: /EHOSTUNREACH|ENETUNREACH/, reason: 'host unreachable' },
    { pattern: /ETIMEDOUT|timed out/i, reason: 'connection timed out' },
    { pattern: /EPROTO|SSL|wrong version number/i, reason: 'TLS handshake failed', mayBeTls: true },
    {
      pattern: /ECONNRESET|EPIPE|socket hang up|connection dropped|no connection established|connection closed/i,
      reason: 'connection closed',
      mayBeTls: true,
    },
  ];
