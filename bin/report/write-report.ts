/** Writes a report to files. */
import { stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { requireFolder } from '../../lib/files/folder.ts';
import type { Connection } from '../client/connect.ts';
import { writeWholeFile } from '../export/write-whole.ts';
import type { SweepLocation } from './data.ts';
import { documentOf } from './document-of.ts';
import { collectReportData } from './gather.ts';
import { htmlOf } from './html.ts';
import { markdownOf } from './markdown.ts';

export interface ReportRequest {
  readonly sweep: string;
  readonly format: ReportFormat;
  /**
   * The path of a file or of a folder. A path with a trailing slash names a folder, even if the folder does not exist
   * yet.
   */
  readonly out: string | undefined;
  /** A sweep file whose hypotheses replace the hypotheses of the sweep. */
  readonly file: string | undefined;
  /** The coordinator or the data folder, for the commands that the report suggests. */
  readonly location: SweepLocation;
}

/**
 * Writes a report in the requested formats, and returns the paths of the written files.
 * @throws {BadInputError} when a file cannot be written
 */
export async function writeReport(connection: Connection, request: ReportRequest, now: Date): Promise<string[]> {
  const data = await collectReportData(connection, request.sweep, request.location, request.file);
  const document = documentOf(data, now);
  const out = request.out === undefined ? undefined : { path: request.out, isFolder: await isFolder(request.out) };
  const targets = targetsOf(request.format, out, data.sweep.name);
  const written: string[] = [];
  if (targets.html !== undefined) {
    await write(targets.html, htmlOf(document));
    written.push(targets.html);
  }
  if (targets.markdown !== undefined) {
    const { text, files } = markdownOf(document, targets.files);
    for (const [path, content] of files) await write(join(dirname(targets.markdown), path), content);
    await write(targets.markdown, text);
    written.push(targets.markdown);
  }
  return written;
}

async function isFolder(path: string): Promise<boolean> {
  if (/[/\\]$/.test(path)) return true;
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await writeWholeFile(path, async (temporary) => {
    requireFolder('--out', dirname(path));
    await writeFile(temporary, content, { flag: 'wx' });
  });
}

export type ReportFormat = 'html' | 'md' | 'both';

/** The paths of a report. A format that is not written has no path. */
export interface Targets {
  readonly html: string | undefined;
  readonly markdown: string | undefined;
  /** Folder of the charts and images, beside the Markdown file; undefined if the report has no such folder. */
  readonly files: string | undefined;
}

/**
 * Returns the paths of a report's files.
 * @param out a folder if `isFolder`, otherwise a file; undefined means files in the working folder
 * @param name the name of the sweep, from which the file names are derived
 */
export function targetsOf(
  format: ReportFormat,
  out: { readonly path: string; readonly isFolder: boolean } | undefined,
  name: string,
): Targets {
  const html = format !== 'md';
  const markdown = format !== 'html';
  const base = `${fileNameOf(name)}-report`;
  if (out !== undefined && !out.isFolder) {
    if (format !== 'both')
      return { html: html ? out.path : undefined, markdown: html ? undefined : out.path, files: undefined };
    const stem = out.path.replace(/\.(?:html?|md|markdown)$/i, '');
    return { html: `${stem}.html`, markdown: `${stem}.md`, files: undefined };
  }
  const at = (file: string) => (out === undefined ? file : join(out.path, file));
  return {
    html: html ? at(`${base}.html`) : undefined,
    markdown: markdown ? at(`${base}.md`) : undefined,
    files: markdown && out !== undefined ? base : undefined,
  };
}

/** Replaces characters with a special meaning in shells, links or paths, and limits the length. */
function fileNameOf(name: string): string {
  const plain = name.replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[.-]+|[.-]+$/g, '');
  return plain === '' ? 'sweep' : [...plain].slice(0, MAX_FILE_NAME).join('');
}

/**
 * The maximum number of characters that a file name contains from the name of the sweep. File systems allow 255 bytes
 * for the whole file name.
 */
const MAX_FILE_NAME = 50;
