/**
 * Creates a coordinator's folder with a store, artifacts and a code archive. Also reads the exact contents of stores.
 */
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database, { type Database as Db } from 'libsql';
import { SqliteStore } from '../../../coordinator/store/sqlite-store.ts';
import { storeTables } from '../../../coordinator/store/store-tables.ts';
import { sha256Of } from '../../../lib/files/checksum.ts';
import { EVERY_CHANGE } from './every-change.ts';
import { AT, byNobody, NEW_SWEEP, planned } from './store-writer.ts';

/** Texts and numbers that a faulty copy could easily alter. */
const UNUSUAL_TEXTS = ['', 'a\0b\u0001\u0001c\u0001', '\\u0000 \\ "', 'é😀\u2028', '\ufeff,{}NULL', 'NULL', '\r\n\t'];
const UNUSUAL_REALS = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, Infinity, -Infinity, 1e22, -0.1, 123456789012345680];
const LONG_TEXT_LENGTH = 1_100_000;

export interface SampleFile {
  /** The path in the coordinator's folder. */
  readonly path: string;
  readonly bytes: Buffer;
}

const artifact = (name: string, bytes: Buffer, attempt = 1) => ({ path: `artifacts/1/t0/${attempt}/${name}`, bytes });
const CODE = Buffer.from('a code archive'.repeat(1_000));
export const SAMPLE_FILES: readonly SampleFile[] = [
  artifact('model.bin', Buffer.alloc(1_200_000, 'weights ')),
  artifact('empty', Buffer.alloc(0)),
  artifact('plots/a=b@1.png', Buffer.from('a plot'), 2),
  { path: `code/${sha256Of(CODE)}.tar`, bytes: CODE },
];

/**
 * Creates a coordinator's folder. No process holds its store.
 * @param parent a folder that the test removes
 */
export async function sampleFolder(parent: string): Promise<string> {
  const written = mkdtempSync(join(parent, 'written-'));
  const store = SqliteStore.open(written);
  await store.addSweep(NEW_SWEEP, ['t0', 't1', 't2'].map(planned), AT, 'ann');
  for (const change of EVERY_CHANGE) await store.write(byNobody([change]), AT);
  addUnusualRows(store.db);
  fillEmptyTables(store.db);
  await store.close();
  const dir = mkdtempSync(join(parent, 'folder-'));
  // libsql keeps the lock of a closed store until its process ends.
  cpSync(written, dir, { recursive: true });
  for (const { path, bytes } of SAMPLE_FILES) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), bytes);
  }
  writeFileSync(join(dir, 'token'), 'a-token-of-the-tests\n', { mode: 0o600 });
  return dir;
}

function addUnusualRows(db: Db): void {
  db.exec('delete from artifacts; delete from sources; begin');
  const log = db.prepare('insert into logs values (1, ?, 9, ?, ?, ?)');
  for (const [seq, text] of UNUSUAL_TEXTS.entries()) log.run(`t${text}`, seq, 2n ** 53n + 1n, text);
  log.run('long', 0, -1n, `${'0123456789\0'.repeat(LONG_TEXT_LENGTH / 11)}end`);
  const report = db.prepare('insert into reports values (1, ?, 9, ?, 0, ?, ?)');
  for (const [seq, value] of UNUSUAL_REALS.entries()) report.run('unusual', seq, value, '{}');
  for (let seq = 0; seq < 2_500; seq++) report.run(`many${seq % 7}`, seq, seq / 7, `{"loss":${seq}}`);
  const files = db.prepare("insert into artifacts values (1, 't0', ?, ?, 'file', ?, ?, ?, 1, 0)");
  for (const { path, bytes } of SAMPLE_FILES) {
    const [folder, , , attempt, ...name] = path.split('/');
    if (folder === 'artifacts') files.run(Number(attempt), name.join('/'), 0.5, bytes.length, sha256Of(bytes));
  }
  for (const sweep of [1, 2]) {
    db.prepare("insert into sources values (?, ?, ?, 1, '', '')").run(sweep, sha256Of(CODE), CODE.length);
  }
  // The newest event was pruned.
  const { seq } = db.prepare('select max(seq) as seq from events').get() as { seq: number };
  db.exec(`delete from events where seq = ${seq}; commit`);
}

/** Adds a row to each empty table, so that a comparison covers the rows of every table. */
function fillEmptyTables(db: Db): void {
  for (const { name, columns } of storeTables()) {
    if (db.prepare(`select 1 from ${name} limit 1`).get() !== undefined) continue;
    const values = columns.map(({ type }, at) => ({ integer: at + 1, real: at + 0.5, text: `text ${at}` })[type]);
    db.prepare(`insert into ${name} values (${columns.map(() => '?').join(', ')})`).run(values);
  }
}

/**
 * Returns the rows of all tables and the objects of the schema. Each row is a text that represents its values exactly.
 */
export function sqliteContents(path: string): { rows: Record<string, string[]>; schema: unknown[] } {
  const db = new Database(path);
  const names = db.prepare("select name from sqlite_schema where type = 'table'").all() as { name: string }[];
  const rows = names.map(({ name }): [string, string[]] => {
    const columns = db.prepare(`pragma table_info(${name})`).all() as { name: string }[];
    const exact = columns.map((column) => {
      // A real number is represented by 17 digits, and a text by its bytes.
      return `case typeof(${column.name}) when 'real' then printf('%!.17g', ${column.name}) else typeof(${column.name}) || hex(${column.name}) end`;
    });
    const found = db.prepare(`select ${exact.join(" || ' ' || ")} as row from ${name} order by 1`).all();
    return [name, (found as { row: string }[]).map(({ row }) => row)];
  });
  const schema = db
    .prepare("select type, name, sql from sqlite_schema where name <> 'libsql_wasm_func_table' order by 1, 2")
    .all();
  db.close();
  return {
    rows: Object.fromEntries(rows),
    schema: schema.map((object) => JSON.stringify(object, ['type', 'name', 'sql'])),
  };
}
