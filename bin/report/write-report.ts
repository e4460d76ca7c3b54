/** A report on the disk. */
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Connection } from '../connect.ts';
import { writeWholeFile } from '../export/write-whole.ts';
import { documentOf } from './document-of.ts';
import { gather } from './gather.ts';
import { htmlOf } from './html.ts';
import { markdownOf } from './markdown.ts';
import { type ReportFormat, targetsOf } from './targets.ts';

export interface ReportRequest {
  readonly sweep: string;
  readonly format: ReportFormat;
  /** A folder (that is there, or that ends in a slash) or a file. */
  readonly out: string | undefined;
  /** A sweep file whose hypotheses are judged. */
  readonly file: string | undefined;
}

/**
 * Returns the paths of what was written.
 * @throws {BadInputError} when something cannot be written
 */
export async function writeReport(connection: Connection, request: ReportRequest, now: Date): Promise<string[]> {
  const data = await gather(connection, request.sweep, request.file);
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
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, content, { flag: 'wx' });
  });
}
