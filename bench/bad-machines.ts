/**
 * Measures the time that 20 virtual agents need for a grid of 2,000 trials, relative to the time that the 16 good
 * agents need alone. Four agents are bad: on the first, every trial crashes immediately; the second lacks the
 * interpreter; on the third, every trial hangs; and the fourth is ten times slower. The decisions are made by the
 * coordinator's code. Agents and time are virtual.
 *
 *   npm run bench:bad-machines -- [SEEDS]
 */
import { cpus } from 'node:os';
import {
  GOOD_AGENTS,
  runWithBadMachines,
  SLOTS,
  TIMEOUT_MS,
  TRIAL_MS,
} from '../test/support/coordinator/bad-machines.ts';

const TRIALS = 2_000;
const seeds = Number(process.argv[2] ?? 10);

console.log(`machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.version}`);
console.log(
  `${TRIALS} trials of ${TRIAL_MS / 1000} s, ${GOOD_AGENTS} good and 4 bad agents of ${SLOTS} slots, ` +
    `timeout ${TIMEOUT_MS / 1000} s, no retries, speculate: true\n`,
);
console.log('seed   20 agents   16 good   ratio   succeeded   superseded   wall');
const ratios: number[] = [];
for (let seed = 1; seed <= seeds; seed++) {
  const begun = performance.now();
  const { all, good } = runWithBadMachines(TRIALS, seed);
  const wall = (performance.now() - begun) / 1000;
  const ratio = all.lastedMs / good.lastedMs;
  ratios.push(ratio);
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  console.log(
    `${`${seed}`.padStart(4)} ${seconds(all.lastedMs).padStart(11)} ${seconds(good.lastedMs).padStart(9)}` +
      ` ${ratio.toFixed(3).padStart(7)} ${`${all.succeeded}`.padStart(11)} ${`${all.superseded}`.padStart(12)} ${wall.toFixed(1)} s`,
  );
}
console.log(`\nlargest ratio ${Math.max(...ratios).toFixed(3)}`);
