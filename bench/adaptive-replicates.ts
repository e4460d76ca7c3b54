/**
 * Simulates studies with adaptive replicates, and studies with a fixed number of replicates. Measures how often a
 * verdict is false, how often an effect is found, and how many trials a study takes. Each study compares two configs
 * whose results are normally distributed.
 *
 *   npm run bench:adaptive -- [--studies 2000] [--min 3] [--max 20]
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { mean } from 'd3-array';
import { judgeAtLooks, looksOf } from '../coordinator/analysis/adaptive-replicates.ts';
import { parseClaim } from '../coordinator/analysis/claim.ts';
import type { JudgedTrial } from '../coordinator/analysis/judgment.ts';
import { seedsNeeded } from '../coordinator/analysis/statistics.ts';
import type { Hypothesis } from '../coordinator/grid/spec.ts';
import { normalDeviates } from '../test/support/normal-deviates.ts';

const { values } = parseArgs({
  options: {
    studies: { type: 'string', default: '2000' },
    min: { type: 'string', default: '3' },
    max: { type: 'string', default: '20' },
  },
});
const studies = Number(values.studies);
const limits = { min: Number(values.min), max: Number(values.max) };
/** The simulated differences between the means of the two configs, in standard deviations. */
const EFFECTS = [0, 0.5, 1, 1.5, 2];
const LEVEL = 0.95;

const HYPOTHESIS = hypothesis('loss[x=1] > loss[x=2]');

console.log(`machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.version}`);
console.log(
  `${studies} studies each; looks at ${looksOf(limits)
    .map(({ replicates }) => replicates)
    .join(', ')} replicates\n`,
);
console.log(
  '| effect (standard deviations) | supported | refuted | mean replicates | fixed number for a power of 80 % |',
);
console.log('| ---: | ---: | ---: | ---: | ---: |');
for (const [index, effect] of EFFECTS.entries()) {
  const normal = normalDeviates(index + 1);
  const results = Array.from({ length: studies }, () => study(effect, normal));
  const share = (wanted: string) =>
    `${((results.filter(({ verdict }) => verdict === wanted).length / studies) * 100).toFixed(1)} %`;
  const replicates = mean(results, (result) => result.replicates) ?? Number.NaN;
  console.log(
    `| ${effect} | ${share('supported')} | ${share('refuted')} | ${replicates.toFixed(1)} | ${fixedNumber(effect)} |`,
  );
}

function hypothesis(text: string): Hypothesis {
  const claim = parseClaim(text);
  if (typeof claim === 'string') throw new Error(claim);
  return { name: 'H', about: '', text, claim, where: [] };
}

function study(effect: number, normal: () => number): { verdict: string; replicates: number } {
  const config = (x: number, shift: number): JudgedTrial[] =>
    Array.from({ length: limits.max }, (_, seed) => ({
      id: `${x}/${seed}`,
      configId: String(x),
      seed,
      parameters: { x },
      state: 'succeeded',
      metrics: { loss: shift + normal() },
      stopReason: '',
      curve: [],
    }));
  const [judged] = judgeAtLooks([HYPOTHESIS], limits, [...config(1, effect), ...config(2, 0)]);
  return { verdict: judged?.verdict ?? '', replicates: judged?.parts[0]?.estimate?.n[0] ?? limits.max };
}

/**
 * Returns the number of replicates per config at which a single judgment finds the effect with a probability of 80 %.
 */
function fixedNumber(effect: number): string {
  if (effect === 0) return '-';
  // The two values have the mean `center` and the sample variance 1, so that the effect and its error are estimated
  // exactly.
  const around = (center: number) => [center - Math.SQRT1_2, center + Math.SQRT1_2];
  const cells = [
    { weight: 1, values: around(effect) },
    { weight: -1, values: around(0) },
  ];
  return String(seedsNeeded(cells, LEVEL) ?? '> 100');
}
