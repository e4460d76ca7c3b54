/** Provides the token for each call to a coordinator that requires one. */
import { statSync } from 'node:fs';
import { BadInputError } from '../../proto/errors.ts';
import { isAlive } from '../files/coordinator-file.ts';
import { findLocalCoordinator } from '../files/local-coordinators.ts';
import { readToken, tokenFile } from '../files/token-file.ts';
import { isLoopback, parseAddress } from './address.ts';
import { listenerOwners } from './listener-owner.ts';

type TokenAnswer =
  | { readonly kind: 'token'; readonly token: string }
  /** No token is known. */
  | { readonly kind: 'none' }
  /** The address now belongs to another user, who must receive neither the token nor the request. */
  | { readonly kind: 'foreign'; readonly message: string };

/** Called for each call, because a coordinator can be restarted while a client waits for it. */
export type TokenSource = () => TokenAnswer;

/** Always returns the same token. */
export function givenToken(token: string): TokenSource {
  return () => ({ kind: 'token', token });
}

/**
 * Returns the token in a file that the user names. The file is read for each call, because a coordinator that was
 * restored from a backup creates a new token. While the file has no valid token, the last valid token is used.
 * @throws {BadInputError} when the file has no valid token at first
 */
export function fileToken(path: string): TokenSource {
  let token = readToken(path);
  return () => {
    try {
      token = readToken(path);
    } catch {
      // A restore replaces the folder of the file.
    }
    return { kind: 'token', token };
  };
}

/**
 * Returns the token for an address. The file takes precedence over TRAWL_TOKEN, and TRAWL_TOKEN over the token of the
 * coordinator that this user runs at the address. Without TLS, only the loopback keeps a token secret, so other
 * addresses receive none.
 * @param file the value of --token-file
 * @throws {BadInputError} when the file has no valid token, or the address is not on the loopback
 */
export function tokenSource(address: string, file: string | undefined): TokenSource {
  const at = parseAddress(address, 'the coordinator');
  if (!isLoopback(at)) {
    if (file === undefined) return () => ({ kind: 'none' });
    throw new BadInputError(
      `--token-file is for coordinators on this machine, and ${address} is not: anyone on the way could read the token; ` +
        'use --identity, or a tunnel to the loopback such as "ssh -L"',
    );
  }
  if (file !== undefined) return fileToken(file);
  const { TRAWL_TOKEN } = process.env;
  if (TRAWL_TOKEN) return givenToken(TRAWL_TOKEN.trim());
  return () => {
    const found = findLocalCoordinator(at);
    return found === undefined ? { kind: 'none' } : tokenOfFolder(found.dir, at.port, found.pid);
  };
}

/** Returns the token in the data folder of a coordinator that runs on this machine. */
export function folderToken(dir: string, address: string, pid: number): TokenSource {
  const { port } = parseAddress(address, 'the coordinator');
  return () => tokenOfFolder(dir, port, pid);
}

function tokenOfFolder(dir: string, port: number, pid: number): TokenAnswer {
  const path = tokenFile(dir);
  const file = statSync(path, { throwIfNoEntry: false });
  if (file === undefined) return { kind: 'none' };
  const owners = listenerOwners(port);
  if (owners === undefined ? !isAlive(pid) : owners.size === 0) return { kind: 'none' };
  const other = [...(owners ?? [])].find((uid) => uid !== file.uid);
  if (other !== undefined) {
    const message = `port ${port} is used by a process of another user (uid ${other}), so nothing was sent to it`;
    return { kind: 'foreign', message };
  }
  return { kind: 'token', token: readToken(path) };
}
