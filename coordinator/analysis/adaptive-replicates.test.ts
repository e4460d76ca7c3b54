import { describe, expect, test } from 'vitest';
import { replicates as trialsOf } from '../../test/support/coordinator/judged-trials.ts';
import { normalDeviates } from '../../test/support/normal-deviates.ts';
import type { Hypothesis } from '../grid/spec.ts';
import { judgeAtLooks, looksOf, missingReplicates } from './adaptive-replicates.ts';
import { parseClaim } from './claim.ts';

const LIMITS = { min: 3, max: 20 };
const METRIC = { name: 'loss', goal: 'minimize' } as const;

function hypothesis(text: string): Hypothesis {
  const claim = parseClaim(text);
  if (typeof claim === 'string') throw new Error(claim);
  return { name: text, about: '', text, claim, where: [] };
}

const CLEAR = hypothesis('loss[d=15] > loss[d=30]');
const UNCLEAR = hypothesis('loss[d=50] > loss[d=100]');
const CLEAR_TRIALS = [...trialsOf({ d: 15 }, [9.01, 9.02, 9.03]), ...trialsOf({ d: 30 }, [1.01, 1.02, 1.03])];
const UNCLEAR_TRIALS = [...trialsOf({ d: 50 }, [1, 2, 3]), ...trialsOf({ d: 100 }, [1.1, 1.9, 3])];

const keysOf = (missing: ReturnType<typeof missingReplicates>) =>
  missing.map(({ replicateOf, seed }) => [replicateOf.parameters.d, seed]);

test('the first look is at the minimum number of replicates, the last at the maximum, and each error rate is below 5%', () => {
  const looks = looksOf(LIMITS);
  expect(looks.map(({ replicates }) => replicates)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 19, 20]);
  for (const [index, { errorRate }] of looks.entries()) {
    expect(errorRate).toBeGreaterThan(0);
    expect(errorRate).toBeLessThan(0.05);
    if (index > 0) expect(looks[index]?.replicates).toBeGreaterThan(looks[index - 1]?.replicates ?? 0);
  }
});

describe('hypotheses', () => {
  const spec = { hypotheses: [CLEAR, UNCLEAR], metric: METRIC };

  test('only the configs of an undecided hypothesis get a further replicate', () => {
    const missing = missingReplicates(spec, LIMITS, [...CLEAR_TRIALS, ...UNCLEAR_TRIALS]);
    expect(keysOf(missing)).toEqual([
      [50, 3],
      [100, 3],
    ]);
  });

  test('a config without a counterpart on the other side of the claim gets no further replicate', () => {
    const single = trialsOf({ d: 50, width: 8 }, [1, 2, 3]);
    const missing = missingReplicates(spec, LIMITS, [...CLEAR_TRIALS, ...UNCLEAR_TRIALS, ...single]);
    expect(missing.map(({ replicateOf }) => replicateOf.parameters.width)).toEqual([undefined, undefined]);
  });

  test('no config gets more than the maximum number of replicates', () => {
    const values = Array.from({ length: 20 }, (_, seed) => seed % 3);
    const trials = [...CLEAR_TRIALS, ...trialsOf({ d: 50 }, values), ...trialsOf({ d: 100 }, values)];
    expect(missingReplicates(spec, LIMITS, trials)).toEqual([]);
  });

  test('a failed replicate counts as a replicate without a result', () => {
    const failed = UNCLEAR_TRIALS.map((trial) => (trial.seed === 1 ? { ...trial, state: 'failed' as const } : trial));
    expect(keysOf(missingReplicates(spec, LIMITS, [...CLEAR_TRIALS, ...failed]))).toEqual([
      [50, 3],
      [100, 3],
    ]);
  });

  test('a verdict does not change with later results, and its reason names the look at which it was reached', () => {
    const later = [
      ...trialsOf({ d: 15 }, [9.01, 9.02, 9.03, 0, 0]),
      ...trialsOf({ d: 30 }, [1.01, 1.02, 1.03, 99, 99]),
    ];
    const [judged] = judgeAtLooks([CLEAR], LIMITS, later);
    expect(judged?.verdict).toBe('supported');
    expect(judged?.because).toMatch(/\(look 1 of 13, at 3 replicates per config\)$/);
    expect(judged?.method).toMatch(/this look has the error rate .*%, and all looks together have 5%/);
  });

  test('a hypothesis has no verdict while a trial of its first look runs', () => {
    const running = CLEAR_TRIALS.map((trial) => (trial.seed === 2 ? { ...trial, state: 'running' as const } : trial));
    expect(judgeAtLooks([CLEAR], LIMITS, running)).toMatchObject([
      { verdict: 'undecided', because: 'it is not judged until each config has 3 replicates' },
    ]);
  });
});

describe('the best config', () => {
  const spec = { hypotheses: [], metric: METRIC };

  test('without hypotheses, only the configs that can still be the best get a further replicate', () => {
    const missing = missingReplicates(spec, LIMITS, [...CLEAR_TRIALS, ...UNCLEAR_TRIALS]);
    expect(keysOf(missing)).toEqual([
      [30, 3],
      [50, 3],
      [100, 3],
    ]);
  });

  test('if one config is clearly the best, no config gets a further replicate', () => {
    expect(missingReplicates(spec, LIMITS, CLEAR_TRIALS)).toEqual([]);
  });

  test('a config whose trials all failed is not compared', () => {
    const failed = trialsOf({ d: 1 }, [0, 0, 0]).map((trial) => ({ ...trial, state: 'failed' as const }));
    expect(missingReplicates(spec, LIMITS, [...CLEAR_TRIALS, ...failed])).toEqual([]);
  });
});

/** Simulates a study of one comparison. Returns the verdict and the replicates per config at the last look. */
function study(effect: number, normal: () => number): { verdict: string; replicates: number } {
  const values = (mean: number) => Array.from({ length: LIMITS.max }, () => mean + normal());
  const [judged] = judgeAtLooks([CLEAR], LIMITS, [
    ...trialsOf({ d: 15 }, values(effect)),
    ...trialsOf({ d: 30 }, values(0)),
  ]);
  return { verdict: judged?.verdict ?? '', replicates: Number(/at (\d+) replicates/.exec(judged?.because ?? '')?.[1]) };
}

/** The studies take about a second on an idle machine, but much longer on a busy one. */
const STUDIES = { timeout: 120_000 };

test('of 100 simulated studies without an effect, about 5% reach a verdict', STUDIES, () => {
  const normal = normalDeviates(1);
  const verdicts = Array.from({ length: 100 }, () => study(0, normal).verdict);
  // The limit is three standard errors above 5%. `npm run bench:adaptive` simulates 2,000 studies.
  expect(verdicts.filter((verdict) => verdict !== 'undecided').length).toBeLessThan(12);
});

test('of 60 simulated studies with an effect of one standard deviation, most are decided early', STUDIES, () => {
  const normal = normalDeviates(2);
  const studies = Array.from({ length: 60 }, () => study(1, normal));
  expect(studies.filter(({ verdict }) => verdict === 'supported').length).toBeGreaterThan(40);
  // A study with a single look needs 17 replicates for a power of 80%.
  expect(studies.reduce((sum, { replicates }) => sum + replicates, 0) / studies.length).toBeLessThan(17);
});
