// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
import { expect, test } from 'vitest';
import { enumerateTrials } from '../../coordinator/grid/enumerate.ts';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { commandLineOf } from './command-line.ts';

function linesOf(text: string): string[] {
  const spec = parseSweep(text, 'x.yaml');
  return [...enumerateTrials(spec)].map((trial) => commandLineOf(spec, trial));
}

test('command lines are quoted for the shell', () => {
  const lines = linesOf('program: t.py\nparameters: {name: {values: [a b, "it\'s"]}, lr: {value: 0.5}}\n');
  expect(lines).toEqual([
    "/usr/bin/env python3 t.py '--name=a b' --lr=0.5",
    "/usr/bin/env python3 t.py '--name=it'\\''s' --lr=0.5",
  ]);
});

test('a parameter named "seed" becomes an argument, and values that only the agent knows become placeholders', () => {
  const text = `
command: [t, "\${args}", --out, "\${artifacts}/x", "\${envvar:HOME}", "$\${literal}", "\${trial}"]
parameters: {lr: {value: 0.5}, seed: {values: [3, 5]}}
`;
  const [first = '', second = ''] = linesOf(text);
  expect(first).toMatch(/^t --lr=0\.5 --seed=3 --out <artifacts>\/x <HOME> '\$\{literal\}' [0-9a-f]{16}$/);
  expect(second).toContain('--seed=5');
});

test('the arguments, including the seed, are in the order of the sweep file', () => {
  const space = 'parameters: {z: {value: 1}, seed: {value: 4}, a: {parameters: {c: {value: 3}, b: {value: null}}}}';
  expect(linesOf(`command: [t, "\${args}"]\n${space}\n`)).toEqual(['t --z=1 --seed=4 --a.c=3 --a.b=None']);
});

test('a sweep of a built-in trainer has no command lines', () => {
  expect(() => linesOf('trainer: noop\nparameters: {a: {value: 1}}\n')).toThrow(
    'trainer noop runs no command; use --points',
  );
});

test.each([
  ['values: [1, 2.0, 0.5, 3.]', ['1', '2.0', '0.5', '3.0']],
  ['values: [1.0, 2.0, 0.5]', ['1.0', '2.0', '0.5']],
  ['values: [1.0e+3, 7, "8.0", true]', ['1000.0', '7', '8.0', 'True']],
  ['values: [[1, 2.0], {b: [3, 4.0], a/b: 1.0}]', ['[1, 2.0]', "{'b': [3, 4.0], 'a/b': 1.0}"]],
  ['value: [.inf, 1, 1.0, -0.0]', ['[inf, 1, 1.0, 0.0]']],
  ['values: [.inf, -.INF, .nan, 2, ".inf"]', ['inf', '-inf', 'nan', '2', '.inf']],
  ['values: [1, 1.0]', ['1']],
  ['min: 1.0, max: 3, distribution: int_uniform', ['1.0', '2.0', '3.0']],
])('each number of a W&B file reaches the program in the form in which W&B passes it: %s', (written, texts) => {
  const lines = linesOf(`program: t.py\nparameters:\n  x: {${written}}\n`);
  const start = '/usr/bin/env python3 t.py --x=';
  expect(lines.map((line) => line.replaceAll("'\\''", '"').replaceAll("'", '').replace(start, ''))).toEqual(
    texts.map((text) => text.replaceAll("'", '"')),
  );
});
