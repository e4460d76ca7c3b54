import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJsonLine } from './objects.ts';
import { numberOf, type Reading, StepReader, type StepReaderOptions } from './steps.ts';

function read(lines: readonly (string | object)[], options: StepReaderOptions = { metric: 'loss' }) {
  const reader = new StepReader(options);
  return lines.map((line) => {
    const values = parseJsonLine(typeof line === 'string' ? line : JSON.stringify(line));
    if (values === undefined) throw new Error(`not JSON: ${line}`);
    return short(reader.read(values));
  });
}

const short = (reading: Reading) =>
  reading.kind === 'report' ? [reading.step, Object.fromEntries(reading.metrics)] : reading.kind;

describe('steps', () => {
  test('the values of several lines with the same step all belong to that step', () => {
    expect(
      read([
        { epoch: 1, train_loss: 1 },
        { epoch: 1, loss: 0.5 },
      ]),
    ).toEqual([
      [1, { train_loss: 1 }],
      [1, { loss: 0.5 }],
    ]);
  });

  test.each([
    [0, 0],
    [0.1, 0.1],
    ['2', 2],
    ['2.5', 2.5],
    [1e9, 1e9],
  ])('a report with the epoch %j has the step %d', (epoch, step) => {
    expect(read([{ epoch, loss: 1 }])).toEqual([[step, { loss: 1 }]]);
  });

  test('a report may have a lower step than an earlier report; a report without a step gets the step after the highest step', () => {
    expect(read([{ epoch: 3, loss: 1 }, { epoch: 1, loss: 2 }, { loss: 3 }])).toEqual([
      [3, { loss: 1 }],
      [1, { loss: 2 }],
      [4, { loss: 3 }],
    ]);
  });

  test.each(['1/10', 'one', -1, true, [1]])(
    'the step %j, which is not a number of at least 0, is replaced by the step after the highest step',
    (epoch) => {
      expect(
        read([
          { epoch: 4, loss: 1 },
          { epoch, loss: 2 },
        ]),
      ).toEqual([
        [4, { loss: 1 }],
        [5, { loss: 2 }],
      ]);
    },
  );

  test('if several ranks print the same unreadable step, their reports get the same step number', () => {
    expect(
      read([
        { epoch: '1/3', loss: 1 },
        { epoch: '1/3', loss: 2 },
        { epoch: '2/3', loss: 3 },
      ]),
    ).toEqual([
      [1, { loss: 1 }],
      [1, { loss: 2 }],
      [2, { loss: 3 }],
    ]);
  });

  test.each([null, 'n/a', '', 'nan', -1, '-1', false, {}])(
    'reports whose "epoch" is %j get step numbers, and a repeated metric begins the next step',
    (epoch) => {
      const line = (metrics: object) => ({ epoch, ...metrics });
      expect(read([{ train: 4 }, { loss: 1 }, { train: 3 }, { loss: 0.5 }, { loss: 0.25 }].map(line))).toEqual([
        [1, { train: 4 }],
        [1, { loss: 1 }],
        [2, { train: 3 }],
        [2, { loss: 0.5 }],
        [3, { loss: 0.25 }],
      ]);
    },
  );

  test('if "epoch" is null, "step" gives the step, unless an earlier "epoch" was a number', () => {
    const lines = [
      { epoch: null, step: 10, loss: 3 },
      { epoch: 11, step: 20, loss: 2 },
      { epoch: null, step: 30, loss: 1 },
    ];
    expect(read(lines)).toEqual([
      [10, { loss: 3 }],
      [11, { step: 20, loss: 2 }],
      [12, { step: 30, loss: 1 }],
    ]);
  });

  test.each(['Epoch', 'EPOCH', ' epoch', 'epoch ', 'Step', 'STEP ', '\tstep'])('the key %j gives the step', (name) => {
    expect(read([{ [name]: 7, loss: 1 }])).toEqual([[7, { loss: 1 }]]);
  });

  test('an exact step name takes precedence over a similar name, and a ranking metric with a similar name is not the step', () => {
    expect(read([{ Epoch: 7, epoch: 2, loss: 1 }])).toEqual([[2, { Epoch: 7, loss: 1 }]]);
    expect(read([{ step: 3, Epoch: 7, loss: 1 }])).toEqual([[7, { step: 3, loss: 1 }]]);
    expect(read([{ Step: 7, epoch: 2 }], { metric: 'Step' })).toEqual([[2, { Step: 7 }]]);
    expect(read([{ steps: 3, epochs: 7, my_epoch: 1 }])).toEqual(['text']);
  });

  test('"epoch" takes precedence over "step": on a line with both, "step" is a metric', () => {
    expect(
      read([
        { epoch: 1, step: 500, loss: 1 },
        { step: 600, loss: 2 },
      ]),
    ).toEqual([
      [1, { step: 500, loss: 1 }],
      [600, { loss: 2 }],
    ]);
  });
});

describe('lines without a step', () => {
  test('a line without a step is log output, unless it contains the ranking metric or a metric of an earlier step', () => {
    expect(
      read([{ lr: 0.1, batch_size: 32, epochs: 10 }, { epoch: 1, train: 2 }, { test: 1 }, { train: 1 }, { loss: 1 }]),
    ).toEqual(['text', [1, { train: 2 }], 'text', [2, { train: 1 }], [3, { loss: 1 }]]);
  });

  test('without a ranking metric, the first name that is repeated on a later line starts a step', () => {
    expect(read([{ lr: 0.1 }, { val: 1 }, { val: 2 }, { val: 3 }], { metric: undefined })).toEqual([
      'text',
      'text',
      [1, { val: 2 }],
      [2, { val: 3 }],
    ]);
  });

  test('a line with numbers that is not a report is marked as ignored', () => {
    const reader = new StepReader({ metric: 'loss' });
    expect(reader.read(new Map([['lr', 0.1]]))).toEqual({ kind: 'text', ignored: true });
    expect(reader.read(new Map([['message', 'saved']]))).toEqual({ kind: 'text', ignored: false });
  });
});

test('with declared metrics, a repeated metric begins the next step, and other metrics belong to the highest step', () => {
  const reader = new StepReader({ metric: 'loss' });
  const read = (values: Record<string, unknown>) => reader.read(new Map(Object.entries(values)), true);
  const steps = [
    { acc: 0.1 },
    { loss: 2 },
    { epoch: 3, loss: 1 },
    { acc: 0.5 },
    { f1: 0.5 },
    { loss: 0.5 },
    { acc: 0.9 },
    { epoch: 2, acc: 0.2 },
    { f1: 0.7 },
    { acc: 1 },
  ].map((values) => {
    const reading = read(values);
    return reading.kind === 'report' ? reading.step : reading.kind;
  });
  expect(steps).toEqual([1, 1, 3, 3, 3, 4, 4, 2, 4, 5]);
});

describe('values', () => {
  test('metrics with an invalid name (empty, too long, control characters, __proto__) are listed as ignored', () => {
    const reader = new StepReader({ metric: 'loss' });
    const names = ['', 'x'.repeat(201), 'a\nb', '__proto__'];
    const reading = reader.read(
      new Map([['epoch', 1], ['constructor', 2], ...names.map((name) => [name, 3] as const)]),
    );
    expect(reading).toEqual({ kind: 'report', step: 1, metrics: new Map([['constructor', 2]]), ignored: names });
  });

  test('nested objects become dotted names; values that are not numbers are ignored, and are listed as ignored', () => {
    const reader = new StepReader({ metric: 'loss' });
    const reading = reader.read(
      new Map<string, unknown>(
        Object.entries({ epoch: 1, val: { loss: '0.5', deep: { acc: 1 } }, list: [1], ok: true, text: 'x' }),
      ),
    );
    expect(reading).toEqual({
      kind: 'report',
      step: 1,
      metrics: new Map([
        ['val.loss', 0.5],
        ['val.deep.acc', 1],
      ]),
      ignored: ['list', 'ok', 'text'],
    });
  });

  test.each([
    ['0.5', 0.5],
    [' -1e-3 ', -0.001],
    ['97.5%', 97.5],
    ['nan', Number.NaN],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    [null, Number.NaN],
    ['', undefined],
    ['1/10', undefined],
    ['0x10', undefined],
    [true, undefined],
    [[1], undefined],
  ])('the value %j is read as the number %j', (value, expected) => {
    expect(numberOf(value)).toEqual(expected);
  });

  test('a report has at most 256 metrics, and further metrics are ignored', () => {
    const reader = new StepReader({ metric: undefined });
    const reading = reader.read(
      new Map<string, unknown>([
        ['epoch', 1],
        ...Array.from({ length: 300 }, (_, i) => [`m${i}`, i] as [string, number]),
      ]),
    );
    expect(reading.kind === 'report' && [reading.metrics.size, reading.ignored.length]).toEqual([256, 44]);
  });

  test('the ranking metric is kept even if it follows 10,000 other metrics; at most 1,000 metrics are kept per attempt', () => {
    const reader = new StepReader({ metric: 'loss' });
    const names = (from: number) => Array.from({ length: 10_000 }, (_, i): [string, number] => [`m${from + i}`, i]);
    const read = (epoch: number, from: number) => {
      const reading = reader.read(new Map<string, number>([['epoch', epoch], ...names(from), ['loss', 1 / epoch]]));
      if (reading.kind !== 'report') throw new Error('expected a report');
      return { size: reading.metrics.size, loss: reading.metrics.get('loss') };
    };
    const sizes = [0, 1, 2, 3, 4, 5].map((at) => read(at + 1, at * 10_000));
    expect(sizes.map(({ size }) => size)).toEqual([256, 256, 256, 235, 1, 1]);
    expect(sizes.map(({ loss }) => loss)).toEqual([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6]);
    expect(read(7, 0)).toEqual({ size: 256, loss: 1 / 7 });
  });

  test('the names of all kept metrics have at most 100,000 characters in total', () => {
    const reader = new StepReader({ metric: 'loss' });
    const sizes = [1, 2, 3, 4].map((epoch) => {
      const names = Array.from({ length: 200 }, (_, at): [string, number] => [`${epoch}-${at}`.padEnd(200, 'm'), at]);
      const reading = reader.read(new Map<string, number>([['epoch', epoch], ...names, ['loss', 1]]));
      return reading.kind === 'report' && reading.metrics.size;
    });
    // In total, 499 of these names and the ranking metric are kept.
    expect(sizes).toEqual([201, 201, 100, 1]);
  });

  test('the step -0 is read as step 0', () => {
    const reading = new StepReader({ metric: 'loss' }).read(
      new Map([
        ['epoch', -0],
        ['loss', 1],
      ]),
    );
    expect(reading.kind === 'report' && Object.is(reading.step, 0)).toBe(true);
  });

  test('a checkpoint without a step belongs to the highest step', () => {
    const reader = new StepReader({ metric: 'loss' });
    reader.read(
      new Map([
        ['epoch', 2],
        ['loss', 1],
      ]),
    );
    expect(reader.read(new Map([['checkpoint', 'a.pt']]))).toEqual({ kind: 'checkpoint', step: 2, path: 'a.pt' });
  });
});

test('output never causes an exception, and steps are finite and not negative', () => {
  fc.assert(
    fc.property(
      fc.array(fc.dictionary(fc.constantFrom('epoch', 'step', 'loss', 'a', 'checkpoint', '__proto__'), fc.jsonValue())),
      (lines) => {
        const reader = new StepReader({ metric: 'loss' });
        for (const line of lines) {
          const reading = reader.read(new Map(Object.entries(line)));
          if (reading.kind === 'report') expect(Number.isFinite(reading.step) && reading.step >= 0).toBe(true);
        }
      },
    ),
  );
});

test.each(['inf', '+inf', ' Infinity ', '+Infinity'])('the text %j is read as infinity', (text) => {
  expect(numberOf(text)).toBe(Number.POSITIVE_INFINITY);
});
