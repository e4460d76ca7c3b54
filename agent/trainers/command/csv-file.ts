/** Follows a CSV file that a program writes, appends to or rewrites. */
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { parse } from 'csv-parse/sync';
import { CsvRecords } from './report/csv-records.ts';
import { numberOf } from './report/steps.ts';
import type { Reports } from './reports.ts';
import { bytesFrom, type FileSource } from './sources.ts';

/** The bytes before the read position that are compared to detect a rewritten file. */
const COMPARED_BYTES = 4_096;

/**
 * Reads the rows of a CSV file. Rows that precede the program are skipped. A file that shrinks, is replaced, or whose
 * read part changes is read again from its beginning.
 */
export async function csvFile(
  path: string,
  receiver: Pick<Reports, 'takeValues' | 'takeStep' | 'onUnreadable'>,
): Promise<FileSource> {
  const earlier = await stat(path).catch(() => undefined);
  let skippedBytes = earlier?.isFile() ? earlier.size : 0;
  const skipped = await bytesAt(path, Math.max(0, skippedBytes - COMPARED_BYTES), skippedBytes);
  let inode = earlier?.ino;
  let reading = newReading();

  const take = async (text: string, isSkipped: boolean) => {
    const cells = cellsOf(text, reading.delimiter ?? delimiterOf(text));
    if (cells === undefined) {
      if (!isSkipped) receiver.onUnreadable(text, `${basename(path)} contains an invalid row`);
      return;
    }
    if (reading.header === undefined) {
      reading.header = cells;
      reading.delimiter = delimiterOf(text);
      return;
    }
    reading.row += 1;
    if (isSkipped) return;
    const named = reading.header.flatMap((name, index) => (cells[index] ? [[name, cells[index]] as const] : []));
    const values = new Map(named);
    if (numberOf(values.get('epoch') ?? values.get('step')) !== undefined) await receiver.takeValues(values);
    else await receiver.takeStep(reading.row, values);
  };

  /** Reads what the program has added. Returns false if it rewrote the file meanwhile. */
  const readAdded = async (): Promise<boolean> => {
    const found = await stat(path).catch(() => undefined);
    if (!found?.isFile()) return true;
    const isReplaced = inode !== undefined && found.ino !== inode;
    inode = found.ino;
    if (isReplaced || found.size < reading.at || !(await hasBytesBefore(path, reading.at, reading.last))) {
      reading = newReading();
    }
    if (skippedBytes > 0 && (isReplaced || !(await hasBytesBefore(path, skippedBytes, skipped)))) {
      // The program rewrote the file.
      skippedBytes = 0;
      reading = newReading();
    }
    for await (const bytes of bytesFrom(path, reading.at)) {
      if (!(await hasBytesBefore(path, reading.at, reading.last))) return false;
      if (skippedBytes > 0 && !(await hasBytesBefore(path, skippedBytes, skipped))) return false;
      reading.at += bytes.length;
      reading.last = Buffer.concat([reading.last, bytes]).subarray(-COMPARED_BYTES);
      for (const { text, end } of reading.records.push(bytes)) await take(text, end <= skippedBytes);
    }
    return true;
  };

  return {
    poll: async (isLast) => {
      while (!(await readAdded()));
      if (isLast) for (const { text, end } of reading.records.end()) await take(text, end <= skippedBytes);
    },
  };
}

interface Reading {
  readonly records: CsvRecords;
  header: string[] | undefined;
  delimiter: string | undefined;
  row: number;
  at: number;
  /** The last bytes before `at`. */
  last: Buffer;
}

function newReading(): Reading {
  return { records: new CsvRecords(), header: undefined, delimiter: undefined, row: 0, at: 0, last: Buffer.alloc(0) };
}

/** A header without a comma can be separated by tabs or semicolons. */
function delimiterOf(header: string): string {
  if (header.includes(',')) return ',';
  return ['\t', ';'].find((delimiter) => header.includes(delimiter)) ?? ',';
}

function cellsOf(text: string, delimiter: string): string[] | undefined {
  try {
    const [cells]: string[][] = parse(text, {
      delimiter,
      bom: true,
      relax_column_count: true,
      relax_quotes: true,
      trim: true,
    });
    return cells;
  } catch {
    return undefined;
  }
}

async function hasBytesBefore(path: string, end: number, expected: Buffer): Promise<boolean> {
  return expected.equals(await bytesAt(path, end - expected.length, end));
}

async function bytesAt(path: string, from: number, to: number): Promise<Buffer> {
  const file = to > from ? await open(path, 'r').catch(() => undefined) : undefined;
  if (file === undefined) return Buffer.alloc(0);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(to - from), 0, to - from, from);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
