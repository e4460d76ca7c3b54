// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sweepFingerprint } from './fingerprint.ts';
import { parseSweep } from './parse.ts';

const REST = 'method: grid\nmetric: {name: my loss}\nparameters: {lr: {values: [0.1, 0.01]}, big: {value: true}}\n';

test('the key "command" implies trainer "command"; only the macros env, interpreter and program are replaced', () => {
  const items = ['${interpreter}', '${program}', '--x=${args_json}', '$${HOME}', '${envvar:HOME}/y', '${args}'];
  const text = `command: ${JSON.stringify(items)}\nprogram: train.py\n${REST}`;
  const spec = parseSweep(text, 'x.yaml');
  expect(spec).toMatchObject({ trainer: 'command', metric: { name: 'my loss', goal: 'minimize' } });
  expect(spec.command).toEqual([
    ...['python3', 'train.py', '--x=${args_json}', '$${HOME}', '${envvar:HOME}/y', '${args}'],
  ]);
  expect(sweepFingerprint(parseSweep(`trainer: command\n${text}`, 'x.yaml'))).toBe(sweepFingerprint(spec));
});

test('a program without a command gets the default command, as in Weights & Biases', () => {
  const { trainer, command } = parseSweep(`program: train.py\n${REST}`, 'x.yaml');
  expect({ trainer, command }).toEqual({
    trainer: 'command',
    command: ['/usr/bin/env', 'python3', 'train.py', '${args}'],
  });
});

test('arguments without macros are unchanged', () => {
  const argument = fc.string().filter((text) => !text.includes('${') && !text.includes('\0'));
  fc.assert(
    fc.property(argument, (text) => {
      const command = ['t', text];
      expect(parseSweep(JSON.stringify({ command, metric: { name: 'loss' }, parameters: {} }), 'x').command).toEqual(
        command,
      );
    }),
  );
});
