/** Keeps trawl's folders and files readable by their owner only, under any umask. */
import { chmodSync, existsSync, lstatSync, statSync } from 'node:fs';
import { RejectedError } from '../../proto/errors.ts';
import { requireFolder } from './folder.ts';

export const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;
const PRIVATE_UMASK = 0o077;
const ROOT = 0;

/** The variable with the umask of the user, in octal. Programs of trials run with that umask. */
export const USER_UMASK = 'TRAWL_USER_UMASK';

/**
 * Makes every file and folder that this process and its children create private. The environment of the children
 * contains the umask that was in effect before.
 */
export function keepFilesPrivate(): void {
  const before = process.umask(PRIVATE_UMASK);
  process.env[USER_UMASK] ??= before.toString(8);
}

/**
 * Creates a private folder, or makes an existing folder private.
 * @returns whether the permissions of an existing folder were reduced
 * @throws {BadInputError} when the folder cannot be used
 * @throws {RejectedError} when the folder, or a symbolic link in its place, belongs to another user
 */
export function claimPrivateFolder(path: string): boolean {
  const isNew = !existsSync(path);
  requireFolder('the folder', path, PRIVATE_FOLDER);
  if (isNew) return false;
  const user = process.geteuid?.();
  if (user === undefined) return false;
  // The owner of a link decides where it leads.
  for (const { uid } of [lstatSync(path), statSync(path)]) {
    if (uid !== user && uid !== ROOT) {
      throw new RejectedError(
        `the folder ${path} belongs to another user (uid ${uid}), who could read and replace the files in it: use a ` +
          'folder of your own, or run trawl as that user',
      );
    }
  }
  const { mode, uid } = statSync(path);
  // A volume that a container runtime mounts belongs to root. Only root can change its permissions.
  if ((mode & PRIVATE_UMASK) === 0 || uid !== user) return false;
  chmodSync(path, mode & ~PRIVATE_UMASK & 0o7777);
  return true;
}

/** Describes a folder whose permissions were reduced; for a log or a terminal. */
export function tightenedText(path: string): string {
  return `other users could access ${path}; it is now accessible to its owner only (mode 0700)`;
}
