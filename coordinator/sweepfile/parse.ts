/** Parses the text of a sweep file in three steps: the document, the shape and the sweep. */
import { quote } from '../../lib/text/quote.ts';
import { withOneSpelling } from '../../proto/values.ts';
import type { SweepSpec } from '../grid/spec.ts';
import { withImpliedKeys } from './command.ts';
import { parseDocument } from './document.ts';
import { Findings, type Problem, SweepFileError } from './problems.ts';
import { isWandbData } from './program.ts';
import { sweepFileSchema } from './schema.ts';
import { checkShape } from './shape.ts';
import { specOf } from './spec.ts';

/**
 * Parses a sweep file.
 * @param fileName the name of the file, which is used in messages, and as the name of the sweep if the file has no key
 * `name`
 * @throws {SweepFileError} with all problems of the file that can be found in one pass
 */
export function parseSweep(text: string, fileName: string): SweepSpec {
  return parse(text, fileName, ({ problems, mistakes }) => [...problems, ...mistakes]);
}

/**
 * Parses the file of a sweep that was accepted before, possibly by an older version of trawl. Unlike `parseSweep`,
 * accepts an `early_terminate` that can stop no trial, a `run_cap` below the number of replicates, and distributions
 * whose values cannot be drawn.
 * @throws {SweepFileError} as parseSweep does
 */
export function parseStoredSweep(text: string, fileName: string): SweepSpec {
  return parse(text, fileName, ({ problems }) => problems);
}

function parse(text: string, fileName: string, problemsOf: (findings: Findings) => readonly Problem[]): SweepSpec {
  const { root, definitions, duplicates, placeOf } = parseDocument(text, fileName, (data) =>
    isWandbData(withImpliedKeys(data)),
  );
  const findings = new Findings(root, placeOf);
  const known = Object.keys(sweepFileSchema.shape);
  const unused = definitions.filter((key) => !known.includes(key));
  const notes = duplicates.map(({ line, name }) => `line ${line}: duplicate key ${quote(name)}; the last value counts`);
  const file = checkShape(withImpliedKeys(withOneSpelling(root.data)), unused, root, findings);
  const spec = file === undefined ? undefined : specOf(file, { fileName, ignored: unused, notes }, root, findings);
  const problems = problemsOf(findings);
  if (spec === undefined || problems.length > 0) throw new SweepFileError(fileName, problems);
  return spec;
}
