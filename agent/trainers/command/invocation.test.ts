// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the syntax of macros
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pythonText } from '../../../lib/text/python.ts';
import { parameterValue } from '../../../proto/values.ts';
import { argumentsOf, programParameters } from './invocation.ts';
import { SPEC } from './run-program.fixture.ts';

const TRIAL = {
  parameters: { lr: 1e-7, layers: 3, deep: true, wide: false, name: 'a b' },
  trialId: 't1',
  folders: { artifacts: '/files', parameters: '/p.json' },
  seed: 7,
  environment: { HOME: '/home/me' },
};

test.each([
  ['${args}', ['--lr=1e-07', '--layers=3', '--deep=True', '--wide=False', '--name=a b']],
  ['${args_no_hyphens}', ['lr=1e-07', 'layers=3', 'deep=True', 'wide=False', 'name=a b']],
  ['${args_append_hydra}', ['+lr=1e-07', '+layers=3', '+deep=True', '+wide=False', '+name=a b']],
  ['${args_override_hydra}', ['++lr=1e-07', '++layers=3', '++deep=True', '++wide=False', '++name=a b']],
  ['${args_no_equals}', ['--lr', '1e-07', '--layers', '3', '--deep', 'True', '--wide', 'False', '--name', 'a b']],
  ['m-${param:lr}-${param:name}.pt', ['m-1e-07-a b.pt']],
  ['${artifacts}/${trial}', ['/files/t1']],
  ['@${args_json_file}', ['@/p.json']],
  ['${args_no_boolean_flags}', ['--lr=1e-07', '--layers=3', '--deep', '--name=a b']],
  ['${args_json}', ['{"lr": 1e-07, "layers": 3, "deep": true, "wide": false, "name": "a b"}']],
  ['--seed=${seed}', ['--seed=7']],
  ['${envvar:HOME}/data', ['/home/me/data']],
  ['$${HOME}', ['${HOME}']],
  ['', ['']],
])('%s becomes %j', (item, expected) => {
  expect(argumentsOf(['t', item], TRIAL)).toEqual(['t', ...expected]);
});

test('without parameters, ${args} expands to no argument', () => {
  expect(argumentsOf(['t', '${args}'], { ...TRIAL, parameters: {} })).toEqual(['t']);
});

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.-]{0,10}$/).filter((key) => !(key in Object.prototype));
const value = fc.oneof(
  fc.string(),
  fc.constantFrom('a b', '$(rm x)', '"', "'; x", '${args}', '\n'),
  fc.integer(),
  fc.boolean(),
);

test('each parameter becomes exactly one argument, whatever its value contains', () => {
  fc.assert(
    fc.property(fc.dictionary(name, value), (parameters) => {
      const trial = { ...TRIAL, parameters };
      const entries = Object.entries(parameters);
      expect(argumentsOf(['t', '${args}'], trial).slice(1)).toEqual(
        entries.map(([key, each]) => `--${key}=${pythonText(each)}`),
      );
      expect(argumentsOf(['t', '${args_no_hyphens}'], trial)).toHaveLength(entries.length + 1);
      const [, json] = argumentsOf(['t', '${args_json}'], trial);
      expect(JSON.parse(json ?? '')).toEqual({ ...parameters });
    }),
  );
});

test('structured values, null and floats are written as Python writes them', () => {
  const parameters = {
    layers: parameterValue([64, 32]),
    betas: parameterValue([0.9, null, true, 'x']),
    head: parameterValue({ a: 1, b: { c: 'd' } }),
    none: parameterValue(null),
    scale: 1,
    count: 2,
    mixed: parameterValue([1, 2, { 'a/b': 3, c: 4 }, 'inf', 'nan']),
    other: 5,
  };
  const spec = {
    ...SPEC,
    floatParameters: ['scale'],
    floatValues: [
      { parameter: 'mixed', value: '[1,2,{"a/b":3,"c":4},"inf","nan"]', floats: ['/1', '/2/a~1b', '/3'] },
      { parameter: 'other', value: '6', floats: [''] },
    ],
  };
  const trial = { ...TRIAL, parameters: programParameters(parameters, 0, spec) };
  expect(argumentsOf(['t', '${args}'], trial).slice(1)).toEqual([
    ...['--layers=[64, 32]', "--betas=[0.9, None, True, 'x']", "--head={'a': 1, 'b': {'c': 'd'}}"],
    ...['--none=None', '--scale=1.0', '--count=2'],
    ...["--mixed=[1, 2.0, {'a/b': 3.0, 'c': 4}, inf, 'nan']", '--other=5'],
  ]);
  expect(argumentsOf(['${args_json}'], trial)[0]).toContain(
    '"mixed": [1, 2.0, {"a/b": 3.0, "c": 4}, Infinity, "nan"], "other": 5}',
  );
});

test('an unset environment variable or an unknown macro in a command is an error', () => {
  expect(() => argumentsOf(['${envvar:NO_SUCH}'], TRIAL)).toThrow(/NO_SUCH is not set/);
  expect(() => argumentsOf(['${later}'], TRIAL)).toThrow(/does not support \$\{later\}/);
});
