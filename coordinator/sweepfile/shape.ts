/** Checks the shape of a sweep file with the schema, and formats the problems for its author. */

import type { z } from 'zod';
import { parameterName } from '../../lib/domain/parameters.ts';
import { quote, show } from '../../lib/text/quote.ts';
import { LABEL_NAME_RULE } from '../../proto/limits.ts';
import { hasOpenQuote } from './command.ts';
import { MAX_PARAMETER_NAME } from './parameter-schema.ts';
import { type Findings, has, type Located, locate, type Path } from './problems.ts';
import { COMMAND_EXAMPLE } from './program-schema.ts';
import { keysAt, METHODS, type SweepFile, sweepFileSchema } from './schema.ts';
import { keyHint, meantKey, meantValue } from './synonyms.ts';

/** Keys of planned features. They are rejected as not yet supported, not as unknown. */
const UNSUPPORTED_KEYS = ['parent'];

/**
 * Returns the data as a sweep file. If its shape is invalid, adds a finding for each problem, and returns the file
 * without the invalid parts, so that the other parts can be checked. Returns undefined if the other parts do not form a
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
  const issues = whole.error.issues.flatMap((issue) => specificIssues(issue, used));
  addFindings(issues, root, findings);
  const rest = withoutParts(used, invalidPaths(issues));
  return sweepFileSchema.safeParse(withMeantMethod(rest, used)).data;
}

type Issue = z.core.$ZodIssue;

/**
 * If the method is invalid, replaces it with the method that the author probably means. A misspelled method then causes
 * no errors about other parts of the file. Returns undefined if it is unclear which method the author means.
 */
function withMeantMethod(rest: unknown, used: unknown): unknown {
  if (!isMapping(rest) || !isMapping(used) || !('method' in used) || 'method' in rest) return rest;
  const method = typeof used.method === 'string' ? meantValue(['method'], used.method, METHODS) : undefined;
  return method === undefined ? undefined : { ...rest, method };
}

/**
 * If a value matches none of its possible shapes, compares the value with each shape, and returns the problems of the
 * closest shape: the shape with the fewest problems. If several shapes are equally close, returns a problem that lists
 * the keys that are valid in none of the shapes. If this yields no problem, returns the original problem.
 */
function specificIssues(issue: Issue, data: unknown): Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const value = issue.path.reduce<unknown>((here, step) => (here as Record<PropertyKey, unknown>)?.[step], data);
  const shapes = issue.errors
    .map((problems) => problems.flatMap((problem) => specificIssues(problem, value)))
    .filter((problems) => problems.every(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'))
    .sort((a, b) => a.length - b.length);
  const [closest, next] = shapes;
  if (closest === undefined) return [issue];
  const inner = next?.length === closest.length ? unknownKeysOf(shapes) : closest;
  if (inner.length === 0) return [issue];
  return inner.map((problem) => ({ ...problem, path: [...issue.path, ...problem.path] }));
}

/** Returns a problem that lists the keys that are valid in none of the shapes. Empty if there is no such key. */
function unknownKeysOf(shapes: readonly (readonly Issue[])[]): Issue[] {
  const [first = [], ...others] = shapes.map((problems) =>
    problems.flatMap((problem) =>
      problem.code === 'unrecognized_keys' && problem.path.length === 0 ? problem.keys : [],
    ),
  );
  const keys = first.filter((key) => others.every((other) => other.includes(key)));
  if (keys.length === 0) return [];
  return [{ code: 'unrecognized_keys', keys, path: [], message: '' }];
}

function addFindings(issues: readonly Issue[], root: Located, findings: Findings): void {
  const reported = new Set<string>();
  const meant = new Set(issues.flatMap(meantPaths).map((path) => path.join('\n')));
  for (const issue of issues) {
    const path = pathOf(issue);
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) findings.atKey([...path, key], unknownKey(path, key));
    } else if (!reported.has(path.join('\n')) && (has(root, path) || !meant.has(path.join('\n')))) {
      reported.add(path.join('\n'));
      addFinding(issue, path, root, findings);
    }
  }
}

/**
 * Returns the paths of the valid keys that the author probably means by unknown keys. A missing key at such a path is
 * not reported as a second mistake.
 */
function meantPaths(issue: Issue): Path[] {
  if (issue.code !== 'unrecognized_keys') return [];
  const path = pathOf(issue);
  const known = keysAt(path) ?? [];
  return issue.keys.flatMap((key) => {
    const meant = meantKey(path, key, known);
    return meant === undefined ? [] : [[...path, meant]];
  });
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
    findings.atValue(path, `${key}${wrongValue(issue, path, data, root)}`);
  }
}

const NAME_RULE = `expected 1 to ${MAX_PARAMETER_NAME} characters on one line, without = and without spaces at the ends`;
const VARIABLE_RULE = 'expected letters, digits and "_", not starting with a digit';

function wrongValue(issue: Issue, path: Path, data: unknown, root: Located): string {
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    const entry = locate(root, path.slice(0, -1)).data;
    const meant = typeof data === 'string' ? meantValue(path, data, values, entry) : undefined;
    return `expected ${values.join(' or ')}, got ${show(data)}${meant === undefined ? '' : `; did you mean "${meant}"?`}`;
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
  return `${issue.message}, got ${show(data)}${quotesHint(issue.message, data)}${otherKeyHint(path, data)}`;
}

/** Returns a hint for a value that would be valid under another key or in another notation. May be empty. */
function otherKeyHint(path: Path, data: unknown): string {
  switch (path.join('.')) {
    case 'max_failed':
      return typeof data === 'number' && data > 0 && data < 1
        ? `; write "${Number((data * 100).toPrecision(6))}%"`
        : '';
    case 'replicates':
      return Array.isArray(data) ? '; write "seeds" for a list of seeds' : '';
    case 'seeds':
      return typeof data === 'number' ? '; write "replicates" for a number of seeds' : '';
    default:
      return '';
  }
}

function quotesHint(expected: string, data: unknown): string {
  if (expected === 'expected text' && (typeof data === 'number' || typeof data === 'boolean'))
    return '; put quotes around it';
  const isNumber = typeof data === 'string' && data.trim() !== '' && Number.isFinite(Number(data));
  return isNumber && /^expected a (?:whole )?number/.test(expected) ? '; remove the quotes' : '';
}

function unknownKey(path: Path, key: string): string {
  if (parameterName(key) !== key) return `invalid key ${quote(parameterName(key))}`;
  if (path.length === 0 && UNSUPPORTED_KEYS.includes(key)) return `key ${quote(key)} is not yet supported`;
  const known = keysAt(path) ?? [];
  return `unknown key ${quote(key)}${keyHint(path, key, known) || `; expected ${known.join(', ')}`}`;
}

function example(path: Path): string {
  switch (path.join('.')) {
    case 'trainer':
      return '; write trainer: autoencoder, or the command of a program of your own';
    case 'parameters':
      return '; write parameters: {latent_dim: {values: [15, 30]}}';
    case 'replicates.min':
    case 'replicates.max':
    case 'replicates.until':
      return '; write replicates: {min: 3, max: 20, until: decided}';
    case 'early_terminate.type':
      return '; write early_terminate: {type: asha, min_iter: 1}';
    case 'pbt.interval':
      return '; write pbt: {interval: 5}';
    case 'metric.name':
      return '; write metric: {name: test_loss, goal: minimize}';
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
