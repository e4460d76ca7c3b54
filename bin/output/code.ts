/** Formats the code of a sweep as text and JSON. */
import type { CodeFolder } from '../../lib/code/folder.ts';
import { countText, formatCount } from '../../lib/text/numbers.ts';
import { formatSize } from '../../lib/text/size.ts';
import type { GetSourceResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Environment, GitState, Source } from '../../proto/gen/trawl/v1/types.ts';
import type { PackedCode } from '../client/code.ts';
import { note } from './print.ts';

const SHORT_HASH = 12;
const OMITTED_SHOWN = 10;

/** Returns the version of the code, such as `commit 3f2a91bc0d1e (main), with uncommitted changes`. */
export function gitText(git: GitState | undefined): string {
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

/**
 * Returns the size of a diff, such as `2 files changed, 10 lines added, 3 removed`; undefined if no diff was recorded.
 */
export function diffSummary(diff: string): string | undefined {
  if (diff === '') return undefined;
  const lines = diff.split('\n');
  const count = (pattern: RegExp) => lines.filter((line) => pattern.test(line)).length;
  const [files, added, removed] = [count(/^diff --git /), count(/^\+(?!\+\+ )/), count(/^-(?!-- )/)];
  return `${countText(files, 'file')} changed, ${countText(added, 'line')} added, ${formatCount(removed)} removed`;
}

/** Returns the version of Python and the number of its packages, such as `3.12.4, 42 packages`. */
export function pythonVersionText({
  python,
  packages,
}: {
  readonly python: string;
  readonly packages: string;
}): string {
  const count = packages === '' ? 'packages not listed' : countText(packages.split('\n').length, 'package');
  return `${python || 'version unknown'}, ${count}`;
}

/** Returns the fields of a sweep that show its code and its Python environments. */
export function reproductionFields({ source, environments }: GetSourceResponse): [name: string, value: string][] {
  const fields: [string, string][] = [];
  if (source !== undefined) {
    fields.push(['code', archiveText(source)], ['git', gitText(source.git)]);
    const summary = diffSummary(source.diff);
    if (summary !== undefined) fields.push(['diff', `${summary} (--diff prints it)`]);
  }
  for (const environment of environments) {
    const where = `${countText(environment.attempts, 'attempt')} on ${environment.agents.join(', ')}`;
    fields.push(['python', `${pythonVersionText(environment)}: ${where} (--packages lists them)`]);
  }
  return fields;
}

/** Returns a Python environment as printed with `-o json`. */
export function environmentJson({ sha256, python, packages, agents, attempts }: Environment) {
  return { sha256, python: python || null, packages: packages.split('\n'), agents, attempts };
}

/**
 * Returns a line per file that is left out of the code. If there are more than OMITTED_SHOWN such files, the last line
 * counts the rest.
 */
function omittedLines({ omitted }: CodeFolder): string[] {
  const lines = omitted.slice(0, OMITTED_SHOWN).map(({ path, reason }) => `${path} is left out: ${reason}`);
  return omitted.length > OMITTED_SHOWN ? [...lines, `${omitted.length - OMITTED_SHOWN} more are left out`] : lines;
}

const LARGEST_SHOWN = 5;

/** Returns the fields of a plan that describe the code that would be sent. */
export function codeFields({ folder, source }: PackedCode): [name: string, value: string][] {
  const largest = [...folder.files].sort((a, b) => b.size - a.size).slice(0, LARGEST_SHOWN);
  return [
    ['code', `${folder.dir}: ${archiveText(source)}`],
    ['', gitText(source.git)],
    ['', `largest: ${largest.map(({ path, size }) => `${path} (${formatSize(size)})`).join(', ')}`],
    ...omittedLines(folder).map((line): [string, string] => ['', line]),
  ];
}

/** Returns the code that would be sent, as printed with `-o json`. */
export function codeJson({ folder, source }: PackedCode) {
  const { diff: _, ...rest } = sourceJson(source);
  const list = folder.files.map(({ path, size }) => ({ path, bytes: size }));
  return { dir: folder.dir, ...rest, list, omitted: folder.omitted };
}

/** Prints a summary of the sent code to stderr. */
export function noteCode({ folder, source }: PackedCode): void {
  note(`code: ${archiveText(source)}; ${gitText(source.git)}`);
  for (const line of omittedLines(folder)) note(`code: ${line}`);
}

/** Returns the code of a sweep as printed with `-o json`. */
export function sourceJson({ archive, files, git, diff }: Source) {
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
