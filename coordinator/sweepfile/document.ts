/** YAML or JSON text -> plain data with places. JSON is read as the YAML that it is. */
import { Composer, LineCounter } from 'yaml';
import type { Located } from './locate.ts';
import { plainData } from './plain-data.ts';
import { type Place, START, SweepFileError } from './problems.ts';
import { checkSweepText } from './read.ts';
import { syntaxOf } from './tokens.ts';

export interface SweepDocument {
  readonly root: Located;
  placeOf(offset: number): Place;
}

/** @throws {SweepFileError} when the text is no single YAML document of plain data within the limits. */
export function parseDocument(text: string, fileName: string): SweepDocument {
  checkSweepText(text, fileName);
  const lines = new LineCounter();
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { line, column: col };
  };
  const fail = (offset: number, message: string): never => {
    throw new SweepFileError(fileName, [{ ...placeOf(offset), message }]);
  };
  const tokens = syntaxOf(text, lines, fail);
  const composer = new Composer({ uniqueKeys: false, prettyErrors: false });
  const [document, second] = composer.compose(tokens, true, text.length);
  if (document === undefined) throw new SweepFileError(fileName, [{ ...START, message: 'the file is empty' }]);
  const problems = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
    ...placeOf(pos[0]),
    message: `not valid YAML: ${message}`,
  }));
  if (problems.length > 0) throw new SweepFileError(fileName, problems);
  if (second !== undefined) fail(second.range[0], 'a second document begins here; a file holds one sweep');
  const { root, findings } = plainData(document.contents, fail);
  if (findings.length > 0) {
    const found = findings.map(({ offset, message }) => ({ ...placeOf(offset), message }));
    throw new SweepFileError(fileName, found);
  }
  if (root.data === null) throw new SweepFileError(fileName, [{ ...START, message: 'the file is empty' }]);
  return { root, placeOf };
}
