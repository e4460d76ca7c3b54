/** Writes a report as GitHub-flavored Markdown. */
import { MARKDOWN_MARK } from '../../lib/code/own-output.ts';
import { visibleLines, visibleText } from '../../lib/text/visible-text.ts';
import { figureSvg } from './charts/svg.ts';
import type { Badge, Document, Figure, Highlight, ReportBlock, ReportImage, ReportTable } from './document.ts';

export interface MarkdownReport {
  readonly text: string;
  /** The linked files: relative paths and contents. */
  readonly files: ReadonlyMap<string, string | Uint8Array>;
}

/**
 * Writes a document as Markdown.
 * @param folder the folder of the charts and images, relative to the report; if undefined, the report has a table
 * instead of each chart, and links no files
 */
export function markdownOf(document: Document, folder?: string): MarkdownReport {
  const files = new Map<string, string | Uint8Array>();
  const keep = (extension: string, content: string | Uint8Array): string => {
    const path = `${folder}/${String(files.size + 1).padStart(2, '0')}.${extension}`;
    files.set(path, content);
    return path;
  };
  const write = (block: ReportBlock): string[] => {
    switch (block.kind) {
      case 'figure':
        return figureText(block.figure, folder === undefined ? undefined : keep);
      case 'images':
        return block.images.flatMap((image) => imageText(image, folder === undefined ? undefined : keep));
      default:
        return blockText(block);
    }
  };
  const parts = [
    MARKDOWN_MARK,
    `# ${inline(document.title)}`,
    paragraph(document.state),
    ...(document.highlights.length === 0 ? [] : [document.highlights.map(highlightText).join('\n')]),
    ...document.sections.flatMap(({ title, blocks }) => [`## ${inline(title)}`, ...blocks.flatMap(write)]),
    '---',
    paragraph(document.written),
  ];
  return { text: `${parts.join('\n\n')}\n`, files };
}

const highlightText = ({ label, value, detail }: Highlight): string =>
  `- ${paragraph(label)}: **${inline(value)}**${detail === '' ? '' : `, ${inline(detail)}`}`;

type Keep = (extension: string, content: string | Uint8Array) => string;

function blockText(block: Exclude<ReportBlock, { kind: 'figure' | 'images' }>): string[] {
  switch (block.kind) {
    case 'text':
      return block.text.split(/\n{2,}/).map(paragraph);
    case 'note':
      return [`> ${paragraph(block.text)}`];
    case 'facts':
      return [block.rows.map(([name, value]) => `- **${inline(name)}**: ${inline(value)}`).join('\n')];
    case 'table':
      return tableText(block.table);
    case 'heading':
      return [`### ${inline(block.text)}${block.badge === undefined ? '' : `: ${inline(block.badge.text)}`}`];
    case 'code':
      return [fenced(block.text, block.language)];
  }
}

function figureText(figure: Figure, keep: Keep | undefined): string[] {
  const { title, caption, panels, table } = figure;
  if (keep === undefined && table === undefined) return [];
  const alt = table === undefined ? panels.map((panel) => panel.alt).join('. ') : title;
  return [
    `### ${inline(title)}`,
    paragraph(caption),
    ...(keep === undefined ? [] : [`![${inline(alt)}](${keep('svg', figureSvg(figure))})`]),
    ...(table === undefined ? [] : tableText(table)),
  ];
}

function imageText({ title, caption, alt, png }: ReportImage, keep: Keep | undefined): string[] {
  const captionText = `**${inline(title)}**: ${inline(caption)}`;
  return keep === undefined ? [`- ${captionText}`] : [captionText, `![${inline(alt)}](${keep('png', png)})`];
}

function tableText({ caption, columns, rows }: ReportTable): string[] {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const cell = (content: string | Badge) => inline(typeof content === 'string' ? content : content.text);
  const lines = [
    row(columns.map(({ header }) => inline(header))),
    row(columns.map(({ numeric }) => (numeric ? '---:' : '---'))),
    ...rows.map((cells) => row(cells.map(cell))),
  ];
  return [`**${inline(caption)}**`, lines.join('\n')];
}

/** Returns a code block. The fence is longer than any fence in the text. */
function fenced(text: string, language: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${visibleLines(text).replace(/\n+$/, '')}\n${fence}`;
}

/** Escapes Markdown and HTML in text for one line. */
function inline(text: string): string {
  return (
    visibleText(text.trim().replace(/\s*\n\s*/g, ' '))
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      // Without this replacement, a URL becomes a link that includes the escapes after the URL.
      .replaceAll('://', '&#58;//')
      .replace(/www\./gi, (www) => `${www.slice(0, -1)}&#46;`)
      .replaceAll('@', '&#64;')
      .replace(/[\\`*[\]|~$]/g, (c) => `\\${c}`)
      .replace(/(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, '\\_')
  );
}

function paragraph(text: string): string {
  return inline(text).replace(/^(?:[-+#>=]|\d+(?=[.)]))/, (start) => (/\d/.test(start) ? `${start}\\` : `\\${start}`));
}
