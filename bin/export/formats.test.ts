import { expect, test } from 'vitest';
import { BadInputError } from '../../proto/errors.ts';
import { chooseExport, type Flags } from './formats.ts';

test.each<[Flags, object]>([
  [{}, { what: 'text', format: 'csv', curves: false }],
  [
    { format: 'json', curves: true, out: 'f' },
    { what: 'text', format: 'json', curves: true, out: 'f' },
  ],
  [
    { format: 'parquet', out: 'f' },
    { what: 'parquet', curves: false, out: 'f' },
  ],
  [
    { format: 'tensorboard', out: 'd' },
    { what: 'runs', out: 'd' },
  ],
  [
    { model: 'ab', out: 'd' },
    { what: 'model', format: 'tfjs', trial: 'ab', out: 'd' },
  ],
  [
    { model: 'ab', format: 'safetensors', out: 'f' },
    { what: 'model', format: 'safetensors', trial: 'ab', out: 'f' },
  ],
])('%j is understood', (flags, choice) => {
  expect(chooseExport(flags)).toMatchObject(choice);
});

test.each<[Flags, RegExp]>([
  [{ format: 'parquet' }, /-f parquet: name the file to write with --out FILE/],
  [{ format: 'tensorboard' }, /-f tensorboard: name the folder to write with --out FOLDER/],
  [{ format: 'tensorboard', curves: true, out: 'd' }, /--curves: .*every epoch anyway/],
  [{ format: 'tfjs', out: 'd' }, /-f tfjs .*--model TRIAL/],
  [{ format: 'safetensors', out: 'f' }, /-f safetensors .*--model TRIAL/],
  [{ model: 'ab' }, /-f tfjs: name the folder .*--out/],
  [{ model: 'ab', format: 'csv', out: 'd' }, /-f csv: a model is written as tfjs or safetensors/],
  [{ model: 'ab', curves: true, out: 'd' }, /--curves: a model has none/],
])('%j is refused by name', (flags, message) => {
  expect(() => chooseExport(flags)).toThrow(BadInputError);
  expect(() => chooseExport(flags)).toThrow(message);
});
