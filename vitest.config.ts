/**
 * Defines three suites of test files. The folder and the name of a test file determine its suite. docs/testing.md
 * states the time budgets of the suites.
 *
 * - `unit`: pure code. Test files share worker threads and loaded modules, so they must not change process-wide state.
 * - `system`: tests that start processes or train networks. Each file has a process of its own. These tests spend most
 * of their time waiting, so more files run at the same time than there are cores.
 * - `slow`: every file that ends in `.slow.test.ts`, in any folder. `npm run test:slow` runs these files.
 */
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { HeaviestFirst } from './test/support/heaviest-first.ts';

const SLOW = '**/*.slow.test.ts';
const SYSTEM = [
  'test/{end-to-end,faults,fuzz,security,prometheus,deploy}/**/*.test.ts',
  'agent/{data,machine,trainers}/**/*.test.ts',
  'agent/supervisor/{leftover-programs,worker-process}.test.ts',
  'bench/gpu/{bundle,machine,run}.test.ts',
  'bin/{export/model,local}/**/*.test.ts',
  'deploy/**/*.test.ts',
];

const cores = availableParallelism();

export default defineConfig({
  test: {
    // With CI set, Ink draws only its last frame.
    env: { CI: 'false' },
    setupFiles: ['test/support/property-seed.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // The default of one second is too short for a busy machine.
    expect: { poll: { timeout: 20_000 } },
    sequence: { sequencer: HeaviestFirst },
    poolOptions: {
      threads: { isolate: false, minThreads: 1, maxThreads: cores },
      forks: { minForks: 1, maxForks: cores + 3 },
    },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            '{proto,lib,coordinator,agent,dashboard,bin,bench}/**/*.test.{ts,tsx}',
            'test/simulation/**/*.test.ts',
          ],
          exclude: [SLOW, ...SYSTEM],
          pool: 'threads',
        },
      },
      {
        extends: true,
        test: { name: 'system', include: SYSTEM, exclude: [SLOW], pool: 'forks', sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: {
          name: 'slow',
          include: [SLOW],
          pool: 'forks',
          sequence: { groupOrder: 2 },
          env: { TRAWL_TEST_PATIENCE_MS: '240000' },
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
