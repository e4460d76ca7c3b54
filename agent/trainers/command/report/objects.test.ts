import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJsonLine, parsePythonLine, regexParser, splitObjects } from './objects.ts';

const entries = (values: ReadonlyMap<string, unknown> | undefined) => values && Object.fromEntries(values);

describe('a line with a JSON object', () => {
  test.each([
    ['{"epoch": 1, "loss": 0.5}', { epoch: 1, loss: 0.5 }],
    [
      '  {"loss": NaN, "top": Infinity, "low": -Infinity}',
      { loss: null, top: Number.POSITIVE_INFINITY, low: Number.NEGATIVE_INFINITY },
    ],
    ['{"note": "NaN and \\"Infinity\\"", "loss": 1}', { note: 'NaN and "Infinity"', loss: 1 }],
    ['{"val": {"loss": 1}}', { val: { loss: 1 } }],
    ['\ufeff{"epoch": 1} \r', { epoch: 1 }],
  ])('the line %s is parsed as a JSON object', (line, expected) => {
    expect(entries(parseJsonLine(line))).toEqual(expected);
  });

  test.each(['', 'loss: 1', '[1, 2]', '{"epoch": 1', '{}x', "{'epoch': 1}"])(
    'the line %j is not parsed as JSON',
    (line) => {
      expect(parseJsonLine(line)).toBeUndefined();
    },
  );

  test('a name that every JavaScript object has as a property, such as constructor, is an ordinary name', () => {
    const values = parseJsonLine('{"constructor": 1, "__proto__": 2, "toString": 3}');
    expect([...(values ?? [])]).toEqual([
      ['constructor', 1],
      ['__proto__', 2],
      ['toString', 3],
    ]);
  });
});

describe('a line with several JSON objects', () => {
  test('several JSON objects on one line are split at the end of each object, even if their strings contain braces', () => {
    const object = fc.dictionary(
      fc.string(),
      fc.oneof(fc.string(), fc.double(), fc.dictionary(fc.string(), fc.string())),
    );
    const space = fc.constantFrom('', ' ', '\t');
    fc.assert(
      fc.property(fc.array(fc.tuple(object, space), { minLength: 1, maxLength: 5 }), (objects) => {
        const parts = objects.map(([data, before]) => `${before}${JSON.stringify(data)}`);
        expect(splitObjects(parts.join(''))).toEqual(parts);
      }),
    );
  });

  test.each(['{"a":1}{"b":2', '{"a":1}{"b":2}x', '{"a":1}}{"b":2}', '{}{x}', '"{}{}"', '{"a":"}{"'])(
    'the line %s is not split into JSON objects',
    (line) => {
      expect(splitObjects(line)).toEqual([line]);
    },
  );

  test('splitting a long line of quotes takes linear time', () => {
    const line = `{}{"${'\\"'.repeat(120_000)}`;
    expect(splitObjects(line)).toEqual([line]);
  });
});

describe('a line with a Python dict', () => {
  test.each([
    ["{'loss': 0.5, 'learning_rate': 1e-05, 'epoch': 0.33}", { loss: 0.5, learning_rate: 1e-5, epoch: 0.33 }],
    ['{"loss": .5, "epoch": 1_000, }', { loss: 0.5, epoch: 1000 }],
    ["INFO:trainer:{'eval_loss': -2.5e3, 'ok': True, 'none': None}", { eval_loss: -2500, ok: true, none: null }],
    [
      "{'loss': nan, 'top': inf, 'low': -inf}",
      { loss: Number.NaN, top: Number.POSITIVE_INFINITY, low: Number.NEGATIVE_INFINITY },
    ],
    [
      "{'a': np.float64(0.25), 'b': tensor(0.5, device='cuda:0'), 'c': tensor(3., dtype=torch.float32)}",
      { a: 0.25, b: 0.5, c: 3 },
    ],
    ["{'l': [1, 2], 't': (1, 'x'), 's': {1, 2}, 'e': ()}", { l: [1, 2], t: [1, 'x'], s: [1, 2], e: [] }],
    ["{'it\\'s': \"a\\nb\", 1: 2}", { "it's": 'a\nb', 1: 2 }],
    ['{}', {}],
  ])('the line %s is parsed as a Python dict', (line, expected) => {
    expect(entries(parsePythonLine(line))).toEqual(expected);
  });

  test.each([
    '',
    'loss 0.5',
    "{'loss': 0.5",
    "{'loss': __import__('os').system('x')}",
    "{'a': 1, 2}",
    "{'a' 1}",
    `${'{1:'.repeat(50)}1${'}'.repeat(50)}`,
    "{'a': lambda x: x}",
  ])('the line %j is not parsed as a Python dict', (line) => {
    expect(parsePythonLine(line)).toBeUndefined();
  });

  test('any text is parsed or rejected without an exception', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom("'", '"', '{', '}', '(', ')', '[', ',', ':', 'a', '1', '.', 'e', '-', '\\', ' ', 'nan'),
          {
            maxLength: 30,
          },
        ),
        (parts) => {
          parsePythonLine(parts.join(''));
        },
      ),
    );
  });
});

describe('a line that matches a regular expression', () => {
  test('the named groups of a regular expression become values', () => {
    const parse = regexParser('epoch (?<epoch>\\d+)/\\d+.*loss=(?<loss>[\\d.e-]+)');
    expect(entries(parse('[12:00] epoch 3/10 | lr=0.1 loss=2.5e-1'))).toEqual({ epoch: '3', loss: '2.5e-1' });
    expect(parse('nothing here')).toBeUndefined();
  });

  test('if a regular expression has the groups "name" and "value", each match gives one metric, as in Katib', () => {
    const parse = regexParser('(?<name>[\\w|-]+)\\s*=\\s*(?<value>[+-]?\\d*\\.?\\d+)');
    expect(entries(parse('accuracy = 0.9 loss=0.1'))).toEqual({ accuracy: '0.9', loss: '0.1' });
  });
});
