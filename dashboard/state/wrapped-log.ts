import { columnsOf } from '../../lib/text/width.ts';

const wrapped = new WeakMap<readonly string[], { readonly columns: number; readonly lines: readonly string[] }>();

/** Returns the lines of a log, wrapped to a width as a terminal wraps them. Caches the last width per log. */
export function wrappedLog(log: readonly string[], columns: number): readonly string[] {
  const known = wrapped.get(log);
  if (known?.columns === columns) return known.lines;
  const lines = log.flatMap((line) => (columnsOf(line) <= columns ? [line] : wrappedLine(line, columns)));
  wrapped.set(log, { columns, lines });
  return lines;
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

function wrappedLine(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    const width = columnsOf(segment);
    if (used + width > columns && line !== '') {
      lines.push(line);
      line = '';
      used = 0;
    }
    line += segment;
    used += width;
  }
  return [...lines, line];
}
