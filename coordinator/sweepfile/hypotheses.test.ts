import { expect, test } from 'vitest';
import { sweepFingerprint } from './fingerprint.ts';
import { parseSweep } from './parse.ts';
import { SweepFileError } from './problems.ts';

const SWEEP = `
trainer: autoencoder
parameters:
  dataset: {values: [mnist, fashion-mnist]}
  depth: {values: [3, 5]}
  latent_dim: {values: [15, 30, 100]}
  noise_std: {value: 0}
when: [{if: {depth: 5}, set: {epochs: 13, latent_dim: 40}}]
`;

const withClaim = (claim: string, where = '') =>
  `${SWEEP}hypotheses:\n  - name: H1\n    claim: '${claim}'\n${where === '' ? '' : `    where: ${where}\n`}`;

function problemsOf(text: string): string[] {
  try {
    parseSweep(text, 'x.yaml');
    return [];
  } catch (error) {
    if (!(error instanceof SweepFileError)) throw error;
    return error.problems.map(({ line, message }) => `${line}: ${message}`);
  }
}

test('hypotheses are parsed in order, and omitted keys are empty', () => {
  const { hypotheses } = parseSweep(
    `${withClaim('psnr[latent_dim=15] > psnr[latent_dim=40]', '{dataset: [mnist], depth: 5}')}  - {name: H2, claim: psnr rises over epochs, about: it learns}\n`,
    'x',
  );
  expect(hypotheses).toMatchObject([
    {
      name: 'H1',
      about: '',
      text: 'psnr[latent_dim=15] > psnr[latent_dim=40]',
      where: [
        { name: 'dataset', anyOf: ['mnist'] },
        { name: 'depth', anyOf: [5] },
      ],
    },
    { name: 'H2', about: 'it learns', claim: { kind: 'trend', metric: 'psnr', rises: true }, where: [] },
  ]);
});

test('hypotheses do not change the fingerprint of a sweep', () => {
  const plain = sweepFingerprint(parseSweep(SWEEP, 'x'));
  expect(sweepFingerprint(parseSweep(withClaim('test_loss falls over epochs'), 'x'))).toBe(plain);
});

test.each([
  [
    'default values and values that a `when` rule sets',
    'test_loss[epochs=13] < test_loss[epochs=10]',
    '{latent_dim: 40}',
  ],
  ['several conditions', 'psnr[depth=3, latent_dim=15] > psnr[latent_dim=100, depth=5]', ''],
  ['ranges', 'range(psnr, latent_dim)[dataset=mnist] > range(psnr, latent_dim)[dataset=fashion-mnist]', ''],
])('hypotheses with %s are accepted', (_, claim, where) => {
  expect(problemsOf(withClaim(claim, where))).toEqual([]);
});

test('in a sweep of trainer "command", a claim may name any metric', () => {
  const text =
    '{command: [python3, a.py], metric: {name: m}, parameters: {a: {values: [1, 2]}}, hypotheses: [{name: H, claim: "x[a]: 1 > 2"}]}';
  expect(problemsOf(text)).toEqual([]);
});

test.each([
  [
    'test_lss falls over epochs',
    '',
    '11: claim: trainer autoencoder has no metric "test_lss"; did you mean "test_loss"?',
  ],
  ['psnr[latent]: 15 > 30', '', '11: claim: "latent" is not declared under parameters; did you mean "latent_dim"?'],
  ['psnr[latent_dim]: 15 > 31', '', '11: claim: latent_dim is never 31 in this sweep; did you mean "30"?'],
  ['psnr[latent_dim]: 15 > 15', '', '11: claim: 15 is listed twice in the ordering'],
  [
    'psnr[dataset=mnst] > psnr[dataset=mnist]',
    '',
    '11: claim: dataset: expected mnist or fashion-mnist, got "mnst"; did you mean "mnist"?',
  ],
  ['psnr[depth=3] > psnr[depth=3]', '', '11: claim: the two sides are equal'],
  [
    'psnr[depth=3] > psnr[dataset=mnist]',
    '',
    '11: claim: both sides must have conditions on the same parameters; got depth and dataset',
  ],
  ['psnr[depth=3] > test_loss[depth=5]', '', '11: claim: both sides must have the same metric; got psnr and test_loss'],
  [
    'range(psnr, noise_std)[depth=3] > range(psnr, noise_std)[depth=5]',
    '',
    '11: claim: a range requires a parameter with at least two values; noise_std has one',
  ],
  [
    'range(psnr, depth)[depth=3] > range(psnr, depth)[depth=5]',
    '',
    '11: claim: a range over depth cannot have a condition on depth',
  ],
  ['psnr[latent_dim]: 15 > 30', '{latent_dim: 15}', '11: claim: "where" excludes latent_dim=30'],
  ['psnr rises over epochs', '{latent_dim: 16}', '12: latent_dim is never 16 in this sweep; did you mean "15"?'],
  ['psnr rises over epochs', '{depht: 3}', '12: "depht" is not declared under parameters; did you mean "depth"?'],
])('the claim %s with "where" %s is rejected', (claim, where, message) => {
  expect(problemsOf(withClaim(claim, where))).toEqual([message]);
});

test('a claim with a syntax error is rejected, and the error gives examples of claims', () => {
  expect(problemsOf(withClaim('psnr is good'))).toEqual([
    expect.stringMatching(/^11: claim: character 6 of the claim: expected "\["; got "is" \(examples: test_loss\[/),
  ]);
});

test('duplicate names and unknown keys are rejected', () => {
  const twice = `${withClaim('psnr rises over epochs')}  - {name: H1, claim: psnr rises over epochs}\n`;
  expect(problemsOf(twice)).toEqual(['12: duplicate hypothesis name "H1", first at 10:11']);
  expect(problemsOf(`${SWEEP}hypotheses: [{name: H1, clam: psnr rises over epochs}]\n`)).toEqual(
    expect.arrayContaining([expect.stringContaining('unknown key "clam"; did you mean "claim"?')]),
  );
});
