import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{proto,lib,coordinator,agent,dashboard,bin,bench,deploy}/**/*.test.{ts,tsx}', 'test/**/*.test.ts'],
    pool: 'forks',
    // With CI set, Ink draws only its last frame.
    env: { CI: 'false' },
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
