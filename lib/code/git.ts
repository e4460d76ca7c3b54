/** Which version of the code a folder holds, as git knows it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** In characters. */
const MAX_DIFF = 1_000_000;
const LIMIT_MS = 30_000;

export interface GitFacts {
  /** The commit checked out, 40 or 64 hexadecimal digits. */
  readonly commit: string;
  /** The remote named origin, without credentials; undefined when there is none. */
  readonly remote: string | undefined;
  /** Whether tracked files differ from the commit, or untracked files exist. */
  readonly dirty: boolean;
  /** Differences of the tracked files below the folder from the commit; empty when there are none, or not wanted. */
  readonly diff: string;
  /** Whether the diff is longer than MAX_DIFF, and cut. */
  readonly diffTruncated: boolean;
}

/**
 * @param withDiff whether the diff may be recorded
 * @returns undefined where the folder is in no git repository with a commit, or there is no git
 */
export async function gitFacts(dir: string, withDiff = true): Promise<GitFacts | undefined> {
  try {
    const commit = (await git(dir, 'rev-parse', 'HEAD')).trim();
    const status = await git(dir, 'status', '--porcelain', '--', '.');
    const remote = await git(dir, 'remote', 'get-url', 'origin').catch(() => '');
    const diff =
      withDiff && status !== '' ? await git(dir, 'diff', '--no-ext-diff', '--no-textconv', 'HEAD', '--', '.') : '';
    return {
      commit,
      remote: remote.trim() === '' ? undefined : withoutCredentials(remote.trim()),
      dirty: status !== '',
      diff: diff.slice(0, MAX_DIFF),
      diffTruncated: diff.length > MAX_DIFF,
    };
  } catch {
    return undefined;
  }
}

async function git(dir: string, ...args: readonly string[]): Promise<string> {
  const options = { cwd: dir, timeout: LIMIT_MS, maxBuffer: 64 * MAX_DIFF };
  // A repository's own configuration must not run programs here.
  const safe = ['-c', 'core.fsmonitor=false'];
  return (await run('git', [...safe, ...args], options)).stdout;
}

/** Tokens in a remote's address must not be stored. */
function withoutCredentials(remote: string): string {
  return remote.replace(/^(\w+:\/\/)[^@/]*@/, '$1');
}
