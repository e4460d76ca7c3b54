import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BadInputError, RejectedError } from '../../proto/errors.ts';
import { isSkipped, rootMissing } from '../../test/support/requirements.ts';
import { claimPrivateFolder, keepFilesPrivate, USER_UMASK } from './private-files.ts';

const NOBODY = 65_534;
let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'trawl-private-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const modeOf = (path: string) => statSync(path).mode & 0o7777;

test('a new folder is private, and so are the new folders above it', () => {
  const path = join(parent, 'a', 'b');
  expect(claimPrivateFolder(path)).toBe(false);
  expect([modeOf(path), modeOf(join(parent, 'a'))]).toEqual([0o700, 0o700]);
});

test.each([0o755, 0o777, 0o750, 0o701, 0o2775])('an existing folder with mode %o becomes private', (mode) => {
  const path = join(parent, 'wide');
  mkdirSync(path);
  chmodSync(path, mode);
  expect(claimPrivateFolder(path)).toBe(true);
  expect(modeOf(path)).toBe(mode & 0o7700);
  expect(claimPrivateFolder(path)).toBe(false);
});

test('a link to a folder is followed if the link and the folder belong to the same owner', () => {
  mkdirSync(join(parent, 'disk'), { mode: 0o755 });
  symlinkSync(join(parent, 'disk'), join(parent, 'link'));
  expect(claimPrivateFolder(join(parent, 'link'))).toBe(true);
  expect(modeOf(join(parent, 'disk'))).toBe(0o700);
});

/** A test that runs only as root, because only root can give a file to another user. */
const asRoot = test.skipIf(isSkipped(rootMissing()));

asRoot('a folder of another user is rejected and stays unchanged', () => {
  const path = join(parent, 'foreign');
  mkdirSync(path, { mode: 0o755 });
  chownSync(path, NOBODY, NOBODY);
  expect(() => claimPrivateFolder(path)).toThrow(RejectedError);
  expect(() => claimPrivateFolder(path)).toThrow(/foreign belongs to another user \(uid 65534\)/);
  expect(modeOf(path)).toBe(0o755);
});

asRoot('a link that another user made is rejected, even if it leads to a folder of this user', () => {
  mkdirSync(join(parent, 'own'), { mode: 0o755 });
  const link = join(parent, 'trap');
  symlinkSync(join(parent, 'own'), link);
  lchownSync(link, NOBODY, NOBODY);
  expect(() => claimPrivateFolder(link)).toThrow(RejectedError);
  expect(modeOf(join(parent, 'own'))).toBe(0o755);
});

asRoot.each([
  ['file', 0o777],
  ['file', 0o770],
  ['folder', 0o2775],
  ['link', 0o1777],
  ['nested link', 0o777],
] as const)(
  'a folder that other users could write to is rejected while it contains a %s of another user (mode %o)',
  (kind, mode) => {
    const path = join(parent, 'shared');
    mkdirSync(join(path, 'logs'), { recursive: true });
    const planted = join(path, kind === 'nested link' ? 'logs/token' : 'token');
    if (kind === 'file') writeFileSync(planted, 'a secret that both users know');
    else if (kind === 'folder') mkdirSync(planted);
    else symlinkSync('/etc/machine-id', planted);
    lchownSync(planted, NOBODY, NOBODY);
    chmodSync(path, mode);
    for (let start = 0; start < 2; start++) {
      expect(() => claimPrivateFolder(path)).toThrow(`${planted} belongs to one of them (uid 65534)`);
      expect(modeOf(path)).toBe(mode);
    }
    rmSync(planted, { recursive: true });
    expect(claimPrivateFolder(path)).toBe(true);
  },
);

test.each(['u=rwx,g=rx,o=', '0o22', '8', '-1', '77777'])('the umask %j in the environment is rejected', (umask) => {
  const inherited = process.env[USER_UMASK];
  process.env[USER_UMASK] = umask;
  try {
    expect(keepFilesPrivate).toThrow(BadInputError);
  } finally {
    delete process.env[USER_UMASK];
    if (inherited !== undefined) process.env[USER_UMASK] = inherited;
  }
});
