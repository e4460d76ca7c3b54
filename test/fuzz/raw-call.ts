/** A gRPC call written directly to HTTP/2, so that any of its bytes can be wrong. */
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from 'node:http2';

export interface RawCall {
  readonly path: string;
  /** The body, in the chunks to send. */
  readonly pieces: readonly Uint8Array[];
  readonly headers?: Readonly<Record<string, string>>;
  /** How the call ends after the last chunk. `silence` leaves the call open. */
  readonly ending?: 'end' | 'silence' | 'reset';
  /**
   * Whether the call must get an answer. If so, the caller waits for up to ANSWER_MS. Otherwise the caller cancels the
   * call soon, because a stream may stay open without an answer.
   */
  readonly mustEnd?: boolean;
}

export interface RawAnswer {
  /** The gRPC status. Undefined if the call ended without a status. */
  readonly code: number | undefined;
  readonly details: string;
  /** Whether messages arrived before the status. */
  readonly answered: boolean;
  /** Whether the caller cancelled the call because no answer came in time. */
  readonly cancelled: boolean;
}

const PATIENCE_MS = 120;
const ANSWER_MS = 20_000;
const RESET_MS = 20;
const PIECE_LIMIT = 1 << 20;

export function dial(address: string): ClientHttp2Session {
  // The limit is in MB and includes data that waits to be sent. A session above the limit gets no more answers.
  const session = connect(`http://${address}`, { maxSessionMemory: 1_000 });
  session.on('error', () => {});
  return session;
}

/** Returns a message in its gRPC frame. */
export function grpcFrame(message: Uint8Array, flag = 0, length = message.length): Uint8Array {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

/** @param session from `dial` */
export function rawCall(session: ClientHttp2Session, call: RawCall): Promise<RawAnswer> {
  const stream = session.request({
    ':method': 'POST',
    ':path': call.path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...call.headers,
  });
  let code: number | undefined;
  let details = '';
  let answered = false;
  let cancelled = false;
  const note = (headers: IncomingHttpHeaders) => {
    if (headers['grpc-status'] === undefined) return;
    code = Number(headers['grpc-status']);
    details = decodeURI(`${headers['grpc-message'] ?? ''}`);
  };
  stream.on('response', note);
  stream.on('trailers', note);
  stream.on('error', () => {});
  stream.on('data', () => {
    answered = true;
  });
  for (const piece of call.pieces) {
    for (let at = 0; at < piece.length; at += PIECE_LIMIT) stream.write(piece.subarray(at, at + PIECE_LIMIT));
  }
  const { ending = 'end' } = call;
  if (ending === 'end') stream.end();
  const cancel = () => {
    cancelled = true;
    stream.close(constants.NGHTTP2_CANCEL);
  };
  const patienceMs = ending === 'end' && call.mustEnd ? ANSWER_MS : PATIENCE_MS;
  const timer = setTimeout(cancel, ending === 'reset' ? RESET_MS : patienceMs);
  return new Promise((resolve) => {
    stream.on('close', () => {
      clearTimeout(timer);
      resolve({ code, details, answered, cancelled });
    });
  });
}
