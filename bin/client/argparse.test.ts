// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
import { expect, test } from 'vitest';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { argparseOptions, argparseWarnings } from './argparse.ts';

const SCRIPT = `
import argparse
parser = argparse.ArgumentParser(description="trains (a net)")
parser.add_argument('-b', "--batch_size", type=int, default=32)
parser.add_argument(
    "--learning-rate",
    type=float,
    choices=(0.1, 0.2),
)
parser.add_argument('--amp', action='store_true', help='mixed precision (fp16)')
parser.add_argument('data')
args = parser.parse_args()
`;

const warnings = (parameters: string, macro = '${args}', script = SCRIPT) =>
  argparseWarnings(
    parseSweep(
      `command: [python3, train.py, "${macro}"]\nmetric: {name: loss}\nparameters: {${parameters}}\n`,
      'w.yaml',
    ),
    script,
    'train.py',
  );

test('the options of a script are found with all their names, and options without a value are marked as flags', () => {
  expect(argparseOptions(SCRIPT)).toEqual([
    { names: ['-b', '--batch_size'], isFlag: false },
    { names: ['--learning-rate'], isFlag: false },
    { names: ['--amp'], isFlag: true },
  ]);
});

test('the warning about a parameter without an option names the nearest option', () => {
  expect(warnings('batch_size: {values: [1]}, learning_rate: {values: [0.1]}')).toEqual([
    'train.py has no option --learning_rate; did you mean "--learning-rate"?',
  ]);
  expect(warnings('batch: {values: [1]}, zzz: {value: 1}', '${args_no_equals}')).toEqual([
    'train.py has no option --zzz',
  ]);
  expect(warnings('zzz: {value: 1}', '${args_no_hyphens}')).toEqual([]);
});

test('a parameter causes a warning if its value would be passed to an option that takes no value', () => {
  expect(warnings('amp: {values: [true, false]}')).toEqual([
    'the option --amp of train.py takes no value: pass the parameters with ${args_no_boolean_flags}',
  ]);
  expect(warnings('amp: {values: [true, false]}', '${args_no_boolean_flags}')).toEqual([]);
});

test.each([
  ['import click', 'no argparse'],
  [SCRIPT.replace('parse_args()', 'parse_known_args()'), 'unknown options are accepted'],
  [`${SCRIPT}\nadd_model_arguments(parser)`, 'a function adds options'],
  [`${SCRIPT}\nfor name in NAMES: parser.add_argument(name)`, 'the name of an option is not literal'],
  [`${SCRIPT}\nparser.add_argument('--' + name)`, 'the name of an option is computed'],
  [`${SCRIPT}\nparser.add_argument(f'--{name}')`, 'the name of an option is an f-string'],
  [SCRIPT.replace('description=', 'parents=[base], description='), 'options come from a parent parser'],
])('a script whose options cannot all be found in its text causes no warning (%#)', (script) => {
  expect(warnings('zzz: {value: 1}', '${args}', script)).toEqual([]);
});
