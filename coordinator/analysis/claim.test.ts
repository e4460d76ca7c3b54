import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseClaim } from './claim.ts';

const mean = (metric: string, conditions: Record<string, number | string | boolean>, over?: string) => ({
  metric,
  over,
  conditions: Object.entries(conditions).map(([name, value]) => ({ name, anyOf: [value] })),
});

test('an ordering in a claim is parsed', () => {
  expect(parseClaim('test_loss[latent_dim]: 15 > 30 > 50')).toEqual({
    kind: 'ordering',
    metric: 'test_loss',
    parameter: 'latent_dim',
    values: [15, 30, 50],
    direction: '>',
  });
  expect(parseClaim(' loss[ kind ] : fashion-mnist<true<"15"< 1e-3 ')).toMatchObject({
    values: ['fashion-mnist', true, '15', 0.001],
    direction: '<',
  });
});

test('comparisons with conditions, negated comparisons and comparisons of ranges are parsed', () => {
  expect(parseClaim('psnr[latent_dim=15] > psnr[latent_dim=100]')).toEqual({
    kind: 'comparison',
    negated: false,
    direction: '>',
    left: mean('psnr', { latent_dim: 15 }),
    right: mean('psnr', { latent_dim: 100 }),
  });
  expect(parseClaim('not loss/val[a=x, b="two words"] < loss/val[a=y, b=\'\']')).toEqual({
    kind: 'comparison',
    negated: true,
    direction: '<',
    left: mean('loss/val', { a: 'x', b: 'two words' }),
    right: mean('loss/val', { a: 'y', b: '' }),
  });
  expect(parseClaim('range(l, d)[s=a] < range(l, d)[s=b]')).toMatchObject({
    left: mean('l', { s: 'a' }, 'd'),
    right: mean('l', { s: 'b' }, 'd'),
  });
});

test('a trend in a claim is parsed, and metrics may have the names of keywords', () => {
  expect(parseClaim('test_loss falls over epochs')).toEqual({ kind: 'trend', metric: 'test_loss', rises: false });
  expect(parseClaim('range rises over epochs')).toEqual({ kind: 'trend', metric: 'range', rises: true });
  expect(parseClaim('not[a=1] > not[a=2]')).toMatchObject({ negated: false, left: { metric: 'not' } });
});

test.each([
  ['', 'character 1 of the claim: expected a metric; the claim ends here'],
  ['test_loss', 'character 10 of the claim: expected "["; the claim ends here'],
  ['test_loss[latent_dim]', 'character 22 of the claim: expected ":"; the claim ends here'],
  ['test_loss[latent_dim]: 15', 'character 26 of the claim: expected ">" or "<"; the claim ends here'],
  ['l[d]: 15 > 30 < 50', 'character 15 of the claim: an ordering uses only one sign; expected ">"; got "<"'],
  ['l[d]: 15 > 30 >', 'character 16 of the claim: expected a value; the claim ends here'],
  ['l[d]: 15 > 30 and 50', 'character 15 of the claim: expected the end of the claim; got "and"'],
  ['l[d=15] = l[d=30]', 'character 9 of the claim: expected ">" or "<"; got "="'],
  ['l[d=15] >= l[d=30]', 'character 10 of the claim: expected a metric; got "="'],
  ['l[d=15, d=30] > l[d=1]', 'character 10 of the claim: "d" is given twice; got "="'],
  ['l[d=15 > l[d=1]', 'character 8 of the claim: expected "]"; got ">"'],
  ['l[d=1e999] > l[d=1]', 'character 5 of the claim: expected a finite number; got "1e999"'],
  [
    'l[d=1] falls over epochs',
    'character 8 of the claim: the metric of a trend cannot have conditions; write them in the key "where" of the hypothesis; got "falls"',
  ],
  ['l falls over time', 'character 14 of the claim: expected "epochs"; got "time"'],
  ['range(l)[d=1] > l[d=2]', 'character 8 of the claim: expected ","; got ")"'],
  ['l[d="15] > l[d=1]', 'character 5 of the claim: expected a value; got "\\""'],
])('the claim %j is rejected with the position of the error', (text, message) => {
  expect(parseClaim(text)).toBe(message);
});

test('any text is either a valid claim or gives an error with a position', () => {
  const pieces = fc.constantFrom(
    'l',
    '[',
    ']',
    '(',
    ')',
    ':',
    ',',
    '=',
    '<',
    '>',
    ' ',
    'not',
    'range',
    '15',
    '"',
    "'",
    'falls',
    '→',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(pieces, { maxLength: 20 }).map((list) => list.join('')),
      ),
      (text) => {
        const claim = parseClaim(text);
        if (typeof claim === 'string') expect(claim).toMatch(/^character \d+ of the claim: /);
        else expect(['ordering', 'comparison', 'trend']).toContain(claim.kind);
      },
    ),
  );
});
