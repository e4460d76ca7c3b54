/** Reads a file while a program appends to it. */
import { type FileHandle, open } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';

/** Between two looks at the file. Looking works on every file system; being told of changes does not. */
const LOOK_MS = 200;
const CHUNK_BYTES = 64 * 1024;

/**
 * The file's text, piece by piece; the file may come into being later, or never.
 * @param complete aborted when nothing will be appended any more: what is there then is still read
 */
export async function* tail(path: string, complete: AbortSignal): AsyncGenerator<string, void, undefined> {
  const decoder = new StringDecoder('utf8');
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let file: FileHandle | undefined;
  let at = 0;
  try {
    for (;;) {
      const last = complete.aborted;
      file ??= await open(path, 'r').catch(() => undefined);
      const { bytesRead } = (await file?.read(buffer, 0, CHUNK_BYTES, at)) ?? { bytesRead: 0 };
      at += bytesRead;
      if (bytesRead > 0) yield decoder.write(buffer.subarray(0, bytesRead));
      else if (last) return;
      else await sleep(LOOK_MS, undefined, { signal: complete }).catch(() => {});
    }
  } finally {
    await file?.close();
  }
}
