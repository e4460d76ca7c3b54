/**
 * The file `token` in a data folder. It contains the secret that clients need for everything that trawl serves on the
 * loopback interface, except /healthz, /readyz and /leader.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BadInputError } from '../../proto/errors.ts';
import { errorMessage } from '../text/error-message.ts';
import { PRIVATE_FILE } from './private-files.ts';
import { writeDurablySync } from './write-durably.ts';

const TOKEN_BYTES = 32;
/** A token may contain only these characters, because it is sent in a header. */
const TOKEN = /^[\x21-\x7e]{16,1000}$/;

/** The consequence of `--no-auth`, for logs and messages. */
export const NO_AUTH_TEXT =
  '--no-auth: every user of this machine can run programs as you, stop your sweeps, and read and change their results';

/** Returns the path of the token file in a data folder. */
export function tokenFile(dir: string): string {
  return join(dir, 'token');
}

/**
 * Returns the token of a data folder, and creates it if the folder has none. Only one process may call this function at
 * a time.
 * @throws {BadInputError} when the file is not a regular file, or has no valid token
 */
export function ensureToken(dir: string): string {
  const path = tokenFile(dir);
  if (!existsSync(path)) {
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    writeDurablySync(path, `${token}\n`, PRIVATE_FILE);
    return token;
  }
  const stats = lstatSync(path);
  if (!stats.isFile())
    throw new BadInputError(`${path} is not a regular file: remove it, and a new token is created at the next start`);
  if ((stats.mode & 0o077) !== 0) chmodSync(path, PRIVATE_FILE);
  return readToken(path);
}

/**
 * Reads a token from a file.
 * @throws {BadInputError} when the file cannot be read or has no valid token
 */
export function readToken(path: string): string {
  let token: string;
  try {
    token = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new BadInputError(`cannot read the token: ${errorMessage(error)}`, { cause: error });
  }
  if (TOKEN.test(token)) return token;
  throw new BadInputError(
    `${path} has no valid token: expected 16 to 1,000 printable characters; if the file does not exist, a coordinator ` +
      'creates a new token when it starts',
  );
}
