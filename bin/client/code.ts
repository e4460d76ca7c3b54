/** Packs the code of a sweep file, and uploads it to a coordinator that does not have it yet. */
import { dirname, join, resolve } from 'node:path';
import { type CodeFolder, listCode } from '../../lib/code/folder.ts';
import { gitFacts } from '../../lib/code/git.ts';
import { packCode } from '../../lib/code/pack.ts';
import { createTemporaryFolder } from '../../lib/files/temporary-folder.ts';
import { sendFile } from '../../lib/net/send-file.ts';
import type { PutCodeRequest, PutCodeResponse } from '../../proto/gen/trawl/v1/code_service.ts';
import type { CodeArchive, Source } from '../../proto/gen/trawl/v1/types.ts';
import type { LoadedSweepFile } from '../options/sweep-file.ts';
import type { Connection } from './connect.ts';
import { retryUnreachable } from './rpc.ts';
import { explainCallError } from './rpc-errors.ts';

/** The code of a sweep file, packed for an upload. */
export interface PackedCode {
  readonly folder: CodeFolder;
  readonly source: Source & { readonly archive: CodeArchive };
  /** The path of the archive, which is a temporary file. */
  readonly path: string;
}

/** A parsed sweep file. Paths in the file are relative to the folder of `fileName`. */
type SpecifiedFile = Pick<LoadedSweepFile, 'fileName' | 'spec'>;

/**
 * Lists the files in the code folder of a sweep file. Returns undefined if the sweep file has no `code`.
 * @throws {BadInputError} when the folder is missing, is empty or exceeds its limit
 */
export async function codeFolderOf({ fileName, spec: { code } }: SpecifiedFile): Promise<CodeFolder | undefined> {
  return code && listCode(resolve(dirname(fileName), code.dir), code);
}

/**
 * Packs the code folder of a sweep file, and passes the archive to `work`. The archive is removed when `work` has
 * ended. If the sweep file has no `code`, `work` receives undefined.
 * @throws {BadInputError} when the folder is missing, is empty or exceeds its limit
 */
export async function withPackedCode<T>(
  file: SpecifiedFile,
  work: (code: PackedCode | undefined) => Promise<T>,
): Promise<T> {
  const folder = await codeFolderOf(file);
  if (folder === undefined) return work(undefined);
  const temporary = createTemporaryFolder('code');
  try {
    const path = join(temporary.path, 'code.tar');
    const archive = await packCode(folder, path);
    const { state, diff } = await gitFacts(folder.dir, file.spec.code?.diff ?? true);
    return await work({ folder, path, source: { archive, files: folder.files.length, git: state, diff } });
  } finally {
    temporary.remove();
  }
}

/**
 * Uploads an archive unless the coordinator has it, and retries if the coordinator is unreachable. An interrupted
 * upload is resumed. The coordinator has stored the archive durably when the promise resolves.
 * @throws {UnreachableError | RejectedError}
 */
export async function uploadCode(connection: Connection, { path, source }: PackedCode): Promise<void> {
  await retryUnreachable(connection, () => upload(connection, path, source.archive));
}

async function upload(connection: Connection, path: string, archive: CodeArchive): Promise<void> {
  const call = connection.code.putCode();
  const ended = new AbortController();
  for (const event of ['error', 'end', 'close'] as const) call.on(event, () => ended.abort());
  try {
    call.write({ message: { $case: 'header', header: archive } });
    for await (const { message } of call as AsyncIterable<PutCodeResponse>) {
      if (message?.$case === 'stored') return;
      if (message?.$case !== 'offset') continue;
      const part = { path, start: message.offset, size: archive.size };
      await sendFile<PutCodeRequest>(call, part, (chunk) => ({ message: { $case: 'chunk', chunk } }), ended.signal);
    }
    throw new Error(`the coordinator at ${connection.address} did not answer the upload of the code`);
  } catch (error) {
    throw await explainCallError(error, connection);
  } finally {
    call.cancel();
  }
}
