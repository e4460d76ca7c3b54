/**
 * Observes the final status of every call. A handler, an interceptor or the gRPC library can send this status. If a
 * message is unreadable, the library ends the call before any interceptor sees the message.
 */
import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';

export interface CallStatus {
  /** The path of the called method. */
  readonly path: string;
  readonly code: status;
  /** The duration of the call. */
  readonly seconds: number;
  /** Whether the call ended because a message was unreadable or too large. */
  readonly unreadable: boolean;
}

type PartialStatusObject = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

/**
 * The maximum length of a status message, in characters. The message is sent as a header with up to nine bytes per
 * character, and headers over 64 KiB are not sent.
 */
export const MAX_DETAILS = 4_000;

/** Texts of errors that grpc-js 1.14 reports as internal errors of the server, although the client caused them. */
const UNREADABLE_PREFIXES = ['Error deserializing request', 'Failed to decompress message', 'Invalid grpc-timeout'];
const TOO_LARGE_PREFIXES = ['Received message larger than max', 'Received message that decompresses'];

/**
 * Reports and rewrites statuses. This interceptor must be the first interceptor of a server, because only the first
 * interceptor wraps the library's own call.
 */
export function callStatusInterceptor(onStatus: (ended: CallStatus) => void): ServerInterceptor {
  return ({ path }, call) => {
    const begun = performance.now();
    const send = call.sendStatus.bind(call);
    let ended = false;
    // The library itself also calls this method. Only the first interceptor sees these calls.
    call.sendStatus = (original) => {
      const rewritten = { ...original, ...rewrite(original) };
      if (!ended) {
        ended = true;
        const seconds = (performance.now() - begun) / 1000;
        onStatus({ path, code: rewritten.code, seconds, unreadable: isUnreadable(original) });
      }
      send(rewritten);
    };
    return new ServerInterceptingCall(call);
  };
}

function isUnreadable({ details }: PartialStatusObject): boolean {
  return [...UNREADABLE_PREFIXES, ...TOO_LARGE_PREFIXES].some((prefix) => details?.startsWith(prefix));
}

function rewrite({ code, details }: PartialStatusObject): { code: status; details: string } {
  const text = details ?? '';
  if (UNREADABLE_PREFIXES.some((prefix) => text.startsWith(prefix))) {
    return { code: status.INVALID_ARGUMENT, details: `unreadable message: ${text}` };
  }
  const tooLong = text.length > MAX_DETAILS;
  const short = tooLong ? `${text.slice(0, MAX_DETAILS / 2)} ... ${text.slice(-MAX_DETAILS / 2)}` : text;
  // A lone surrogate, which is half of a character, cannot be encoded in a header.
  return { code: code ?? status.OK, details: short.replace(/\p{Surrogate}/gu, '\ufffd') };
}
