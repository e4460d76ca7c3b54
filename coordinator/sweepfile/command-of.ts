// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros are written so
/** The `command` and `program` of a file -> the command line of the user's program, its macros checked. */

import { nearest } from '../../lib/text/did-you-mean.ts';
import { show } from '../../lib/text/quote.ts';
import { MACROS, piecesOf } from '../../proto/command.ts';
import { type Findings, has, type Located } from './locate.ts';
import type { SweepFile } from './schema.ts';

/** What a file that names only its program means; Weights & Biases has the same, with `python`. */
const DEFAULT_COMMAND: readonly string[] = ['${env}', '${interpreter}', '${program}', '${args}'];

const FIXED = { env: '/usr/bin/env', interpreter: 'python3' } as const;

const EXAMPLE = 'command: [python3, train.py, "${args}"]';

/**
 * The file's data, trainer filled in: a file that holds a command, or a program as those of Weights & Biases do, need
 * not name it.
 */
export function withImpliedTrainer(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return data;
  if (Object.hasOwn(data, 'trainer')) return data;
  const implied = Object.hasOwn(data, 'command') || Object.hasOwn(data, 'program');
  return implied ? { trainer: 'command', ...data } : data;
}

/** Items that are left hold only macros that stand for the trial's parameters; empty for other trainers. */
export function commandOf(file: SweepFile, root: Located, findings: Findings): string[] {
  if (file.trainer !== 'command') {
    for (const key of ['command', 'program']) {
      if (has(root, [key])) findings.atKey([key], `${key} is for trainer command; this is trainer ${file.trainer}`);
    }
    return [];
  }
  if (!has(root, ['command']) && !has(root, ['program'])) {
    findings.atValue(['trainer'], `trainer command needs to know what to run; write ${EXAMPLE}`);
    return [];
  }
  if (has(root, ['command']) && file.command === undefined) return [];
  // A program that is there and wrong has been told of.
  const program = file.program ?? (has(root, ['program']) ? '' : undefined);
  return (file.command ?? DEFAULT_COMMAND).map((item, index) => {
    const path = has(root, ['command']) ? ['command', index] : ['program'];
    return resolved(item, index, program, (message) => findings.atValue(path, message));
  });
}

function resolved(item: string, index: number, program: string | undefined, tell: (message: string) => void): string {
  const pieces = piecesOf(item);
  const written = pieces.map((piece) => {
    switch (piece.kind) {
      case 'text':
        return piece.text.replaceAll('${', () => '$${');
      case 'variable':
        return `\${envvar:${piece.name}}`;
      case 'unknown':
        tell(unknownMacro(piece.name));
        return '';
      case 'macro':
        break;
    }
    const { name } = piece;
    if (name === 'env' || name === 'interpreter') return FIXED[name];
    if (name === 'program') {
      if (program === undefined) tell('${program} needs the key program, such as program: train.py');
      return program ?? '';
    }
    if (MACROS[name] === 'many' && (pieces.length > 1 || index === 0)) tell(misplaced(name, index));
    return `\${${name}}`;
  });
  return written.join('');
}

function unknownMacro(name: string): string {
  const known = Object.keys(MACROS);
  const written = `unknown macro ${show(`\${${name}}`)}`;
  const meant = nearest(name, known);
  if (meant !== undefined) return `${written}; did you mean "\${${meant}}"?`;
  return `${written}; the macros are ${known.join(', ')} and envvar:NAME, and $\${ stands for \${ itself`;
}

function misplaced(name: string, index: number): string {
  return index === 0
    ? `\${${name}} cannot be the program: a command begins with what is run, such as ${EXAMPLE}`
    : `\${${name}} stands for several arguments: write it as an item of its own`;
}
