/** Receives a backup, file by file. */
import { mkdirSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
  BACKUP_STORE,
  FILE_FOLDERS,
  isNotEmpty,
  type Manifest,
  sealBackup,
} from '../../coordinator/backup/backup-folder.ts';
import { checkFolder, requireFolder } from '../../lib/files/folder.ts';
import { innerPath } from '../../lib/files/inner-path.ts';
import { syncPath } from '../../lib/files/write-durably.ts';
import { DamagedError, RejectedError } from '../../proto/errors.ts';
import type { BackupFile } from '../../proto/gen/trawl/v1/operations_service.ts';
import { trawlVersion } from '../package.ts';
import type { Connection } from './connect.ts';
import { restartingStream } from './rpc.ts';

/**
 * Writes a backup to a new folder. The folder gets its final name only when the backup is complete, verified and
 * durable.
 * @throws {RejectedError} when the folder exists and is not empty
 * @throws {DamagedError} when the received backup is incomplete
 */
export async function receiveBackup(connection: Connection, out: string): Promise<Manifest> {
  const folder = resolve(out);
  checkFolder('--out', out);
  if (isNotEmpty(folder)) throw new RejectedError(`${out} already exists: a backup needs a new folder`);
  const part = `${folder}.part`;
  await rm(part, { recursive: true, force: true });
  requireFolder('--out', part);
  try {
    await receive(connection, part);
    const sealed = await sealBackup(part, trawlVersion());
    await rm(folder, { recursive: true, force: true });
    await rename(part, folder);
    await syncPath(dirname(folder));
    return sealed;
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    throw error;
  }
}

async function receive(connection: Connection, folder: string): Promise<void> {
  let current: IncomingFile | undefined;
  const discard = async () => {
    await current?.close();
    current = undefined;
    await rm(folder, { recursive: true, force: true });
    requireFolder('--out', folder);
  };
  try {
    for await (const { message } of restartingStream(connection, connection.operations.backup, {}, discard)) {
      if (message?.$case === 'file') {
        await current?.finish();
        current = await IncomingFile.create(folder, message.file);
      } else if (message?.$case === 'chunk') {
        if (current === undefined) throw new DamagedError('the backup is damaged: its first chunk belongs to no file');
        await current.append(message.chunk);
      }
    }
    await current?.finish();
  } finally {
    await current?.close();
  }
}

class IncomingFile {
  readonly #file: FileHandle;
  readonly #announced: BackupFile;
  #size = 0;
  #open = true;

  private constructor(file: FileHandle, announced: BackupFile) {
    this.#file = file;
    this.#announced = announced;
  }

  static async create(folder: string, announced: BackupFile): Promise<IncomingFile> {
    const { name } = announced;
    const expected = name === BACKUP_STORE || FILE_FOLDERS.some((folder) => name.startsWith(`${folder}/`));
    if (!expected) throw new DamagedError(`the backup contains an unexpected file ${JSON.stringify(name)}`);
    const path = innerPath(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    return new IncomingFile(await open(path, 'wx'), announced);
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#file.appendFile(bytes);
    this.#size += bytes.byteLength;
  }

  async finish(): Promise<void> {
    if (this.#size !== this.#announced.size) {
      throw new DamagedError(`received ${this.#size} of ${this.#announced.size} bytes of ${this.#announced.name}`);
    }
    await this.#file.sync();
    await this.close();
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#file.close();
  }
}
