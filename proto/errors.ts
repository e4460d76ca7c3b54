/** Named errors, one class a cause, and what a process or an RPC makes of each. */
import { status } from '@grpc/grpc-js';

/** What a shell sees. Documented in the README; 130 is an interrupt. */
export const EXIT = {
  done: 0,
  failedTrials: 1,
  badInput: 2,
  unreachable: 3,
  refused: 4,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An error meant for a person: its message says what, where, and what to do instead. */
export abstract class TrawlError extends Error {
  abstract readonly exitCode: ExitCode;
  abstract readonly grpcCode: status;
  override get name(): string {
    return this.constructor.name;
  }
}

/** Exit code of a coordinator or an agent that cannot write what it must keep; started again, it goes on. */
export const EXIT_CANNOT_WRITE = 70;

/** Whether the system, or SQLite, says that the disk has no room. */
export function isDiskFull(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'SQLITE_FULL' || code === 'ENOSPC' || code === 'EDQUOT';
}

/** The input is wrong: a sweep file, a flag, an address. */
export class BadInputError extends TrawlError {
  readonly exitCode = EXIT.badInput;
  readonly grpcCode = status.INVALID_ARGUMENT;
}

/** Nothing of that name is here. */
export class NotFoundError extends TrawlError {
  readonly exitCode = EXIT.badInput;
  readonly grpcCode = status.NOT_FOUND;
}

/** The name fits several things. */
export class AmbiguousError extends TrawlError {
  readonly exitCode = EXIT.badInput;
  readonly grpcCode = status.FAILED_PRECONDITION;
}

/** A server did not answer. */
export class UnreachableError extends TrawlError {
  readonly exitCode = EXIT.unreachable;
  readonly grpcCode = status.UNAVAILABLE;
}

/** The server will not do that: authorisation, read-only, or a state that forbids it. */
export class RefusedError extends TrawlError {
  readonly exitCode = EXIT.refused;
  readonly grpcCode = status.PERMISSION_DENIED;
}

/** More is asked of the server than it gives one client: the same may be asked again later. */
export class OverloadedError extends TrawlError {
  readonly exitCode = EXIT.unreachable;
  readonly grpcCode = status.RESOURCE_EXHAUSTED;
}

/** The other side was waited for too long. */
export class StalledError extends TrawlError {
  readonly exitCode = EXIT.unreachable;
  readonly grpcCode = status.DEADLINE_EXCEEDED;
}

/** What arrived is not what was announced. */
export class DamagedError extends TrawlError {
  readonly exitCode = EXIT.unreachable;
  readonly grpcCode = status.DATA_LOSS;
}
