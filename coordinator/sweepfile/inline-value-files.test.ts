import { expect, test } from 'vitest';
import { enumerateTrials } from '../grid/enumerate.ts';
import { inlineValueFiles } from './inline-value-files.ts';
import { parseSweep } from './parse.ts';

const FILES: Readonly<Record<string, string>> = {
  'values.txt': "# checkpoints\n\na/b.pt\r\n 3 \n1e-3 # small\ntrue\n~\n\"4\"\nx, y: [z]\n'it''s'\n",
  'floats.txt': '1.0\n2.0',
  'empty.txt': '# nothing\n\n',
};

const inline = (text: string) =>
  inlineValueFiles(text, 's.yaml', async (path) => {
    const content = FILES[path];
    if (content === undefined) throw Object.assign(new Error('open failed'), { code: 'ENOENT' });
    return content;
  });

test.each([
  ['a block mapping', 'trainer: noop\nparameters:\n  x:\n    file: values.txt # the list\n  y: {value: 1}\n'],
  ['a flow mapping', 'trainer: noop\nparameters: {x: {file: values.txt}, y: {value: 1}}\n'],
  ['JSON', '{"trainer": "noop", "parameters": {"x": {"file": "values.txt"}, "y": {"value": 1}}}'],
])('each line of a file of values is one value: %s', async (_, text) => {
  const inlined = await inline(text);
  expect(inlined.split('\n')).toHaveLength(text.split('\n').length);
  const values = [...enumerateTrials(parseSweep(inlined, 's.yaml'))].map(({ parameters }) => parameters.x);
  const texts = JSON.parse(JSON.stringify(values));
  expect(texts).toEqual(['a/b.pt', 3, 0.001, true, null, '4', 'x, y: [z]', "it's"]);
});

test('nested parameters may have files of values, and a number that is written as a float stays a float', async () => {
  const text = 'program: t.py\nparameters: {m: {parameters: {lr: {file: floats.txt}}}}\n';
  expect(parseSweep(await inline(text), 's.yaml').program?.floatParameters).toEqual(['m.lr']);
});

test('a sweep file without files of values does not change, even if a parameter is named "file"', async () => {
  for (const text of ['trainer: noop\nparameters: {file: {value: 1}}\n', 'trainer: noop\nparameters: {}\n']) {
    expect(await inline(text)).toBe(text);
  }
});

test('a missing or empty file of values is reported with its position', async () => {
  const text = 'trainer: noop\nparameters:\n  x: {file: lost.txt}\n  y: {file: empty.txt}\n';
  await expect(inline(text)).rejects.toThrow(
    's.yaml:3:13: file: "lost.txt": no such file\ns.yaml:4:13: file: "empty.txt": no values; expected one value per line',
  );
});
