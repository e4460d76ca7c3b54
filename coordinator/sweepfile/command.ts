// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
/**
 * Converts the `command` and `program` of a file into the command line of the user's program, and checks the macros.
 */

import { parseArgsStringToArgv } from 'string-argv';
import { didYouMean, nearest } from '../../lib/text/did-you-mean.ts';
import { show } from '../../lib/text/quote.ts';
import { MACROS, piecesOf } from '../../proto/command.ts';
import { type Findings, has, type Located } from './problems.ts';
import { isWandbFile } from './program.ts';
import type { SweepFile } from './schema.ts';

/**
 * The default command of a file that has a program but no command. Weights & Biases has the same default, but its
 * `${interpreter}` is `python`.
 */
const DEFAULT_COMMAND: readonly string[] = ['${env}', '${interpreter}', '${program}', '${args}'];

const FIXED = { env: '/usr/bin/env', interpreter: 'python3' } as const;

const EXAMPLE = 'command: [python3, train.py, "${args}"]';

/**
 * Adds `trainer: command` if a file names no trainer but has a command or a program. Files of Weights & Biases have a
 * program, but no trainer. If the command is a single text, splits the text as a shell does. Converts `code: DIR` to
 * `code: {dir: DIR}`.
 */
export function withImpliedKeys(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return data;
  const command = 'command' in data ? data.command : undefined;
  const split = typeof command === 'string' && !hasOpenQuote(command) ? parseArgsStringToArgv(command) : undefined;
  const dir = 'code' in data ? data.code : undefined;
  const folder = typeof dir === 'string' && dir !== '' ? { code: { dir } } : {};
  const file = { ...data, ...(split === undefined ? {} : { command: split }), ...folder };
  if (Object.hasOwn(data, 'trainer')) return file;
  const implied = Object.hasOwn(data, 'command') || Object.hasOwn(data, 'program');
  return implied ? { trainer: 'command', ...file } : file;
}

/** Whether a command has a quote that is not closed. Such a command is not split, and the schema rejects it. */
export function hasOpenQuote(command: string): boolean {
  return /["']/.test(command.replaceAll(/"[^"]*"|'[^']*'/g, ''));
}

/**
 * Returns the command line. Replaces the macros `${env}`, `${interpreter}` and `${program}`; agents replace all other
 * macros. For trainers other than `command`, the command line is empty. Adds findings for unknown and misplaced macros.
 */
export function commandOf(file: SweepFile, parameters: readonly string[], root: Located, findings: Findings): string[] {
  if (file.trainer !== 'command') {
    for (const key of ['command', 'program']) {
      if (has(root, [key]))
        findings.atKey([key], `${key} applies to trainer command only; the trainer is ${file.trainer}`);
    }
    return [];
  }
  if (!has(root, ['command']) && !has(root, ['program'])) {
    findings.atValue(['trainer'], `trainer command requires a command or a program; write ${EXAMPLE}`);
    return [];
  }
  if (has(root, ['command']) && file.command === undefined) return [];
  const program = file.program ?? (has(root, ['program']) ? '' : undefined);
  return (file.command ?? DEFAULT_COMMAND).map((item, index) => {
    const path = has(root, ['command']) ? ['command', index] : ['program'];
    return withMacros(item, { index, program, parameters, isWandb: isWandbFile(file) }, (message) =>
      findings.atValue(path, message),
    );
  });
}

interface ItemContext {
  readonly index: number;
  readonly program: string | undefined;
  readonly parameters: readonly string[];
  /** Whether the file has the format of Weights & Biases. */
  readonly isWandb: boolean;
}

function withMacros(
  item: string,
  { index, program, parameters, isWandb }: ItemContext,
  report: (message: string) => void,
): string {
  const pieces = piecesOf(item);
  const written = pieces.map((piece) => {
    switch (piece.kind) {
      case 'text':
        return piece.text.replaceAll('${', () => '$${');
      case 'variable':
        return `\${envvar:${piece.name}}`;
      case 'parameter':
        if (!parameters.includes(piece.name)) report(unknownParameter(piece.name, parameters));
        return `\${param:${piece.name}}`;
      case 'unknown':
        // W&B's agent does not change an unknown macro, which may be an interpolation of Hydra, for example.
        if (isWandb && pieces.length > 1 && nearest(piece.name, Object.keys(MACROS)) === undefined) {
          return `$\${${piece.name.replaceAll('${', () => '$${')}}`;
        }
        report(unknownMacro(piece.name));
        return '';
      case 'macro':
        break;
    }
    const { name } = piece;
    if (name === 'env' || name === 'interpreter') return FIXED[name];
    if (name === 'program') {
      if (program === undefined) report('${program} requires the key program, such as program: train.py');
      return program ?? '';
    }
    if (MACROS[name] === 'many' && (pieces.length > 1 || index === 0)) report(misplaced(name, index));
    return `\${${name}}`;
  });
  return written.join('');
}

function unknownParameter(name: string, parameters: readonly string[]): string {
  const meant = didYouMean(name, parameters) || `; declared: ${parameters.join(', ') || 'none'}`;
  return `unknown parameter in ${show(`\${param:${name}}`)}${meant}`;
}

function unknownMacro(name: string): string {
  const known = Object.keys(MACROS);
  const problem = `unknown macro ${show(`\${${name}}`)}`;
  const meant = nearest(name, known);
  if (meant !== undefined) return `${problem}; did you mean "\${${meant}}"?`;
  return `${problem}; expected ${[...known, 'param:NAME'].join(', ')} or envvar:NAME, or $\${ for a literal \${`;
}

function misplaced(name: string, index: number): string {
  return index === 0
    ? `\${${name}} cannot be the first item; a command starts with a program, such as ${EXAMPLE}`
    : `\${${name}} expands to several arguments; write it as a separate item`;
}
