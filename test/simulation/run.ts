/**
 * Simulates one cluster per seed, until a cluster violates an invariant:
 *
 *   npm run simulate -- [--seeds 2000] [--seed 1] [--bug NAME | --bug list] [--trace]
 *
 * `--seed N` alone replays that seed exactly; `--trace` prints all of its events.
 */
import { parseArgs } from 'node:util';
import { BUGS } from './bugs.ts';
import { simulate } from './simulation.ts';
import { KNOWN_SEEDS } from './suites.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    bug: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  const { bug: name, trace } = values;
  const first = Number(values.seed);
  const count = Number(values.seeds ?? (process.argv.includes('--seed') ? 1 : 2_000));
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || count < 1) {
    console.error('simulate: --seed and --seeds must be whole numbers');
    return 2;
  }
  const bug = name === undefined ? undefined : BUGS[name];
  if (name !== undefined && bug === undefined) {
    for (const [known, { about }] of Object.entries(BUGS)) {
      console.log(`${known.padEnd(28)} ${String(KNOWN_SEEDS[known] ?? '').padStart(7)}  ${about}`);
    }
    return name === 'list' ? 0 : 2;
  }
  const begun = performance.now();
  let virtualMs = 0;
  for (let seed = first; seed < first + count; seed++) {
    const { violation, lasted, trace: lines } = await simulate(seed, bug, trace);
    virtualMs += lasted;
    for (const line of lines) console.log(line);
    if (violation === undefined) continue;
    console.log(`seed ${seed}, at ${(lasted / 1_000).toFixed(3)} s: ${violation}`);
    const bugFlag = name === undefined ? '' : ` --bug ${name}`;
    console.log(
      `found by seed ${seed - first + 1} of ${count}; to reproduce: npm run simulate -- --seed ${seed}${bugFlag} --trace`,
    );
    return 1;
  }
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
  console.log(
    `${count} seeds, ${(virtualMs / 3_600_000).toFixed(1)} virtual hours in ${seconds} s: every invariant held`,
  );
  return 0;
}

process.exitCode = await main();
