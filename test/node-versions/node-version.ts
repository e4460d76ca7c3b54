/**
 * Runs the unit tests and two small sweeps on a major version of Node. Each supported version that the main run does not use
 * has its own test file, so that the versions are tested at different times of the slow suite.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { packageRoot } from '../../bin/package.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { environment, TRAWL } from '../support/trawl.ts';
import { installNode } from './install-node.ts';

const INSTALL_LIMIT_MS = 300_000;
const UNIT_TESTS_LIMIT_MS = 900_000;
const SWEEP_LIMIT_MS = 300_000;

/** Whether the unit tests include the simulation, and run every property test in full. */
const ALL = process.env.TRAWL_NODE_VERSIONS === 'all';
const FEWER_RUNS = ALL ? {} : { TRAWL_PROPERTY_SHARE: '0.1', TRAWL_PROPERTY_RUNS: '20' };
const UNIT_TESTS = [
  'proto/',
  'lib/',
  'coordinator/',
  'agent/',
  'dashboard/',
  'bin/',
  'bench/',
  ...(ALL ? ['test/simulation/'] : []),
];

const SWEEPS = {
  noop: 'trainer: noop\nparameters: {x: {min: 1, max: 8, step: 1}, epochs: {value: 2}}\n',
  autoencoder:
    'trainer: autoencoder\nparameters: {latent_dim: {values: [2, 3]}, train_size: {value: 64}, test_size: {value: 100}, epochs: {value: 1}}\n',
};

/** Runs the executable of a Node version and returns the output. */
async function run(node: string, ...args: string[]) {
  const variables = Object.entries(environment()).filter(([name]) => !name.startsWith('VITEST'));
  const child = spawn(node, args, {
    cwd: packageRoot(),
    env: { ...Object.fromEntries(variables), ...FEWER_RUNS },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => stop(child));
  const [[code], stdout, stderr] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]);
  return { code: code as number | null, stdout, stderr };
}

function stop(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
}

/** @param major the major version, such as 22 */
export function testNodeVersion(major: number): void {
  describe(`Node ${major}`, () => {
    let node: string;

    beforeAll(async () => {
      node = await installNode(major);
    }, INSTALL_LIMIT_MS);

    test('the installed Node has the expected major version', async () => {
      expect((await run(node, '--version')).stdout).toMatch(new RegExp(`^v${major}\\.`));
    });

    test.each(Object.entries(SWEEPS))(
      'trawl up runs a small sweep of %s',
      { timeout: SWEEP_LIMIT_MS },
      async (_, sweep) => {
        const folder = testFolder();
        const file = sweepFile(folder, sweep);
        const up = await run(node, TRAWL, 'up', file, '--slots', '2', '--dir', join(folder, 'run'), '-o', 'json');
        expect(up.code, up.stderr).toBe(0);
        const { state, counts, trials } = JSON.parse(up.stdout);
        expect(state).toBe('finished');
        expect(counts).toMatchObject({ succeeded: trials.length, failed: 0 });
      },
    );

    test('the unit tests pass on this version of Node', { timeout: UNIT_TESTS_LIMIT_MS }, async () => {
      const vitest = join(packageRoot(), 'node_modules', 'vitest', 'vitest.mjs');
      const args = ['run', '--project', 'unit', '--reporter', 'dot', ...UNIT_TESTS];
      const { code, stdout, stderr } = await run(node, vitest, ...args);
      expect(code, `${stdout}\n${stderr}`).toBe(0);
    });
  });
}
