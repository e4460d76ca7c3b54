/** Keeps trawl's folders and files readable by their owner only, under any umask. */
import { chmodSync, existsSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BadInputError, RejectedError } from '../../proto/errors.ts';
import { requireFolder } from './folder.ts';

export const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;
const PRIVATE_UMASK = 0o077;
const WRITABLE_BY_OTHERS = 0o022;
const ROOT = 0;

/** The environment variable with the user's umask, in octal. The programs of trials run with this umask. */
export const USER_UMASK = 'TRAWL_USER_UMASK';

const OCTAL_UMASK = /^[0-7]{1,4}$/;

/**
 * Sets the umask so that all files and folders that this process and its children create are private. The previous
 * umask is stored in the environment variable USER_UMASK for the children, unless this variable is already set.
 * @throws {BadInputError} when the umask in the environment is not an octal number
 */
export function keepFilesPrivate(): void {
  const given = process.env[USER_UMASK] ?? '';
  if (given !== '' && !OCTAL_UMASK.test(given)) {
    throw new BadInputError(`${USER_UMASK} must be an octal number such as 022, not ${JSON.stringify(given)}`);
  }
  const before = process.umask(PRIVATE_UMASK);
  if (given === '') process.env[USER_UMASK] = before.toString(8);
}

/**
 * Creates a private folder, or makes an existing folder private.
 * @returns whether the permissions of an existing folder were reduced
 * @throws {BadInputError} when the folder cannot be used
 * @throws {RejectedError} when the folder, or a symbolic link in its place, belongs to neither this user nor root; or
 * when other users could write to the folder, and a file in it belongs to one of them
 */
export function claimPrivateFolder(path: string): boolean {
  const isNew = !existsSync(path);
  requireFolder('the folder', path, PRIVATE_FOLDER);
  if (isNew) return false;
  const user = process.geteuid?.();
  if (user === undefined) return false;
  // The owner of a link is checked too, because that owner can make the link lead to another folder.
  for (const { uid } of [lstatSync(path), statSync(path)]) {
    if (uid !== user && uid !== ROOT) {
      throw new RejectedError(
        `the folder ${path} belongs to another user (uid ${uid}), who could read and replace the files in it: use a ` +
          'folder of your own, or run trawl as that user',
      );
    }
  }
  const { mode, uid } = statSync(path);
  // A volume that a container runtime mounts belongs to root, so only root can change the permissions of the volume.
  const canChange = (mode & PRIVATE_UMASK) !== 0 && uid === user;
  // The permissions are reduced before the files are checked, so that other users cannot add a file after the check.
  if (canChange) chmodSync(path, mode & ~PRIVATE_UMASK & 0o7777);
  const foreign = (mode & WRITABLE_BY_OTHERS) === 0 ? undefined : foreignEntry(path, user);
  if (foreign === undefined) return canChange;
  // The permissions are restored, so that the next start checks the files again.
  if (canChange) chmodSync(path, mode & 0o7777);
  throw new RejectedError(
    `other users could write to the folder ${path}, and ${foreign.path} belongs to one of them (uid ${foreign.uid}), who ` +
      'could have replaced a token, a password or a link: remove that file, or use another folder',
  );
}

/** Returns a file, folder or link at any depth that belongs neither to the user nor to root. */
function foreignEntry(folder: string, user: number): { readonly path: string; readonly uid: number } | undefined {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) continue;
    if (stats.uid !== user && stats.uid !== ROOT) return { path, uid: stats.uid };
    const inner = stats.isDirectory() ? foreignEntry(path, user) : undefined;
    if (inner !== undefined) return inner;
  }
  return undefined;
}

/** Describes a folder whose permissions were reduced; for a log or a terminal. */
export function tightenedText(path: string): string {
  return `other users could access ${path}; it is now accessible to its owner only (mode 0700)`;
}
