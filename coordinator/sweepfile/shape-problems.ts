/** What zod finds wrong with a file's shape, in words for its author. */
import type { z } from 'zod';
import { didYouMean } from '../../lib/text/did-you-mean.ts';
import { quote, show } from '../../lib/text/quote.ts';
import { LABEL_NAME_RULE } from '../../proto/limits.ts';
import { isLater, LATER_METHODS } from './later.ts';
import { type Findings, has, type Located, locate, type Path } from './locate.ts';
import { keysAt } from './schema.ts';

type Issue = z.core.$ZodIssue;

/** Adds a finding for every issue; several issues of one value are told as the first of them. */
export function tellShapeProblems(issues: readonly Issue[], root: Located, findings: Findings): void {
  const told = new Set<string>();
  for (const issue of issues) {
    const path = pathOf(issue);
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) findings.atKey([...path, key], unknownKey(path, key, root));
    } else if (!told.has(path.join('\n'))) {
      told.add(path.join('\n'));
      tell(issue, path, root, findings);
    }
  }
}

/** The paths at which the file's shape is wrong. */
export function badPaths(issues: readonly Issue[]): Path[] {
  return issues.flatMap((issue) => {
    const path = pathOf(issue);
    return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...path, key]) : [path];
  });
}

function tell(issue: Issue, path: Path, root: Located, findings: Findings): void {
  const name = path[path.length - 1];
  if (issue.code === 'invalid_key' && path[0] === 'resources') {
    findings.atKey(path, `${quote(String(name))} cannot name a label; expected ${LABEL_NAME_RULE}`);
  } else if (issue.code === 'invalid_key') {
    findings.atKey(path, `${quote(String(name))} cannot be a parameter; ${nameRule(String(name))}`);
  } else if (!has(root, path)) {
    findings.atKey(path.slice(0, -1), `missing key ${quote(String(name))}${example(path)}`);
  } else {
    const { data } = locate(root, path);
    const key = typeof name === 'string' ? `${name}: ` : '';
    findings.atValue(path, `${key}${wrongValue(issue, path, data)}`);
  }
}

function nameRule(name: string): string {
  return name in Object.prototype
    ? 'the name is taken by JavaScript itself'
    : `a parameter's name is a letter, then letters, digits, "_", "." or "-", up to 64 in all`;
}

function wrongValue(issue: Issue, path: Path, data: unknown): string {
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    if (path[0] === 'method' && typeof data === 'string' && LATER_METHODS.includes(data)) {
      return `${quote(data)} is not yet supported; write method: grid`;
    }
    const meant = typeof data === 'string' ? didYouMean(data, values) : '';
    return `expected ${values.join(' or ')}, got ${show(data)}${meant}`;
  }
  if (Array.isArray(data) && issue.code === 'too_big') return `${issue.message}, got ${data.length}`;
  if (Array.isArray(data) && issue.code === 'too_small') return `${issue.message}, which is empty`;
  const unquoted = issue.message === 'expected text' && (typeof data === 'number' || typeof data === 'boolean');
  return `${issue.message}, got ${show(data)}${unquoted ? '; put quotes around it' : ''}`;
}

function unknownKey(path: Path, key: string, root: Located): string {
  const inParameter = path[0] === 'parameters' && path.length === 2;
  if ((path.length === 0 || inParameter) && isLater(key, inParameter)) {
    if (!inParameter) return `key ${quote(key)} is not yet supported`;
    const what =
      key === 'distribution' ? `distribution ${show(locate(root, [...path, key]).data)}` : `key ${quote(key)}`;
    return `${what} is not yet supported; list values, or give min, max and step`;
  }
  const known = keysAt(path) ?? [];
  const meant = didYouMean(key, known);
  return `unknown key ${quote(key)}${meant === '' ? `; the keys here are ${known.join(', ')}` : meant}`;
}

function example(path: Path): string {
  switch (path.join('.')) {
    case 'trainer':
      return '; write trainer: autoencoder';
    case 'parameters':
      return '; write parameters: {latent_dim: {values: [15, 30]}}';
    default:
      return '';
  }
}

/** Paths of data have no symbols in them. */
function pathOf(issue: Issue): Path {
  return issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
}
