/** Where a report goes. */
import { join } from 'node:path';

export type ReportFormat = 'html' | 'md' | 'both';

export interface Targets {
  readonly html: string | undefined;
  readonly markdown: string | undefined;
  /** Of the Markdown's charts and pictures, beside it; undefined: it has none. */
  readonly files: string | undefined;
}

/**
 * @param out a folder, when `isFolder`, else a file; undefined: files in the working folder
 * @param name the sweep's, which the files are named after
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

/** A sweep's name as a file's: nothing in it that a shell, a link or a path takes for something else. */
function fileNameOf(name: string): string {
  const plain = name.replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[.-]+|[.-]+$/g, '');
  return plain === '' ? 'sweep' : [...plain].slice(0, MAX_FILE_NAME).join('');
}

/** Characters of a name in a file's name, which may have 255 bytes in all. */
const MAX_FILE_NAME = 50;
