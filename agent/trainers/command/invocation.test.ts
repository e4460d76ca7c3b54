// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the syntax of macros
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { argumentsOf } from './invocation.ts';

const TRIAL = {
  parameters: { lr: 1e-7, layers: 3, deep: true, wide: false, name: 'a b' },
  seed: 7,
  environment: { HOME: '/home/me' },
};

test.each([
  ['${args}', ['--lr=1e-7', '--layers=3', '--deep=true', '--wide=false', '--name=a b']],
  ['${args_no_hyphens}', ['lr=1e-7', 'layers=3', 'deep=true', 'wide=false', 'name=a b']],
  ['${args_no_boolean_flags}', ['--lr=1e-7', '--layers=3', '--deep', '--name=a b']],
  ['${args_json}', ['{"lr":1e-7,"layers":3,"deep":true,"wide":false,"name":"a b"}']],
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
      expect(argumentsOf(['t', '${args}'], trial).slice(1)).toEqual(entries.map(([key, each]) => `--${key}=${each}`));
      expect(argumentsOf(['t', '${args_no_hyphens}'], trial)).toHaveLength(entries.length + 1);
      const [, json] = argumentsOf(['t', '${args_json}'], trial);
      expect(JSON.parse(json ?? '')).toEqual({ ...parameters });
    }),
  );
});

test('an unset variable and an unknown macro are errors', () => {
  expect(() => argumentsOf(['${envvar:NO_SUCH}'], TRIAL)).toThrow(/NO_SUCH is not set/);
  expect(() => argumentsOf(['${later}'], TRIAL)).toThrow(/does not support \$\{later\}/);
});
