/** Finds the parts of a document by id or by kind. */
import type { Document, Figure, ReportBlock, ReportTable, Section } from './document.ts';

/** Returns a section of a document. @throws {Error} when the document has no such section */
export function sectionOf(document: Document, id: string): Section {
  const section = document.sections.find((one) => one.id === id);
  if (section === undefined) throw new Error(`there is no section ${id}`);
  return section;
}

export const sectionIds = ({ sections }: Document): string[] => sections.map(({ id }) => id);

export const figuresOf = ({ blocks }: Section): Figure[] =>
  blocks.flatMap((block) => (block.kind === 'figure' ? [block.figure] : []));

export const tablesOf = ({ blocks }: Section): ReportTable[] =>
  blocks.flatMap((block) => {
    if (block.kind === 'table') return [block.table];
    return block.kind === 'figure' && block.figure.table !== undefined ? [block.figure.table] : [];
  });

/** Returns a table's rows as text, by header. */
export function rowsOf({ columns, rows }: ReportTable): Record<string, string>[] {
  return rows.map((row) =>
    Object.fromEntries(
      columns.map(({ header }, i) => {
        const cell = row[i] ?? '';
        return [header, typeof cell === 'string' ? cell : cell.text];
      }),
    ),
  );
}

/** Returns the facts of a section, by name. If a name is repeated, the last fact counts. */
export const factsOf = ({ blocks }: Section): Record<string, string> =>
  Object.fromEntries(blocks.flatMap((block) => (block.kind === 'facts' ? block.rows : [])));

export const notesOf = ({ blocks }: Section): string[] =>
  blocks.flatMap((block: ReportBlock) => (block.kind === 'note' ? [block.text] : []));
