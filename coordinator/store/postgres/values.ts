/**
 * Converts statements to the syntax of PostgreSQL. Also converts values to the form that PostgreSQL stores, and back.
 */
import { types } from 'pg';

/**
 * PostgreSQL stores no NUL character, and its JSON functions reject the escape `\u0000`. Stored texts therefore contain
 * two other characters instead of each NUL character. The first of the two is U+0001, so U+0001 itself is also replaced
 * by two characters. Different texts are thus stored differently, and the stored texts sort in the same order as the
 * original texts. The JSON escapes of the two characters are replaced in the same way, so that a name in stored JSON
 * still equals the same name in a column.
 */
const SUBSTITUTES: Readonly<Record<string, string>> = {
  '\0': '\u0001\u0001',
  '\u0001': '\u0001\u0002',
  '\\u0000': '\\u0001\\u0001',
  '\\u0001': '\\u0001\\u0002',
};
const ORIGINALS = Object.fromEntries(Object.entries(SUBSTITUTES).map(([original, stored]) => [stored, original]));
// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are replaced
const REPLACED = /[\0\u0001]|\\u000[01]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are replaced
const STORED = /\u0001[\u0001\u0002]|\\u0001\\u000[12]/g;

/** Returns the text that PostgreSQL stores. */
export function toStored(text: string): string {
  return text.replace(REPLACED, (found) => SUBSTITUTES[found] ?? found);
}

export function fromStored(text: string): string {
  if (!text.includes('\u0001') && !text.includes('\\u0001')) return text;
  return text.replace(STORED, (found) => ORIGINALS[found] ?? found);
}

export function toParameter(value: string | number | null): string | number | null {
  return typeof value === 'string' ? toStored(value) : value;
}

/** The object ids of PostgreSQL's types. */
const TYPES = { bool: 16, int8: 20, text: 25, numeric: 1700 } as const;

const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [TYPES.bool, (text) => (text === 't' ? 1 : 0)],
  // Sums of integers are of the type `numeric`.
  [TYPES.int8, Number],
  [TYPES.numeric, Number],
  [TYPES.text, fromStored],
]);

/** The parsers of results. Values have the same types as in SQLite. */
export const STORE_TYPES = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') => PARSERS.get(oid) ?? types.getTypeParser(oid, format),
};

const numberedStatements = new Map<string, string>();

/** Replaces placeholders such as `?` and `?1` with `$1`. Quoted texts and names are not changed. */
export function numbered(sql: string): string {
  const known = numberedStatements.get(sql);
  if (known !== undefined) return known;
  let last = 0;
  const statement = sql.replace(/'(?:[^']|'')*'|"[^"]*"|\?(\d*)/g, (token, number?: string) => {
    if (number === undefined) return token;
    last += 1;
    return `$${number === '' ? last : number}`;
  });
  numberedStatements.set(sql, statement);
  return statement;
}

const statementNames = new Map<string, string>();

/** Returns the name under which a statement is prepared. */
export function statementName(sql: string): string {
  const name = statementNames.get(sql) ?? `s${statementNames.size + 1}`;
  statementNames.set(sql, name);
  return name;
}
