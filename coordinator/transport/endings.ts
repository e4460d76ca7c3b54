/**
 * The last word of every call: that of a handler, of a guard, or of gRPC's library, which by itself ends a call whose
 * message it cannot read, before any interceptor is asked.
 */
import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';

export interface CallEnding {
  /** The method's path. */
  readonly path: string;
  readonly code: status;
  /** From its first byte to this. */
  readonly seconds: number;
  /** Whether it ends because a message could not be read, or was too large to be. */
  readonly unreadable: boolean;
}

type PartialStatusObject = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

/** Characters of a status: it leaves as a header, at most nine bytes for each, and headers over 64 KiB do not leave. */
export const MAX_DETAILS = 4_000;

/** As grpc-js 1.14 words it. It calls the sender's fault an internal error of ours. */
const WORDS_FOR_UNREADABLE = ['Error deserializing request', 'Failed to decompress message', 'Invalid grpc-timeout'];
const WORDS_FOR_TOO_LARGE = ['Received message larger than max', 'Received message that decompresses'];

/** Sees the base of the chain, so it must be the first of a server's interceptors. */
export function endingInterceptor(onEnding: (ending: CallEnding) => void): ServerInterceptor {
  return ({ path }, call) => {
    const begun = performance.now();
    const send = call.sendStatus.bind(call);
    let over = false;
    // Not handed to the next in the chain, but put in its place: the library calls it too.
    call.sendStatus = (ending) => {
      const told = { ...ending, ...plainly(ending) };
      if (!over) {
        over = true;
        const seconds = (performance.now() - begun) / 1000;
        onEnding({ path, code: told.code, seconds, unreadable: isUnreadable(ending) });
      }
      send(told);
    };
    return new ServerInterceptingCall(call);
  };
}

function isUnreadable({ details }: PartialStatusObject): boolean {
  return [...WORDS_FOR_UNREADABLE, ...WORDS_FOR_TOO_LARGE].some((words) => details?.startsWith(words));
}

function plainly({ code, details }: PartialStatusObject): { code: status; details: string } {
  const text = details ?? '';
  const theirs = WORDS_FOR_UNREADABLE.some((words) => text.startsWith(words));
  const known = code ?? status.OK;
  if (theirs) return { code: status.INVALID_ARGUMENT, details: `what came cannot be read: ${text}` };
  // What is wrong is said at the beginning or at the end; what is long between them is a name.
  const long = text.length > MAX_DETAILS;
  const short = long ? `${text.slice(0, MAX_DETAILS / 2)} ... ${text.slice(-MAX_DETAILS / 2)}` : text;
  // Half a character, such as one that was cut, would throw where the status is made a header.
  return { code: known, details: short.replace(/\p{Surrogate}/gu, '\ufffd') };
}
