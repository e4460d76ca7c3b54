import { type ServiceError, status } from '@grpc/grpc-js';
import { BadInputError, NotFoundError, RefusedError, type TrawlError, UnreachableError } from '../../proto/errors.ts';

/** Whether an error is gRPC's: a status with the server's sentence. */
function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}

/** What a failed call means to the person who typed the command. Other errors come back as they are. */
export function explainCallError(error: unknown, address: string): unknown {
  if (!isServiceError(error)) return error;
  return (
    byStatus(error, address) ?? new Error(`the coordinator at ${address} failed: ${error.details}`, { cause: error })
  );
}

function byStatus({ code, details }: ServiceError, address: string): TrawlError | undefined {
  switch (code) {
    case status.UNAVAILABLE:
      if (/certificate|altnames/i.test(details)) {
        return new RefusedError(
          `what answers at ${address} is not the coordinator that the identity is for, or is reached by a name that its ` +
            `certificate does not have (${details})`,
        );
      }
      return new UnreachableError(
        `no coordinator answers at ${address} (${details}). Start one with "trawl coordinator", name another with ` +
          '--server HOST:PORT or TRAWL_SERVER, read a data folder with --dir DIR, or, if it speaks TLS, say who you are ' +
          'with --identity DIR.',
      );
    case status.CANCELLED:
      // Calls that are cancelled here never come this far: it is the server that closed them, to stop.
      return new UnreachableError(`the coordinator at ${address} broke the call off: it is stopping or has stopped.`);
    case status.DEADLINE_EXCEEDED:
      return new UnreachableError(
        `the coordinator at ${address} did not answer in time. It may be overloaded, or a firewall swallows the ` +
          'connection: try again, or name another with --server HOST:PORT.',
      );
    case status.INVALID_ARGUMENT:
    case status.FAILED_PRECONDITION:
    case status.ALREADY_EXISTS:
    case status.OUT_OF_RANGE:
      return new BadInputError(details);
    case status.RESOURCE_EXHAUSTED:
      // gRPC's own limit, on what was asked; else the coordinator's, on how much at a time.
      return /message larger than max/i.test(details) ? new BadInputError(details) : new UnreachableError(details);
    case status.NOT_FOUND:
      return new NotFoundError(details);
    case status.PERMISSION_DENIED:
    case status.UNAUTHENTICATED:
      return new RefusedError(details);
    case status.UNIMPLEMENTED:
      return new RefusedError(
        `the server at ${address} does not know this request: it is no coordinator, or one of another version of trawl.`,
      );
    default:
      return undefined;
  }
}
