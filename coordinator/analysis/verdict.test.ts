import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Parameters } from '../../proto/trainers.ts';
import { replicates, trial, withCurve } from '../../test/support/coordinator/judged-trials.ts';
import type { Hypothesis } from '../grid/spec.ts';
import { parseClaim } from './claim.ts';
import type { JudgedTrial } from './judgment.ts';
import { judgeHypotheses } from './verdict.ts';

function hypothesis(text: string, where: Parameters = {}): Hypothesis {
  const claim = parseClaim(text);
  if (typeof claim === 'string') throw new Error(claim);
  const conditions = Object.entries(where).map(([name, value]) => ({ name, anyOf: [value] }));
  return { name: 'H', about: '', text, claim, where: conditions };
}

function verdictOn(text: string, trials: readonly JudgedTrial[], where?: Parameters) {
  const [judged] = judgeHypotheses([hypothesis(text, where)], trials);
  if (judged === undefined) throw new Error('the hypothesis was not judged');
  return judged;
}

const A = [0.0412, 0.0405, 0.0431];
const B = [0.0351, 0.0363, 0.0349, 0.0371];
const two = [...replicates({ d: 15 }, A), ...replicates({ d: 30 }, B)];

test("a claim about one setting is judged by Welch's interval, and the reason states the measured values", () => {
  const judged = verdictOn('loss[d=15] > loss[d=30]', two);
  expect(judged).toMatchObject({
    verdict: 'supported',
    moreSeeds: undefined,
    parts: [{ estimate: { level: 0.95, n: [3, 4], low: expect.closeTo(0.003069189902612349, 10) } }],
  });
  expect(judged.because).toBe(
    "0.0416 on the left and 0.03585 on the right; the difference is 0.00575 in the claim's direction, " +
      '95% interval 0.003069 to 0.008431 (effect size g = 4.137, n = 3 and 4)',
  );
});

test('the reason for a refuted claim states the difference against the claim', () => {
  expect(verdictOn('loss[d=15] < loss[d=30]', two).because).toBe(
    '0.0416 on the left and 0.03585 on the right; the difference is 0.00575 against the claim, ' +
      '95% interval -0.008431 to -0.003069 (effect size g = -4.137, n = 3 and 4)',
  );
});

test('a verdict omits configs with a trial that early stopping cut off, and the reason states this', () => {
  const others = replicates({ d: 15 }, A).slice(1);
  const change = { state: 'stopped', metrics: { loss: A[0] ?? 0 } } as const;
  const cutOff = trial({ d: 15 }, 0, { ...change, stopReason: 'asha: ranks 3 of 6' });
  const judged = verdictOn('loss[d=15] > loss[d=30]', [cutOff, ...others, ...replicates({ d: 30 }, B)]);
  expect(judged).toMatchObject({ verdict: 'undecided', parts: [{ estimate: undefined }] });
  expect(judged.because).toBe(
    'no trial on the left side has a result yet; 3 results left out, because early stopping cut off trials of their configs',
  );
  const converged = { ...cutOff, stopReason: 'patience: no improvement for 3 epochs' };
  expect(verdictOn('loss[d=15] > loss[d=30]', [converged, ...others, ...replicates({ d: 30 }, B)]).verdict).toBe(
    'supported',
  );
});

test('the opposite of a supported claim is refuted, and the negation of the opposite is supported', () => {
  expect(verdictOn('loss[d=15] < loss[d=30]', two).verdict).toBe('refuted');
  expect(verdictOn('not loss[d=15] < loss[d=30]', two).verdict).toBe('supported');
  expect(verdictOn('not loss[d=15] > loss[d=30]', two).verdict).toBe('refuted');
});

const values = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 5 });
const FLIPPED = { supported: 'refuted', refuted: 'supported', undecided: 'undecided' };

test('swapping the sides inverts the verdict, and adding a constant does not change it', () => {
  fc.assert(
    fc.property(values, values, fc.integer({ min: 1, max: 9 }), (left, right, shift) => {
      const trials = [...replicates({ d: 1 }, left), ...replicates({ d: 2 }, right)];
      const { verdict, parts } = verdictOn('loss[d=1] > loss[d=2]', trials);
      expect(verdictOn('loss[d=2] > loss[d=1]', trials).verdict).toBe(FLIPPED[verdict]);
      fc.pre(Math.min(Math.abs(parts[0]?.estimate?.low ?? 0), Math.abs(parts[0]?.estimate?.high ?? 0)) > 1e-9);
      const moved = trials.map((one) => ({ ...one, metrics: { loss: (one.metrics.loss ?? 0) + shift } }));
      expect(verdictOn('loss[d=1] > loss[d=2]', moved).verdict).toBe(verdict);
    }),
  );
});

test('the verdict on an undecided comparison states how many further seeds would probably decide it', () => {
  const close = [...replicates({ d: 15 }, [1.0, 1.6, 0.7]), ...replicates({ d: 30 }, [0.9, 0.8, 1.1])];
  const judged = verdictOn('loss[d=15] > loss[d=30]', close);
  expect(judged).toMatchObject({ verdict: 'undecided', moreSeeds: 65 });
  expect(judged.because).toContain('65 more seeds per config would probably decide it');
  const hopeless = [...replicates({ d: 15 }, [1, 2, 3]), ...replicates({ d: 30 }, [1, 2, 3.0001])];
  expect(verdictOn('loss[d=15] > loss[d=30]', hopeless)).toMatchObject({
    moreSeeds: 'above limit',
    because: expect.stringContaining('more than 100 seeds'),
  });
});

test('trials are compared only with trials that have the same values of the other parameters', () => {
  const trials = [3, 5].flatMap((depth) => [
    ...replicates(
      { depth, d: 15 },
      A.map((loss) => loss * depth),
    ),
    ...replicates(
      { depth, d: 30 },
      B.map((loss) => loss * depth),
    ),
  ]);
  const judged = verdictOn('loss[d=15] > loss[d=30]', trials);
  expect(judged).toMatchObject({ verdict: 'supported', parts: [{ estimate: { n: [6, 8] } }] });
  expect(judged.parts[0]?.estimate?.effect).toBeCloseTo(4 * 0.00575, 10);
  expect(judged.because).toContain('over 2 settings of the other parameters');
  expect(judged.method).toContain('in each setting of the other parameters');
});

test('two sides that also differ in a parameter outside the claim are not compared, and the reason names that parameter', () => {
  const trials = [...replicates({ depth: 3, epochs: 10 }, A), ...replicates({ depth: 5, epochs: 13 }, B)];
  expect(verdictOn('loss[depth=3] > loss[depth=5]', trials)).toMatchObject({
    verdict: 'undecided',
    because: 'no trial has a counterpart on the other side: the sides also differ in epochs',
    parts: [{ estimate: undefined }],
  });
});

test('the reason for a verdict mentions missing seeds and results, unfinished and failed trials, and unmatched conditions', () => {
  const single = [...replicates({ d: 15 }, [1]), ...replicates({ d: 30 }, B)];
  expect(verdictOn('loss[d=15] > loss[d=30]', single).because).toMatch(/^at least two seeds per config are needed/);
  expect(verdictOn('loss[d=15] > loss[d=30]', replicates({ d: 30 }, B)).because).toBe(
    'no trial on the left side has a result yet',
  );
  const open = [
    ...two,
    trial({ d: 15 }, 3, { state: 'running' }),
    trial({ d: 15 }, 4, { state: 'failed', metrics: { loss: 99 } }),
  ];
  expect(verdictOn('loss[d=15] > loss[d=30]', open)).toMatchObject({
    verdict: 'supported',
    because: expect.stringMatching(/; 1 trial not finished yet; 1 trial without a result \(failed or cancelled\)$/),
  });
  expect(verdictOn('loss[d=15] > loss[d=30]', two, { d: 99 }).because).toContain(
    'no trial of the sweep matches the conditions under "where"',
  );
});

test('without variation between seeds, any difference decides a comparison', () => {
  const trials = [...replicates({ d: 1 }, [2, 2]), ...replicates({ d: 2 }, [1, 1]), ...replicates({ d: 3 }, [1, 1])];
  expect(verdictOn('loss[d=1] > loss[d=2]', trials).verdict).toBe('supported');
  expect(verdictOn('loss[d=1] < loss[d=2]', trials).verdict).toBe('refuted');
  expect(verdictOn('loss[d=2] > loss[d=3]', trials)).toMatchObject({
    verdict: 'undecided',
    because: expect.stringContaining('the effect is 0 and does not vary between seeds'),
  });
});

test('an ordering is supported if every step is supported at its share of the error rate', () => {
  const falling = [15, 30, 50].flatMap((d, i) => replicates({ d }, [3 - i, 3.05 - i, 2.95 - i]));
  const judged = verdictOn('loss[d]: 15 > 30 > 50', falling);
  expect(judged.verdict).toBe('supported');
  expect(judged.because).toMatch(/^of 2 steps, 2 supported; the step with the smallest effect, /);
  expect(judged.parts.map(({ claim }) => claim)).toEqual(['loss[d=15] > loss[d=30]', 'loss[d=30] > loss[d=50]']);
  expect(judged.parts.map(({ estimate }) => estimate?.level).sort()).toEqual([0.95, 0.975]);
  expect(judged.method).toContain('Holm');
  expect(verdictOn('loss[d]: 15 > 50 > 30', falling)).toMatchObject({
    verdict: 'refuted',
    because: expect.stringContaining(
      'of 2 steps, 1 supported and 1 refuted; the refuted step, loss[d=50] > loss[d=30]: ',
    ),
  });
});

test('a step can be supported on its own but undecided as a part of an ordering', () => {
  // p = 0.0387 for the single test (scipy.stats.ttest_ind, equal_var=False): below 0.05, above 0.05 / 2.
  const near = [...replicates({ d: 1 }, [3, 3.4, 3.2]), ...replicates({ d: 2 }, [2.4, 2.9, 2.5])];
  expect(verdictOn('loss[d]: 1 > 2', near).verdict).toBe('supported');
  const family = [...near, ...replicates({ d: 3 }, [2.4, 2.9, 2.6])];
  expect(verdictOn('loss[d]: 1 > 2 > 3', family)).toMatchObject({
    verdict: 'undecided',
    parts: [{ verdict: 'undecided', estimate: { level: 0.975 } }, { verdict: 'undecided' }],
  });
});

const seedsIn = (because: string) => {
  const count = /(\d+) more seeds? per config/.exec(because)?.[1];
  if (count !== undefined) return Number(count);
  return because.includes('more than 100 seeds') ? 'above limit' : undefined;
};

test('the reason for an undecided ordering names the step that needs the most seeds', () => {
  const steps = [
    ...replicates({ d: 1 }, [1.0, 1.6, 0.7]),
    ...replicates({ d: 2 }, [0.9, 0.8, 1.1]),
    ...replicates({ d: 3 }, [1.0, 1.3, 1.2]),
  ];
  const judged = verdictOn('loss[d]: 1 > 2 > 3', steps);
  const [first, second] = judged.parts;
  // The second step has the smaller effect, but needs fewer seeds.
  expect(first?.estimate?.effect).toBeGreaterThan(second?.estimate?.effect ?? Number.NaN);
  expect(first?.moreSeeds).toBeGreaterThan(Number(second?.moreSeeds));
  expect(judged.moreSeeds).toBe(first?.moreSeeds);
  expect(judged.because).toBe(
    `of 2 steps, 2 undecided; the step that needs the most seeds, loss[d=1] > loss[d=2]: ${first?.because}`,
  );
});

test('the reason for a verdict states how many seeds the decisive step needs, and no other step needs more', () => {
  fc.assert(
    fc.property(fc.array(values, { minLength: 2, maxLength: 4 }), (columns) => {
      const trials = columns.flatMap((column, d) => replicates({ d }, column));
      const judged = verdictOn(`loss[d]: ${columns.map((_, d) => d).join(' > ')}`, trials);
      expect(seedsIn(judged.because)).toBe(judged.moreSeeds);
      for (const part of judged.parts) {
        expect(seedsIn(part.because)).toBe(part.moreSeeds);
        if (typeof judged.moreSeeds === 'number' && typeof part.moreSeeds === 'number') {
          expect(part.moreSeeds).toBeLessThanOrEqual(judged.moreSeeds);
        }
      }
    }),
  );
});

test('a claim can compare the ranges of a metric over a parameter', () => {
  const noise = [-0.01, 0, 0.01];
  const slope = (dataset: string, by: number) =>
    [15, 30, 100].flatMap((d, i) =>
      replicates(
        { dataset, d },
        noise.map((n) => 1 - by * i + n),
      ),
    );
  const trials = [...slope('mnist', 0.2), ...slope('fashion', 0.05)];
  const judged = verdictOn('range(loss, d)[dataset=fashion] < range(loss, d)[dataset=mnist]', trials);
  expect(judged).toMatchObject({ verdict: 'supported', parts: [{ estimate: { n: [6, 6] } }] });
  expect(judged.parts[0]?.estimate?.effect).toBeCloseTo(0.3, 10);
  expect(judged.because).toMatch(
    /^0\.1 on the left and 0\.4 on the right; the difference is 0\.3 in the claim's direction/,
  );
  expect(judged.method).toContain('delta method');
});

const FALLING = [5, 4.2, 4.4, 3.9, 3.1, 3.3, 2.8, 2.8, 2.1, 2.2];

test('a claim about a trend is judged by all curves, and the reason counts the steps that go against it', () => {
  const curves = [0, 1, 2].map((seed) =>
    withCurve(
      { d: 15 },
      seed,
      FALLING.map((loss) => loss + seed),
    ),
  );
  const judged = verdictOn('loss falls over epochs', curves);
  expect(judged.verdict).toBe('supported');
  expect(judged.because).toBe(
    "Kendall's tau is on average 0.8444 in the claim's direction, 95% interval 0.8444 to 0.8444 " +
      '(regional Kendall test p < 0.001), over 3 curves ' +
      'of 1 config; 9 of 27 steps between epochs go against the claim',
  );
  expect(verdictOn('loss rises over epochs', curves).verdict).toBe('refuted');
});

test('a trend is undecided if the curves are flat or too short, or if a config has only one curve', () => {
  const curves = (losses: readonly number[], seeds = 3) =>
    Array.from({ length: seeds }, (_, seed) => withCurve({ d: 15 }, seed, losses));
  const because = (trials: readonly JudgedTrial[]) => {
    const { verdict, because: reason } = verdictOn('loss falls over epochs', trials);
    expect(verdict).toBe('undecided');
    return reason;
  };
  expect(because(curves([1, 1, 1, 1, 1]))).toContain('on average 0,');
  expect(because(curves([3, 2, 1]))).toBe('no curve has the 4 epochs that a trend needs');
  expect(because(curves(FALLING, 1))).toContain('at least two seeds');
  expect(because([trial({ d: 1 }, 0, { state: 'running' })])).toMatch(
    /^no trial has a result yet; 1 trial not finished yet$/,
  );
});
