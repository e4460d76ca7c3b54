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
};
/** An error meant for a person: its message says what, where, and what to do instead. */
export class TrawlError extends Error {
    get name() {
        return this.constructor.name;
    }
}
/** The input is wrong: a sweep file, a flag, an address. */
export class BadInputError extends TrawlError {
    exitCode = EXIT.badInput;
    grpcCode = status.INVALID_ARGUMENT;
}
/** Nothing of that name is here. */
export class NotFoundError extends TrawlError {
    exitCode = EXIT.badInput;
    grpcCode = status.NOT_FOUND;
}
/** The name fits several things. */
export class AmbiguousError extends TrawlError {
    exitCode = EXIT.badInput;
    grpcCode = status.FAILED_PRECONDITION;
}
/** A server did not answer. */
export class UnreachableError extends TrawlError {
    exitCode = EXIT.unreachable;
    grpcCode = status.UNAVAILABLE;
}
/** The server will not do that: authorisation, read-only, or a state that forbids it. */
export class RefusedError extends TrawlError {
    exitCode = EXIT.refused;
    grpcCode = status.PERMISSION_DENIED;
}
//# sourceMappingURL=errors.js.map