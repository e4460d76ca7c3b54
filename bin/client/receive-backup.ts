/** Takes a backup in, file by file. */

import { mkdirSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ARTIFACTS, BACKUP_STORE, isTaken, type Manifest, sealBackup } from '../../coordinator/backup/backup-folder.ts';
import { syncPath } from '../../lib/files/write-durably.ts';
import { DamagedError, RefusedError } from '../../proto/errors.ts';
import type { BackupFile } from '../../proto/gen/trawl/v1/operations_service.ts';
import { artifactNameProblem } from '../../proto/limits.ts';
import { trawlVersion } from '../package.ts';
import type { Connection } from './connect.ts';
import { stream } from './rpc.ts';

/**
 * The folder appears whole, checked and durable, or not at all.
 * @throws {RefusedError} when there is something already
 * @throws {DamagedError} when what arrived is not whole
 */
export async function receiveBackup(connection: Connection, out: string): Promise<Manifest> {
  const folder = resolve(out);
  if (isTaken(folder)) throw new RefusedError(`${out} is there already: a backup is written into a new folder`);
  const part = `${folder}.part`;
  await rm(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
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
  let current: Incoming | undefined;
  try {
    for await (const { message } of stream(connection, connection.operations.backup, {})) {
      if (message?.$case === 'file') {
        await current?.finish();
        current = await Incoming.begin(folder, message.file);
      } else if (message?.$case === 'chunk') {
        if (current === undefined) throw new DamagedError('the backup begins with bytes of no file');
        await current.append(message.chunk);
      }
    }
    await current?.finish();
  } finally {
    await current?.close();
  }
}

class Incoming {
  readonly #file: FileHandle;
  readonly #told: BackupFile;
  #size = 0;
  #open = true;

  private constructor(file: FileHandle, told: BackupFile) {
    this.#file = file;
    this.#told = told;
  }

  static async begin(folder: string, told: BackupFile): Promise<Incoming> {
    const known = told.name === BACKUP_STORE || told.name.startsWith(`${ARTIFACTS}/`);
    // Each step for itself: an artifact's own name may be as long as all of them.
    const strange = told.name.split('/').some((step) => artifactNameProblem(step) !== undefined);
    if (!known || strange) {
      throw new DamagedError(`the backup has a file ${JSON.stringify(told.name)}, which none may have`);
    }
    const path = join(folder, told.name);
    mkdirSync(dirname(path), { recursive: true });
    return new Incoming(await open(path, 'wx'), told);
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#file.appendFile(bytes);
    this.#size += bytes.byteLength;
  }

  async finish(): Promise<void> {
    if (this.#size !== this.#told.size) {
      throw new DamagedError(`${this.#told.name} came with ${this.#size} of ${this.#told.size} bytes`);
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
