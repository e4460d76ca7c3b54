import { expect, test } from 'vitest';
import { currentPlatform, platformProblem } from './set-up-native.mjs';

test('64-bit x86 Linux with the GNU C library is supported', () => {
  expect(platformProblem({ platform: 'linux', arch: 'x64', glibc: '2.36' })).toBeNull();
});

test('other platforms are rejected, and the message names the alternative', () => {
  for (const [platform, arch] of [
    ['darwin', 'arm64'],
    ['win32', 'x64'],
    ['linux', 'arm64'],
  ] as const)
    expect(platformProblem({ platform, arch, glibc: undefined })).toMatch(
      new RegExp(`this is ${platform} ${arch}; .*WebAssembly`),
    );
  expect(platformProblem({ platform: 'linux', arch: 'x64', glibc: undefined })).toContain('musl');
});

test('the current platform is detected', () => {
  expect(currentPlatform()).toMatchObject({ platform: process.platform, arch: process.arch });
});
