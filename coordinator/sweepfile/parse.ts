/** Parses the text of a sweep file: its document, then its shape, then the sweep. */
import type { SweepSpec } from '../grid/spec.ts';
import { withImpliedKeys } from './command.ts';
import { parseDocument } from './document.ts';
import { Findings, SweepFileError } from './problems.ts';
import { isWandbData } from './program.ts';
import { checkShape } from './shape.ts';
import { specOf } from './spec.ts';

/**
 * Parses a sweep file.
 * @param fileName the name for messages, and for the sweep if the text has no name
 * @throws {SweepFileError} with all problems of the file that can be found in one pass
 */
export function parseSweep(text: string, fileName: string): SweepSpec {
  const { root, placeOf } = parseDocument(text, fileName, (data) => isWandbData(withImpliedKeys(data)));
  const findings = new Findings(root, placeOf);
  const file = checkShape(withImpliedKeys(root.data), root, findings);
  const spec = file === undefined ? undefined : specOf(file, fileName, root, findings);
  if (spec === undefined || findings.problems.length > 0) throw new SweepFileError(fileName, findings.problems);
  return spec;
}
