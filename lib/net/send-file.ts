/** Sends a file on a gRPC stream as fast as the peer reads. */
import type { EventEmitter } from 'node:events';
import { createReadStream } from 'node:fs';
import { ARTIFACT_CHUNK_BYTES } from '../../proto/limits.ts';
import { untilDrained } from './within.ts';

export interface FilePart {
  readonly path: string;
  /** The offset of the first byte to send. */
  readonly start: number;
  /** The announced size of the whole file, in bytes. Bytes beyond this size are not sent. */
  readonly size: number;
}

/** A stream of messages to a peer. */
export interface MessageSink<Message> extends Pick<EventEmitter, 'on' | 'off'> {
  write(message: Message): boolean;
}

/**
 * Sends the bytes of a file, from the offset `start` up to the announced size. Returns early if the call ends. The
 * status of the call then states the reason.
 * @param ended a signal that is aborted when the call has ended
 * @returns false if the file is shorter than announced
 * @throws {NodeJS.ErrnoException} if the file cannot be read
 */
export async function sendFile<Message>(
  call: MessageSink<Message>,
  { path, start, size }: FilePart,
  messageOf: (chunk: Buffer) => Message,
  ended: AbortSignal,
): Promise<boolean> {
  if (start >= size) return true;
  let at = start;
  for await (const chunk of createReadStream(path, { start, end: size - 1, highWaterMark: ARTIFACT_CHUNK_BYTES })) {
    if (ended.aborted) return true;
    at += chunk.length;
    if (!call.write(messageOf(chunk))) await untilDrained(call, ended);
  }
  return at >= size || ended.aborted;
}
