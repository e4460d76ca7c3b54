// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sweepFingerprint } from './fingerprint.ts';
import { parseSweep } from './parse.ts';

const of = (text: string) => sweepFingerprint(parseSweep(text, 'x.yaml'));

const PLAIN = `
trainer: noop
parameters:
  a: {values: [1, 1e-5]}
  b: {value: 3}
exclude: [{a: 1, b: 3}]
`;

test.each([
  [
    'a different layout',
    'trainer: noop   # a comment\nparameters: {"a": {values: [1, 0.00001]}, b: {value: 3}}\nexclude:\n- a: 1\n  b: 3\n',
  ],
  [
    'a different order of keys',
    'exclude: [{b: 3, a: 1}]\nparameters: {b: {value: 3}, a: {values: [1, 1e-5]}}\ntrainer: noop\n',
  ],
  [
    'lists with one value',
    'trainer: noop\nparameters: {a: {values: [1, 1e-5]}, b: {values: [3]}}\nexclude: [{a: [1], b: 3}]\n',
  ],
  [
    'a file with explicit defaults, a priority and a weight',
    `${PLAIN}retry: {crash: 2}\nreplicates: 1\norder: grid\nresources: {labels: {}}\npriority: 5\nweight: 2\nmetric: {name: test_loss}\nmethod: grid\nzip: []\n`,
  ],
  ['a different name and description', `${PLAIN}name: other\ndescription: words\n`],
])('%s does not change the fingerprint', (_, text) => {
  expect(of(text)).toBe(of(PLAIN));
  expect(of(PLAIN)).toMatch(/^[0-9a-f]{64}$/);
});

test.each([
  'metric: {name: test_loss, goal: maximize}',
  'replicates: 2',
  'seeds: [1]',
  'concurrency: 3',
  'resources: {gpu: 1}',
  'resources: {gpu: false}',
  'resources: {vram: 8GiB}',
  'resources: {labels: {zone: a}}',
  'timeout: 1h',
  'retry: {crash: 3}',
  'retry: {backoff: 3s}',
  'speculate: true',
  'max_failed: 0',
  'max_failed: 10%',
  'order: shuffled\nseed: 0',
  'order: shuffled\nseed: 1',
  'when: [{if: {a: 1}, set: {b: 4}}]',
  'when: [{if: {a: 1}, set: {epochs: 4}}]',
])('%j changes the fingerprint', (line) => {
  const others = ['', 'concurrency: 4', 'max_failed: 1', 'when: [{if: {a: 1}, set: {b: 5}}]'];
  for (const other of others) expect(of(`${PLAIN}${line}\n`)).not.toBe(of(`${PLAIN}${other}\n`));
});

test('different steps, values or rules change the fingerprint', () => {
  const texts = [
    '{min: 0, max: 1, step: 0.5}',
    '{min: 0, max: 2, step: 0.5}',
    '{min: 0, max: 2, step: 1}',
    '{values: [a]}',
    '{values: [b]}',
  ];
  const prints = texts.map((axis) => of(`{trainer: noop, parameters: {x: ${axis}}}`));
  expect(new Set(prints).size).toBe(texts.length);
  expect(of(PLAIN.replace('a: 1, b: 3', 'a: 1'))).not.toBe(of(PLAIN));
});

test('a different command changes the fingerprint, but the same command in a different notation does not', () => {
  const file = (command: string) => of(`${command}\nmetric: {name: loss}\nparameters: {x: {values: [1, 2]}}`);
  const plain = file('program: t.py');
  expect(file('trainer: command\ncommand: [/usr/bin/env, "${interpreter}", t.py, "${args}"]')).toBe(plain);
  expect(file('program: u.py')).not.toBe(plain);
  expect(file('command: [t.py]')).not.toBe(plain);
});

test.each([
  ['autoencoder-study.yaml', '7789456f16950265e0ca04c67871b16d23b6757e47f35c3b0920119d17c2b9cb'],
  ['autoencoders.yaml', 'ca0b3b744a83bf0d01174422b77b5fd435dc69ab9ab04837de68cc263626b248'],
  ['noop.yaml', 'fd48c5943f7a6a9ff6127286d8c9aade5a11ad927597e4fcc6755d8db7dc6b5f'],
  ['python/sweep.yaml', '0ea9272f04e0eb1f101d8a5a9e729c06ffd3f2b41299c87b28acb5caf9a60f13'],
])('the fingerprint of %s is the same as in earlier versions', (name, fingerprint) => {
  const text = readFileSync(new URL(`../../examples/${name}`, import.meta.url), 'utf8');
  expect(of(text)).toBe(fingerprint);
});
