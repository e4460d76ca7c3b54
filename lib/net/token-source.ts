/** Provides the token for each call to a coordinator that requires one. */
import { statSync } from 'node:fs';
import { BadInputError } from '../../proto/errors.ts';
import { findLocalCoordinator } from '../files/local-coordinators.ts';
import { isAlive } from '../files/process-identity.ts';
import { readToken, tokenFile } from '../files/token-file.ts';
import { isLoopback, parseAddress } from './address.ts';
import { listenerOwners } from './listener-owner.ts';

type TokenAnswer =
  | { readonly kind: 'token'; readonly token: string }
  /** No token is known for the address. */
  | { readonly kind: 'none' }
  /** A process of another user listens at the address. It must receive neither the token nor the request. */
  | { readonly kind: 'foreign'; readonly message: string };

/**
 * Returns the token for one call. This function is called again for each call, because the token can change when a
 * coordinator is restarted while a client waits for it.
 */
export type TokenSource = () => TokenAnswer;

/** Returns a source that always gives the same token. */
export function givenToken(token: string): TokenSource {
  return () => ({ kind: 'token', token });
}

/**
 * Returns a source that reads the token in a file that the user names. The file is read for each call, because a
 * coordinator that was restored from a backup creates a new token. While the file has no valid token, the last valid
 * token is used.
 * @throws {BadInputError} if the file has no valid token when this function is called
 */
export function fileToken(path: string): TokenSource {
  let token = readToken(path);
  return () => {
    try {
      token = readToken(path);
    } catch {
      // The file can be absent while a restore replaces its folder. The last token is then used.
    }
    return { kind: 'token', token };
  };
}

/**
 * Returns the source of the token for an address. The token comes from the first of these that exists: the file,
 * TRAWL_TOKEN, and this user's own coordinator at the address. Without TLS, only the loopback keeps a token secret, so
 * no token is sent to other addresses. The token of this user's own coordinator is sent to processes of this user only,
 * even if the file or TRAWL_TOKEN contains that token. If no token is known, no request is sent to a process of another
 * person, that is, of another user whose id is FIRST_PERSON or higher.
 * @param file the value of --token-file
 * @throws {BadInputError} if the file or TRAWL_TOKEN has no valid token, or if a file is given and the address is not
 * on the loopback
 */
export function tokenSource(address: string, file: string | undefined): TokenSource {
  const at = parseAddress(address, 'the coordinator');
  if (!isLoopback(at)) {
    if (file === undefined) return () => ({ kind: 'none' });
    throw new BadInputError(
      `--token-file is for coordinators on this machine, and ${address} is not: others on the network could read the ` +
        'token; use --identity, or a tunnel such as "ssh -L" to the loopback',
    );
  }
  const { TRAWL_TOKEN } = process.env;
  const given = file !== undefined ? fileToken(file) : TRAWL_TOKEN ? givenToken(checkedText(TRAWL_TOKEN)) : undefined;
  return () => {
    const found = findLocalCoordinator(at);
    const answer = given?.();
    if (answer === undefined) return found === undefined ? withoutToken(at.port) : tokenOfFolder(found, at.port);
    return found !== undefined && isTokenOf(found.dir, answer) ? tokenOfFolder(found, at.port) : answer;
  };
}

/** Returns the source of the token for an address. */
export type TokenSources = (address: string) => TokenSource;

export const NO_TOKENS: TokenSources = () => () => ({ kind: 'none' });

/**
 * Returns a function that returns the token source of each address (see `tokenSource`).
 * @param addresses the addresses that are known now; their coordinators can name further addresses, which the returned
 * function accepts too
 * @throws {BadInputError} when a file is given, and it has no valid token or an address is not on the loopback
 */
export function tokenSources(addresses: readonly string[], file: string | undefined): TokenSources {
  const known = new Map(addresses.map((address) => [address, tokenSource(address, file)]));
  return (address) => known.get(address) ?? tokenSource(address, file);
}

/**
 * Checks the value of TRAWL_TOKEN, and returns it without leading or trailing spaces. Any text that a header can
 * contain is valid.
 * @throws {BadInputError}
 */
function checkedText(text: string): string {
  const token = text.trim();
  if (/^[\x20-\x7e]{1,1000}$/.test(token)) return token;
  throw new BadInputError('TRAWL_TOKEN: expected a token of up to 1,000 printable ASCII characters on one line');
}

/** Returns a source that reads the token in the data folder of a coordinator on this machine. */
export function folderToken(dir: string, address: string, pid: number): TokenSource {
  const { port } = parseAddress(address, 'the coordinator');
  return () => tokenOfFolder({ dir, pid }, port);
}

function isTokenOf(dir: string, answer: TokenAnswer): boolean {
  try {
    return answer.kind === 'token' && answer.token === readToken(tokenFile(dir));
  } catch {
    return false;
  }
}

function tokenOfFolder({ dir, pid }: { readonly dir: string; readonly pid: number }, port: number): TokenAnswer {
  const path = tokenFile(dir);
  const file = statSync(path, { throwIfNoEntry: false });
  if (file === undefined) return withoutToken(port);
  const owners = listenerOwners(port);
  if (owners === undefined ? !isAlive(pid) : owners.size === 0) return { kind: 'none' };
  const other = [...(owners ?? [])].find((uid) => uid !== file.uid);
  if (other !== undefined) {
    const message = `port ${port} is used by a process of another user (uid ${other}), so nothing was sent to it`;
    return { kind: 'foreign', message };
  }
  return { kind: 'token', token: readToken(path) };
}

/**
 * A process whose user id is at least this number counts as the process of a person. Services usually have lower user
 * ids. A service with systemd's DynamicUser has a higher user id (61184 to 65519), and therefore counts as another
 * person. Users of such a service must set --token-file.
 */
const FIRST_PERSON = 1_000;

/**
 * Returns the answer for a port whose token is unknown. Every user of the machine can listen on the port, but no other
 * person may receive the sweep or its code.
 */
function withoutToken(port: number): TokenAnswer {
  const self = process.geteuid?.();
  const other = [...(listenerOwners(port) ?? [])].find((uid) => uid !== self && uid >= FIRST_PERSON);
  if (other === undefined) return { kind: 'none' };
  const message =
    `port ${port} is used by a process of another user (uid ${other}), so nothing was sent to it; to use a coordinator of ` +
    'that user, set --token-file to a copy of its token, or TRAWL_TOKEN to any text if the coordinator runs with ' +
    '--no-auth';
  return { kind: 'foreign', message };
}
