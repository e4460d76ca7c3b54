/** Reads the rows of a CSV file that a program writes, appends to or rewrites. */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { GrowingFile } from './growing-file.ts';
import { type CsvRow, CsvTable } from './report/csv-table.ts';
import { EarlierRows } from './report/earlier-rows.ts';
import { namesStep } from './report/steps.ts';
import type { Reports } from './reports.ts';
import type { FileSource } from './sources.ts';

/**
 * Follows a CSV file. Rows from before the program's start are skipped. If the program changes the content that was
 * already read, the file is read again from its beginning, and {@link EarlierRows} determines which rows are new.
 */
export async function csvFile(
  path: string,
  receiver: Pick<Reports, 'takeValues' | 'takeStep' | 'onUnreadable'>,
): Promise<FileSource> {
  const file = new GrowingFile(path);
  const modified = async () => (await stat(path).catch(() => undefined))?.mtimeMs;
  let table = new CsvTable();
  let earlier = new EarlierRows();
  for await (const added of file.added()) {
    if (added.kind === 'restart') {
      table = new CsvTable(table);
      earlier = new EarlierRows();
    } else for (const row of table.push(added.bytes)) earlier.add(row);
  }
  const modifiedBefore = await modified();
  earlier.complete([...table.copy().end(true)]);
  let isUnchanged = true;

  const takeAll = async (rows: Iterable<CsvRow>) => {
    for (const row of rows) for (const taken of earlier.next(row)) await take(taken);
  };
  const take = async (row: CsvRow) => {
    if (row.kind === 'invalid') return receiver.onUnreadable(row.text, `${basename(path)} contains ${row.problem}`);
    const { number, values } = row;
    if (namesStep(values)) await receiver.takeValues(values);
    else await receiver.takeStep(number, values);
  };
  const readAdded = async () => {
    for await (const added of file.added()) {
      isUnchanged = false;
      if (added.kind === 'bytes') await takeAll(table.push(added.bytes));
      else {
        table = new CsvTable(table);
        earlier.restart();
      }
    }
    for (const row of earlier.endOfPass()) await take(row);
  };

  return {
    poll: readAdded,
    close: () => file.close(),
    end: async (isWhole) => {
      if (isUnchanged && file.at > 0 && (await modified()) !== modifiedBefore) {
        // The program may have rewritten the file with the same rows as an earlier attempt, so the file is read again.
        file.restart();
        table = new CsvTable(table);
        earlier.restart();
        await readAdded();
      }
      await takeAll(table.end(isWhole));
      for (const row of earlier.end()) await take(row);
      return file.at === 0 && file.problem !== undefined ? `no CSV file ${path}: ${file.problem}` : undefined;
    },
  };
}
