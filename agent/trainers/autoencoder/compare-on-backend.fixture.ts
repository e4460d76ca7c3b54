/**
 * Compares the steps of each case on one backend, in a separate process, and prints the comparisons as JSON:
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
