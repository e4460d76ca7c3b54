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
])('the export options %j are accepted', (flags, choice) => {
  expect(chooseExport(flags)).toMatchObject(choice);
});

test.each<[Flags, RegExp]>([
  [{ format: 'parquet' }, /-f parquet requires --out FILE/],
  [{ format: 'tensorboard' }, /-f tensorboard requires --out FOLDER/],
  [{ format: 'tensorboard', curves: true, out: 'd' }, /--curves: .*always exports every epoch/],
  [{ format: 'tfjs', out: 'd' }, /-f tfjs .*--model TRIAL/],
  [{ format: 'safetensors', out: 'f' }, /-f safetensors .*--model TRIAL/],
  [{ model: 'ab' }, /-f tfjs requires --out FOLDER/],
  [{ model: 'ab', format: 'csv', out: 'd' }, /-f csv: --model supports tfjs and safetensors only/],
  [{ model: 'ab', curves: true, out: 'd' }, /--curves and --model cannot be used together/],
])('the export options %j are rejected, and the message names the option', (flags, message) => {
  expect(() => chooseExport(flags)).toThrow(BadInputError);
  expect(() => chooseExport(flags)).toThrow(message);
});
