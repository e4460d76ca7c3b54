// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the syntax of macros
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { piecesOf } from './command.ts';

const text = (value: string) => ({ kind: 'text', text: value });

test.each([
  ['', []],
  ['train.py', [text('train.py')]],
  ['${args}', [{ kind: 'macro', name: 'args' }]],
  ['--out=${envvar:HOME}/x', [text('--out='), { kind: 'variable', name: 'HOME' }, text('/x')]],
  ['model-${param:optimizer.lr}.pt', [text('model-'), { kind: 'parameter', name: 'optimizer.lr' }, text('.pt')]],
  ['${param:}', [{ kind: 'unknown', name: 'param:' }]],
  ['${arg}', [{ kind: 'unknown', name: 'arg' }]],
  ['${}', [{ kind: 'unknown', name: '' }]],
  ['${constructor}', [{ kind: 'unknown', name: 'constructor' }]],
  ['${envvar:a b}', [{ kind: 'unknown', name: 'envvar:a b' }]],
  ['echo $${HOME} $HOME', [text('echo ${'), text('HOME} $HOME')]],
  ['costs ${', [text('costs ${')]],
])('the item %j of a command is split into %j', (item, pieces) => {
  expect(piecesOf(item)).toEqual(pieces);
});

test('piecesOf keeps text without macros unchanged, and returns escaped macros as plain text', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.string(), fc.constantFrom('$', '{', '}', '${', '${args}')), { maxLength: 8 }),
      (parts) => {
        const wanted = parts.join('');
        const pieces = piecesOf(wanted.replaceAll('${', () => '$${'));
        expect(pieces.map((piece) => (piece.kind === 'text' ? piece.text : piece)).join('')).toBe(wanted);
      },
    ),
  );
});
