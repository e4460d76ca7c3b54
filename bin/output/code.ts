/** The code of a sweep as text and JSON. */
import type { CodeFolder } from '../../lib/code/folder.ts';
import { countText } from '../../lib/text/numbers.ts';
import { formatSize } from '../../lib/text/size.ts';
import type { GitState, Source } from '../../proto/gen/trawl/v1/types.ts';
import type { PackedCode } from '../client/code.ts';
import { note } from './print.ts';

const SHORT_HASH = 12;
const OMITTED_SHOWN = 10;

/** Returns the version of the code, such as `commit 3f2a91bc0d1e (main), with uncommitted changes`. */
function gitText(git: GitState | undefined): string {
  if (git === undefined || git.commit === '') return `no commit recorded: ${git?.missing || 'unknown'}`;
  const branch = git.branch === '' ? '' : ` (${git.branch})`;
  const remote = git.remote === '' ? '' : ` of ${git.remote}`;
  const untracked = git.untrackedCount === 0 ? [] : [countText(git.untrackedCount, 'untracked file')];
  const state = [...(git.dirty ? ['uncommitted changes'] : []), ...untracked];
  return `commit ${git.commit.slice(0, SHORT_HASH)}${branch}${remote}${state.length === 0 ? '' : `, with ${state.join(' and ')}`}`;
}

/** Returns the size of an archive and its checksum, such as `3 files, 12 KiB, sha256 0123456789ab`. */
function archiveText({ archive, files }: Source): string {
  const { size = 0, sha256 = '' } = archive ?? {};
  return `${countText(files, 'file')}, ${formatSize(size)}, sha256 ${sha256.slice(0, SHORT_HASH)}`;
}

/** Returns one line for each file that cannot be sent. */
function omittedLines({ omitted }: CodeFolder): string[] {
  const lines = omitted.slice(0, OMITTED_SHOWN).map(({ path, reason }) => `${path} is left out: ${reason}`);
  return omitted.length > OMITTED_SHOWN ? [...lines, `${omitted.length - OMITTED_SHOWN} more are left out`] : lines;
}

const LARGEST_SHOWN = 5;

/** Returns the fields of a plan that show what would be sent. */
export function codeFields({ folder, source }: PackedCode): [name: string, value: string][] {
  const largest = [...folder.files].sort((a, b) => b.size - a.size).slice(0, LARGEST_SHOWN);
  return [
    ['code', `${folder.dir}: ${archiveText(source)}`],
    ['', gitText(source.git)],
    ['', `largest: ${largest.map(({ path, size }) => `${path} (${formatSize(size)})`).join(', ')}`],
    ...omittedLines(folder).map((line): [string, string] => ['', line]),
  ];
}

/** Returns what would be sent as printed with `-o json`. */
export function codeJson({ folder, source }: PackedCode) {
  const { diff: _, ...rest } = sourceJson(source);
  const list = folder.files.map(({ path, size }) => ({ path, bytes: size }));
  return { dir: folder.dir, ...rest, list, omitted: folder.omitted };
}

/** Reports on stderr what is sent to the coordinator. */
export function noteCode({ folder, source }: PackedCode): void {
  note(`code: ${archiveText(source)}; ${gitText(source.git)}`);
  for (const line of omittedLines(folder)) note(`code: ${line}`);
}

/** Returns the code of a sweep as printed with `-o json`. */
function sourceJson({ archive, files, git, diff }: Source) {
  return {
    sha256: archive?.sha256 ?? null,
    bytes: archive?.size ?? null,
    files,
    commit: git?.commit || null,
    branch: git?.branch || null,
    remote: git?.remote || null,
    dirty: git?.dirty ?? null,
    untracked: git?.untracked ?? [],
    untracked_count: git?.untrackedCount ?? 0,
    no_commit: git?.missing || null,
    diff: diff || null,
  };
}
