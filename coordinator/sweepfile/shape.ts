/** Checks the shape of a sweep file with the schema, and formats the problems for its author. */

import type { z } from 'zod';
import { parameterName } from '../../lib/domain/parameters.ts';
import { didYouMean } from '../../lib/text/did-you-mean.ts';
import { quote, show } from '../../lib/text/quote.ts';
import { LABEL_NAME_RULE } from '../../proto/limits.ts';
import { hasOpenQuote } from './command.ts';
import { MAX_PARAMETER_NAME } from './parameter-schema.ts';
import { type Findings, has, type Located, locate, type Path } from './problems.ts';
import { COMMAND_EXAMPLE } from './program-schema.ts';
import { keysAt, type SweepFile, sweepFileSchema } from './schema.ts';

/** Keys of planned features. They are rejected as not yet supported, not as unknown. */
const UNSUPPORTED_KEYS = ['parent'];

/**
 * Returns the data as a sweep file if their shape is valid. Adds a finding for each problem of the shape, and removes
 * the invalid parts so that the remaining data can be checked. Returns undefined if the remaining data do not form a
 * sweep file.
 */
export function checkShape(
  data: unknown,
  unused: readonly string[],
  root: Located,
  findings: Findings,
): SweepFile | undefined {
  const used = withoutParts(
    data,
    unused.map((key) => [key]),
  );
  const whole = sweepFileSchema.safeParse(used);
  if (whole.success) return whole.data;
  addFindings(whole.error.issues, root, findings);
  return sweepFileSchema.safeParse(withoutParts(used, invalidPaths(whole.error.issues))).data;
}

type Issue = z.core.$ZodIssue;

function addFindings(issues: readonly Issue[], root: Located, findings: Findings): void {
  const reported = new Set<string>();
  for (const issue of issues) {
    const path = pathOf(issue);
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) findings.atKey([...path, key], unknownKey(path, key));
    } else if (!reported.has(path.join('\n'))) {
      reported.add(path.join('\n'));
      addFinding(issue, path, root, findings);
    }
  }
}

function addFinding(issue: Issue, path: Path, root: Located, findings: Findings): void {
  const name = path[path.length - 1];
  if (issue.code === 'invalid_key' && path[0] === 'resources') {
    findings.atKey(path, `invalid label name ${quote(String(name))}; expected ${LABEL_NAME_RULE}`);
  } else if (issue.code === 'invalid_key') {
    findings.atKey(
      path,
      `invalid ${path[0] === 'env' ? 'variable' : 'parameter'} name ${quote(parameterName(String(name)))}; ${path[0] === 'env' ? VARIABLE_RULE : NAME_RULE}`,
    );
  } else if (!has(root, path)) {
    findings.atKey(path.slice(0, -1), `missing key ${quote(String(name))}${example(path)}`);
  } else {
    const { data } = locate(root, path);
    const key = typeof name === 'string' ? `${name}: ` : '';
    findings.atValue(path, `${key}${wrongValue(issue, path, data)}`);
  }
}

const NAME_RULE = `expected 1 to ${MAX_PARAMETER_NAME} characters on one line, without = and without spaces at the ends`;
const VARIABLE_RULE = 'expected letters, digits and "_", not starting with a digit';

function wrongValue(issue: Issue, path: Path, data: unknown): string {
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    const meant = typeof data === 'string' ? didYouMean(data, values) : '';
    return `expected ${values.join(' or ')}, got ${show(data)}${meant}`;
  }
  if (path[0] === 'command' && typeof data === 'string') {
    return hasOpenQuote(data)
      ? `the quote is not closed in ${quote(data)}`
      : `expected ${COMMAND_EXAMPLE}, got ${show(data)}`;
  }
  if (typeof data === 'object' && data !== null && issue.code === 'too_big') {
    return `${issue.message}, got ${Object.keys(data).length}`;
  }
  if (Array.isArray(data) && issue.code === 'too_small') {
    return `${issue.message}, got ${data.length === 0 ? 'an empty list' : data.length}`;
  }
  const unquoted = issue.message === 'expected text' && (typeof data === 'number' || typeof data === 'boolean');
  return `${issue.message}, got ${show(data)}${unquoted ? '; put quotes around it' : ''}`;
}

function unknownKey(path: Path, key: string): string {
  if (parameterName(key) !== key) return `invalid key ${quote(parameterName(key))}`;
  if (path.length === 0 && UNSUPPORTED_KEYS.includes(key)) return `key ${quote(key)} is not yet supported`;
  if (path.length === 0 && key === 'early_stop') return `unknown key "early_stop"; write early_terminate`;
  const known = keysAt(path) ?? [];
  return `unknown key ${quote(key)}${didYouMean(key, known) || `; expected ${known.join(', ')}`}`;
}

function example(path: Path): string {
  switch (path.join('.')) {
    case 'trainer':
      return '; write trainer: autoencoder, or the command of a program of your own';
    case 'parameters':
      return '; write parameters: {latent_dim: {values: [15, 30]}}';
    default:
      return '';
  }
}

function pathOf(issue: Issue): Path {
  return issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
}

function invalidPaths(issues: readonly Issue[]): Path[] {
  return issues.flatMap((issue) => {
    const path = pathOf(issue);
    return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...path, key]) : [path];
  });
}

function withoutParts(data: unknown, paths: readonly Path[]): unknown {
  if (!isMapping(data)) return data;
  const wrong = new Set(paths.filter((path) => !inParameters(path)).map(([top]) => top));
  const wrongParameters = new Set(paths.filter(inParameters).map(([, name]) => name));
  const kept = Object.entries(data).filter(([key]) => !wrong.has(key));
  return Object.fromEntries(
    kept.map(([key, value]) => {
      if (key !== 'parameters' || !isMapping(value)) return [key, value];
      return [key, Object.fromEntries(Object.entries(value).filter(([name]) => !wrongParameters.has(name)))];
    }),
  );
}

function inParameters(path: Path): boolean {
  return path[0] === 'parameters' && path.length > 1;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
