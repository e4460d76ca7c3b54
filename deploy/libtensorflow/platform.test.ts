import { expect, test } from 'vitest';
import { platformProblem, thisMachine } from './platform.mjs';

test('64-bit x86 Linux with the GNU C library is served', () => {
  expect(platformProblem({ platform: 'linux', arch: 'x64', glibc: '2.36' })).toBeNull();
});

test('others are refused by name, with what they have instead', () => {
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

test('this machine names its platform', () => {
  expect(thisMachine()).toMatchObject({ platform: process.platform, arch: process.arch });
});
