/**
 * Compares the training steps of each case on one backend with the reference in float64, and prints the differences as
 * JSON. Runs in a separate process:
 * `compare-on-backend.fixture.ts BACKEND [CASE|all [STRATEGY]]`.
 */
import { BACKENDS, chooseBackend } from '../../machine/backend.ts';
import { CASES, compareSteps, type StepDifferences } from './compare-steps.fixture.ts';
import type { Strategy } from './engine.ts';

const [name, only = 'all', strategy] = process.argv.slice(2);
const forced = BACKENDS.find((backend) => backend === name);
if (forced === undefined) throw new Error(`unknown backend ${name}`);
await chooseBackend({ forced, gpus: forced === 'tensorflow-gpu' ? 1 : 0, requireGpu: false });
const comparisons: StepDifferences[] = [];
for (const given of only === 'all' ? CASES : CASES.slice(Number(only), Number(only) + 1))
  comparisons.push(await compareSteps(given, strategy as Strategy | undefined));
console.log(JSON.stringify(comparisons));
