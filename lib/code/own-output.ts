/**
 * Recognizes the reports, exports and folders that trawl itself wrote into a code folder. These outputs are not code.
 * If they were sent, the archive of the next sweep would differ, although the code is the same. They are recognized by
 * their content, not by their names alone.
 */
import { existsSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { STORE_FILE } from '../files/coordinator-file.ts';
import { IDENTITY_FILES } from '../net/identity.ts';

/** The texts that mark a report of trawl. */
export const HTML_MARK = '<meta name="generator" content="trawl report">';
export const MARKDOWN_MARK = '<!-- generator: trawl report -->';
/** The text that marks an export of trawl in the metadata of a Parquet file. The version of trawl follows this text. */
export const PARQUET_MARK = 'trawl version ';

interface Mark {
  readonly kind: string;
  readonly pattern: RegExp;
  /** Whether the mark is searched for at the end of the file. By default, it is searched for at the beginning. */
  readonly atEnd?: true;
}

const REPORT = 'a report written by trawl';
const EXPORT = 'an export written by trawl';
const HTML: Mark = { kind: REPORT, pattern: new RegExp(HTML_MARK) };
const MARKDOWN: Mark = { kind: REPORT, pattern: new RegExp(`^${MARKDOWN_MARK}`) };
const MARKS: ReadonlyMap<string, Mark> = new Map([
  ['.html', HTML],
  ['.htm', HTML],
  ['.md', MARKDOWN],
  ['.markdown', MARKDOWN],
  // These patterns match the first columns of the exports that bin/export/table.ts writes.
  ['.csv', { kind: EXPORT, pattern: /^\ufeff?trial,config,(?:sweep,index,state,rank,)?seed,/ }],
  ['.json', { kind: EXPORT, pattern: /^\[\s*\{\s*"trial":\s*"[0-9a-f]{16}",\s*"config":\s*"[0-9a-f]{16}",/ }],
  ['.parquet', { kind: EXPORT, pattern: new RegExp(PARQUET_MARK), atEnd: true }],
]);

const EXAMINED_BYTES = 2_048;

/**
 * Returns a description of a file that trawl wrote, such as `a report written by trawl`; undefined for other files.
 * @throws {Error} if the file cannot be read
 */
export async function ownFile(path: string): Promise<string | undefined> {
  const mark = MARKS.get(extname(path).toLowerCase());
  if (mark === undefined) return undefined;
  const file = await open(path, 'r');
  try {
    return mark.pattern.test(await examinedText(file, mark.atEnd ?? false)) ? mark.kind : undefined;
  } finally {
    await file.close();
  }
}

async function examinedText(file: FileHandle, atEnd: boolean): Promise<string> {
  const start = atEnd ? Math.max(0, (await file.stat()).size - EXAMINED_BYTES) : 0;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(EXAMINED_BYTES), 0, EXAMINED_BYTES, start);
  return buffer.toString('utf8', 0, bytesRead);
}

const FOLDERS: readonly { readonly kind: string; readonly files: readonly string[] }[] = [
  { kind: 'the data folder of a coordinator', files: [STORE_FILE] },
  { kind: 'the folder of an agent', files: ['spool.db', 'instance'] },
  { kind: 'keys of "trawl certs"', files: [IDENTITY_FILES.certificate, IDENTITY_FILES.key] },
];

/**
 * Returns a description of a folder that trawl made, such as `the data folder of a coordinator`; undefined for other
 * folders.
 */
export function ownFolder(path: string): string | undefined {
  return FOLDERS.find(({ files }) => files.every((name) => existsSync(join(path, name))))?.kind;
}

/**
 * Returns the name of the folder with the charts of a report.
 * @param report the file name of a Markdown report
 */
export function chartFolderOf(report: string): string {
  return report.slice(0, -extname(report).length);
}
