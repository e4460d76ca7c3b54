/** Finds the git commit and the uncommitted changes of a folder. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { GitState } from '../../proto/gen/trawl/v1/types.ts';
import { MAX_DIFF_BYTES } from '../../proto/limits.ts';
import { errorMessage } from '../text/error-message.ts';
import { formatSize } from '../text/size.ts';

const run = promisify(execFile);

/**
 * The time limit of each git command. It is long, because a command that compares many files can be slow on a network
 * file system.
 */
const LIMIT_MS = 30_000;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
/** The maximum number of untracked files that are listed. Further untracked files are only counted. */
const MAX_UNTRACKED = 100;

/** Options of every call of git. Without the first option, the configuration of a repository could start a program. */
const SAFE = ['-c', 'core.fsmonitor=false', '-c', 'core.quotePath=false', '-c', 'color.ui=false'];

export interface GitFacts {
  readonly state: GitState;
  /**
   * The diff between the commit and the tracked files in the folder. Empty if there are no changes, or if the diff was
   * not requested.
   */
  readonly diff: string;
}

/**
 * Returns the commit, branch and remote of a folder, and its uncommitted changes. Never throws: if git fails, for
 * example because there is no commit, the state contains the reason.
 * @param withDiff whether to return the diff of the changes
 */
export async function gitFacts(dir: string, withDiff: boolean): Promise<GitFacts> {
  try {
    const commit = (await git(dir, 'rev-parse', '--verify', 'HEAD')).trim();
    const status = await git(dir, 'status', '--porcelain=v1', '-z', '--untracked-files=all', '--no-renames', '--', '.');
    const changes = status.split('\0').filter((line) => line !== '');
    const untracked = changes.filter((line) => line.startsWith('??')).map((line) => line.slice(3));
    const isDirty = changes.length > untracked.length;
    const branch = await git(dir, 'symbolic-ref', '--short', '--quiet', 'HEAD').catch(() => '');
    const remote = await git(dir, 'remote', 'get-url', 'origin').catch(() => '');
    return {
      state: {
        commit,
        branch: branch.trim(),
        remote: withoutCredentials(remote.trim()),
        dirty: isDirty,
        untracked: untracked.slice(0, MAX_UNTRACKED),
        untrackedCount: untracked.length,
        missing: '',
      },
      diff: withDiff && isDirty ? await diffOf(dir) : '',
    };
  } catch (error) {
    const none = { commit: '', branch: '', remote: '', dirty: false, untracked: [], untrackedCount: 0 };
    return { state: { ...none, missing: reasonOf(error) }, diff: '' };
  }
}

async function diffOf(dir: string): Promise<string> {
  const text = await git(dir, 'diff', '--no-ext-diff', '--no-textconv', '--no-color', 'HEAD', '--', '.').catch(partOf);
  return limitedDiff(text);
}

/**
 * Truncates a diff at the end of a line, so that the diff and its final notice together have at most MAX_DIFF_BYTES.
 */
export function limitedDiff(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= MAX_DIFF_BYTES) return text;
  const notice = `[trawl] the diff is cut here: it has over ${formatSize(MAX_DIFF_BYTES)}\n`;
  const cut = bytes.subarray(0, MAX_DIFF_BYTES - Buffer.byteLength(notice));
  const end = cut.lastIndexOf('\n') + 1;
  return `${cut.subarray(0, end).toString()}${notice}`;
}

async function git(dir: string, ...args: readonly string[]): Promise<string> {
  const env = { ...process.env, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0' };
  const options = { cwd: dir, timeout: LIMIT_MS, maxBuffer: MAX_OUTPUT_BYTES, env };
  return (await run('git', [...SAFE, ...args], options)).stdout;
}

/**
 * Returns the beginning of an output that exceeds the buffer. The beginning is enough, because the diff is truncated to
 * fewer bytes than the buffer holds.
 */
function partOf(error: unknown): string {
  const isLong = error instanceof Error && 'code' in error && error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER';
  if (isLong && 'stdout' in error && typeof error.stdout === 'string') return error.stdout;
  throw error;
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 'git is not installed';
  const text = error instanceof Error && 'stderr' in error ? `${error.stderr}` : errorMessage(error);
  if (/not a git repository/i.test(text)) return 'the folder is not in a git repository';
  if (/needed a single revision|unknown revision|ambiguous argument 'HEAD'/i.test(text)) {
    return 'the repository has no commit yet';
  }
  const [first = ''] = text.trim().split('\n');
  return `git failed: ${first.slice(0, 200)}`;
}

/** Removes credentials from a remote's URL, because credentials must not be stored. */
function withoutCredentials(remote: string): string {
  return remote.replace(/^([\w+]+:\/\/)[^@/]*@/, '$1');
}
