import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{proto,lib,coordinator,agent,dashboard,bin,bench,deploy}/**/*.test.{ts,tsx}', 'test/**/*.test.ts'],
    pool: 'forks',
    // Ink draws its last frame only where it believes to run in continuous integration; the tests' terminals are real.
    env: { CI: 'false' },
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
