/** A gRPC call made by hand on HTTP/2, so that every byte of it can be wrong. */
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from 'node:http2';

export interface RawCall {
  readonly path: string;
  /** What is sent, a piece at a time. */
  readonly pieces: readonly Uint8Array[];
  readonly headers?: Readonly<Record<string, string>>;
  /** What comes after the last piece: the end, nothing, or a reset. */
  readonly ending?: 'end' | 'silence' | 'reset';
  /** Once its end has come it must be answered, however long that takes; streams may rightly go on for ever. */
  readonly mustEnd?: boolean;
}

export interface RawAnswer {
  /** The gRPC status; undefined: there was none. */
  readonly code: number | undefined;
  readonly details: string;
  /** Messages came before it. */
  readonly answered: boolean;
  /** The caller broke it off, having waited. */
  readonly brokenOff: boolean;
}

const PATIENCE_MS = 120;
const ANSWER_MS = 20_000;
const RESET_MS = 20;
const PIECE_LIMIT = 1 << 20;

export function dial(address: string): ClientHttp2Session {
  // In MB: what waits to be sent counts, and whoever has more is not answered any more.
  const session = connect(`http://${address}`, { maxSessionMemory: 1_000 });
  session.on('error', () => {});
  return session;
}

/** A message in its frame. */
export function framed(message: Uint8Array, flag = 0, length = message.length): Uint8Array {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

/** @param session of `dial` */
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
  let brokenOff = false;
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
  const giveUp = () => {
    brokenOff = true;
    stream.close(constants.NGHTTP2_CANCEL);
  };
  const patienceMs = ending === 'end' && call.mustEnd ? ANSWER_MS : PATIENCE_MS;
  const timer = setTimeout(giveUp, ending === 'reset' ? RESET_MS : patienceMs);
  return new Promise((resolve) => {
    stream.on('close', () => {
      clearTimeout(timer);
      resolve({ code, details, answered, brokenOff });
    });
  });
}
