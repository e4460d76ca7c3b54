/** Checks and creates folders that a user names, and explains why a folder cannot be used. */
import { accessSync, constants, mkdirSync, type Stats, statfsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { BadInputError } from '../../proto/errors.ts';

/**
 * The maximum length of a folder's path, in bytes. The paths of files in the folder must stay below the limit of Linux,
 * 4,096 bytes.
 */
export const MAX_FOLDER_PATH = 2_048;
/** The maximum length of a path in a message. Longer paths are shortened. */
const MAX_SHOWN_PATH = 200;

/** The Linux file systems that cannot store files, by the type number that `statfs` returns (linux/magic.h). */
const KERNEL_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x9fa0, 'proc'],
  [0x62656572, 'sysfs'],
  [0x27e0eb, 'cgroup'],
  [0x63677270, 'cgroup2'],
  [0x64626720, 'debugfs'],
  [0x74726163, 'tracefs'],
  [0x73636673, 'securityfs'],
  [0xcafe4a11, 'bpf'],
  [0x1cd1, 'devpts'],
]);

/**
 * Descriptions of the error codes that mean that the system rejects the path itself. After such an error, the user must
 * choose another path or change the permissions.
 */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOENT: 'no such file or folder',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'it is a folder',
  EEXIST: 'it exists already',
  ENAMETOOLONG: 'a name in the path is too long',
  ELOOP: 'the path has too many symbolic links',
};

/**
 * Returns the reason why the system rejected the path of a file operation; undefined if the operation failed for
 * another reason.
 */
export function pathProblem(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? REASONS[`${error.code}`] : undefined;
}

/** Shortens a long path in the middle. */
export function shownPath(path: string): string {
  if (path.length <= MAX_SHOWN_PATH) return path;
  return `${path.slice(0, MAX_SHOWN_PATH / 2)}…${path.slice(-MAX_SHOWN_PATH / 2)}`;
}

/**
 * Returns the reason why a folder cannot be created, or why files cannot be written in it; undefined if the folder can
 * be used. Changes nothing. The free space of the disk is not checked.
 */
export function folderProblem(path: string): string | undefined {
  if (path === '') return 'the path is empty';
  const folder = resolve(path);
  const bytes = Buffer.byteLength(folder);
  if (bytes > MAX_FOLDER_PATH) return `the path is too long (${bytes} bytes, at most ${MAX_FOLDER_PATH})`;
  try {
    const existing = closestFolder(folder);
    const fileSystem = KERNEL_FILE_SYSTEMS.get(statfsSync(existing).type);
    if (fileSystem !== undefined) return `${existing} is a ${fileSystem} file system, which stores no files`;
    accessSync(existing, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    if (error instanceof BadInputError) return error.message;
    const reason = pathProblem(error);
    if (reason === undefined) throw error;
    return reason;
  }
}

/** @throws {BadInputError} if the path, or its closest existing parent, is not a folder */
function closestFolder(folder: string): string {
  for (let path = folder; ; path = dirname(path)) {
    const found = entryAt(path);
    if (found?.isDirectory() === true) return path;
    if (found !== undefined)
      throw new BadInputError(`${shownPath(path)} is ${found.isFile() ? 'a file' : 'not a folder'}`);
    if (dirname(path) === path) throw new BadInputError('no such file or folder');
  }
}

/**
 * Returns the stats of the file or folder at a path. Undefined if nothing is there, or if a parent in the path is a
 * file.
 */
function entryAt(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw error;
  }
}

/**
 * Checks that files can be written in a folder, or that the folder can be created. Changes nothing.
 * @throws {BadInputError}
 */
export function checkFolder(name: string, path: string): void {
  const problem = folderProblem(path);
  if (problem !== undefined) throw unusable(name, path, problem);
}

/**
 * Creates a folder and its parents, unless they exist, and checks that files can be written in the folder.
 * @param name the option that names the folder; the error message contains it
 * @param mode the permissions of new folders; the umask applies
 * @returns the absolute path
 * @throws {BadInputError} if the folder cannot be used
 */
export function requireFolder(name: string, path: string, mode = 0o777): string {
  checkFolder(name, path);
  const folder = resolve(path);
  try {
    makeFolder(folder, mode);
  } catch (error) {
    const reason = pathProblem(error);
    throw reason === undefined ? error : unusable(name, path, reason, error);
  }
  return folder;
}

/**
 * Creates a folder and its parents. On a file system such as /proc, which answers ENOENT for every new folder, Node's
 * recursive `mkdirSync` never returns. This function throws the error instead.
 */
function makeFolder(folder: string, mode: number): void {
  if (entryAt(folder)?.isDirectory() === true) return;
  if (dirname(folder) !== folder) makeFolder(dirname(folder), mode);
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    // Another process may have created the folder in the meantime.
    if (entryAt(folder)?.isDirectory() !== true) throw error;
  }
}

/**
 * Checks that a folder exists.
 * @throws {BadInputError}
 */
export function requireExistingFolder(name: string, path: string): void {
  const problem = existingFolderProblem(path);
  if (problem !== undefined) throw unusable(name, path, problem);
}

function existingFolderProblem(path: string): string | undefined {
  if (path === '') return 'the path is empty';
  try {
    return statSync(path).isDirectory() ? undefined : 'it is not a folder';
  } catch (error) {
    const reason = pathProblem(error);
    if (reason === undefined) throw error;
    return reason;
  }
}

function unusable(name: string, path: string, reason: string, cause?: unknown): BadInputError {
  return new BadInputError(`${name} ${shownPath(path) || '""'} cannot be used: ${reason}`, { cause });
}
