/** Replaces each `file: NAME` of a parameter in a sweep file with `values: [...]`, the list of the values in NAME. */
import { isMap, isScalar, type Node, type Pair, parseDocument, type Scalar } from 'yaml';
import { errorMessage } from '../../lib/text/error-message.ts';
import { quote } from '../../lib/text/quote.ts';
import { parseSyntax } from './document.ts';
import { type Problem, SweepFileError, type TextPosition } from './problems.ts';

interface FileKey {
  readonly key: Scalar;
  readonly value: Scalar<string>;
}

/**
 * Returns the text in which `values: [...]` replaces each `file: NAME`. If each `file: NAME` is on one line, the line
 * numbers do not change.
 * @param read returns the text of the file with a given name
 * @throws {SweepFileError} if a file cannot be read or has no values, or if the text contains `file` and is not YAML
 */
export async function inlineValueFiles(
  text: string,
  fileName: string,
  read: (path: string) => Promise<string>,
): Promise<string> {
  if (!/file/.test(text)) return text;
  const { contents, placeOf } = parseSyntax(text, fileName);
  const problems: Problem[] = [];
  let inlined = '';
  let done = 0;
  for (const { key, value } of fileKeysIn(isMap(contents) ? contents.get('parameters') : undefined)) {
    const [from, to] = [key.range?.[0] ?? 0, value.range?.[1] ?? 0];
    const values = await valuesOf(value.value, read).catch((error: unknown) => {
      problems.push(problemAt(placeOf(value.range?.[0] ?? 0), value.value, error));
      return [];
    });
    const name = key.type === 'PLAIN' ? 'values' : '"values"';
    inlined += `${text.slice(done, from)}${name}: [${values.join(', ')}]`;
    done = to;
  }
  if (problems.length > 0) throw new SweepFileError(fileName, problems);
  return inlined + text.slice(done);
}

function problemAt(place: TextPosition, path: string, error: unknown): Problem {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const reason = code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'is a folder' : errorMessage(error);
  return { ...place, message: `file: ${quote(path)}: ${reason}` };
}

function fileKeysIn(parameters: unknown): FileKey[] {
  if (!isMap(parameters)) return [];
  return parameters.items.flatMap(({ value: entry }) => {
    if (!isMap(entry)) return [];
    return entry.items.flatMap((pair) => {
      if (isNamed(pair, 'parameters')) return fileKeysIn(pair.value);
      const { key, value } = pair;
      return isScalar(key) && isNamed(pair, 'file') && isTextScalar(value) ? [{ key, value }] : [];
    });
  });
}

function isNamed({ key }: Pair<unknown, unknown>, name: string): boolean {
  return isScalar(key) && key.value === name;
}

function isTextScalar(node: unknown): node is Scalar<string> {
  return isScalar(node) && typeof node.value === 'string';
}

async function valuesOf(path: string, read: (path: string) => Promise<string>): Promise<string[]> {
  const lines = (await read(path)).replace(/^\ufeff/, '').split(/\r\n|\r|\n/);
  const values = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  if (values.length === 0) throw new Error('no values; expected one value per line');
  return values.map(flowScalar);
}

function flowScalar(line: string): string {
  const { contents, errors }: { contents: Node | null; errors: readonly unknown[] } = parseDocument(line);
  if (errors.length > 0 || !isScalar(contents) || contents.anchor !== undefined || contents.tag !== undefined) {
    return JSON.stringify(line);
  }
  const { value, source } = contents;
  return typeof value === 'string' ? JSON.stringify(value) : (source ?? String(value));
}
