/** Named errors, one class per cause, each with its exit code and gRPC status. */
import type { status } from '@grpc/grpc-js';

/**
 * The gRPC statuses of the errors. They are repeated here, because every command loads this file and the gRPC library
 * is slow to load.
 */
const STATUS = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
} as const satisfies { readonly [Name in keyof typeof status]?: (typeof status)[Name] };

/** Exit codes of the CLI, as documented in the README. */
export const EXIT = {
  done: 0,
  failedTrials: 1,
  badInput: 2,
  unreachable: 3,
  rejected: 4,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An error for the user. The message of the error contains the cause, the place and the remedy. */
export abstract class TrawlError extends Error {
  abstract readonly exitCode: ExitCode;
  abstract readonly grpcCode: status;
  override get name(): string {
    return this.constructor.name;
  }
}

/**
 * Exit code of a coordinator or an agent that cannot write durable data. A restart continues from the last durable
 * state.
 */
export const EXIT_CANNOT_WRITE = 70;

/**
 * Exit code of a coordinator that no longer leads. After a restart, the coordinator stands by until no other
 * coordinator leads.
 */
export const EXIT_NOT_LEADER = 75;

/** Whether this error of the operating system or of SQLite means that the disk is full. */
export function isDiskFull(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'SQLITE_FULL' || code === 'ENOSPC' || code === 'EDQUOT';
}

/** Invalid input, such as a sweep file, a flag or an address. */
export class BadInputError extends TrawlError {
  readonly exitCode = EXIT.badInput;
  readonly grpcCode = STATUS.INVALID_ARGUMENT;
}

/** No item has this name. */
export class NotFoundError extends TrawlError {
  readonly exitCode = EXIT.badInput;
  readonly grpcCode = STATUS.NOT_FOUND;
}

/** The name matches several items. */
export class AmbiguousError extends TrawlError {
  readonly exitCode = EXIT.badInput;
  readonly grpcCode = STATUS.FAILED_PRECONDITION;
}

/** A server did not respond. */
export class UnreachableError extends TrawlError {
  readonly exitCode = EXIT.unreachable;
  readonly grpcCode = STATUS.UNAVAILABLE;
}

/** Another coordinator leads. The state in memory can differ from the store, so the process must end. */
export class NotLeaderError extends UnreachableError {}

/** The request is rejected: not authorized, read-only, or not possible in the current state. */
export class RejectedError extends TrawlError {
  readonly exitCode = EXIT.rejected;
  readonly grpcCode = STATUS.PERMISSION_DENIED;
}

/** Another process uses the store, which only one process can open at a time. */
export class StoreInUseError extends RejectedError {}

/**
 * The agent id belongs to another agent, from which the coordinator currently receives nothing. The caller can retry:
 * the id becomes free unless that agent returns.
 */
export class InUseError extends TrawlError {
  readonly exitCode = EXIT.rejected;
  readonly grpcCode = STATUS.ABORTED;
}

/** The client exceeds a limit of the server. The request can be retried later. */
export class OverloadedError extends TrawlError {
  readonly exitCode = EXIT.unreachable;
  readonly grpcCode = STATUS.RESOURCE_EXHAUSTED;
}

/** The coordinator's disk or the artifact store has no space for a file. Usually, an operator must free space. */
export class NoSpaceError extends TrawlError {
  readonly exitCode = EXIT.rejected;
  readonly grpcCode = STATUS.FAILED_PRECONDITION;
}

/** The name of a file conflicts with a stored file, because a name cannot be both a file and a folder. */
export class ConflictError extends TrawlError {
  readonly exitCode = EXIT.badInput;
  readonly grpcCode = STATUS.ALREADY_EXISTS;
}

/** The peer sent nothing, or too little, within the time limit. */
export class StalledError extends TrawlError {
  readonly exitCode = EXIT.unreachable;
  readonly grpcCode = STATUS.DEADLINE_EXCEEDED;
}

/** Stored or received data is damaged. */
export class DamagedError extends TrawlError {
  readonly exitCode = EXIT.unreachable;
  readonly grpcCode = STATUS.DATA_LOSS;
}
