import wrapAnsi from 'wrap-ansi';
import { columnsOf } from '../../lib/text/width.ts';

const wrapped = new WeakMap<readonly string[], { readonly columns: number; readonly lines: readonly string[] }>();

/** Returns the lines of a log, wrapped to a width. Caches the last width per log. */
export function wrappedLog(log: readonly string[], columns: number): readonly string[] {
  const known = wrapped.get(log);
  if (known?.columns === columns) return known.lines;
  const lines = log.flatMap((line) =>
    columnsOf(line) <= columns ? [line] : wrapAnsi(line, columns, { hard: true, trim: false }).split('\n'),
  );
  wrapped.set(log, { columns, lines });
  return lines;
}
