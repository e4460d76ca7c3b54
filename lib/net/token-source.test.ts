import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BadInputError } from '../../proto/errors.ts';
import { isSkipped, rootMissing } from '../../test/support/requirements.ts';
import { announceCoordinator, findLocalCoordinator, withdrawCoordinator } from '../files/local-coordinators.ts';
import { ensureToken, readToken, tokenFile } from '../files/token-file.ts';
import { listenerOwners } from './listener-owner.ts';
import { folderToken, tokenSource } from './token-source.ts';

const NATS = 'nats://trawl:secret@127.0.0.1:4222';
const NONE = { kind: 'none' };
const NOBODY = 65_534;
const onLinux = test.runIf(process.platform === 'linux');
/** A test that runs only as root, because only root can give a file to another user. */
const asRoot = test.skipIf(process.platform !== 'linux' || isSkipped(rootMissing()));

let home: string;
let dir: string;
let server: Server;
let port: number;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'trawl-token-'));
  dir = join(home, 'data');
  mkdirSync(dir, { mode: 0o700 });
  vi.stubEnv('XDG_RUNTIME_DIR', join(home, 'runtime'));
  vi.stubEnv('XDG_STATE_HOME', join(home, 'state'));
  vi.stubEnv('TRAWL_TOKEN', '');
  mkdirSync(join(home, 'runtime'), { mode: 0o700 });
  server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  port = (server.address() as { port: number }).port;
});
afterEach(() => {
  server.close();
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

const at = () => `127.0.0.1:${port}`;
const announce = () => announceCoordinator({ host: '127.0.0.1', port }, { dir, nats: NATS });

test("the token of the user's own coordinator is found under each name of the loopback until the coordinator stops", () => {
  const token = ensureToken(dir);
  expect(tokenSource(at(), undefined)()).toEqual(NONE);
  expect(announce()).toEqual([]);
  for (const address of [at(), `localhost:${port}`]) {
    expect(tokenSource(address, undefined)()).toEqual({ kind: 'token', token });
  }
  expect(tokenSource(`127.0.0.1:${port === 1 ? 2 : port - 1}`, undefined)()).toEqual(NONE);
  expect(findLocalCoordinator({ host: '127.0.0.1', port })).toMatchObject({ dir, nats: NATS });
  withdrawCoordinator({ host: '127.0.0.1', port });
  expect(tokenSource(at(), undefined)()).toEqual(NONE);
});

test('a token source that was created before the coordinator started finds the token afterward', () => {
  const source = tokenSource(at(), undefined);
  expect(source()).toEqual(NONE);
  const token = ensureToken(dir);
  announce();
  expect(source()).toEqual({ kind: 'token', token });
});

test('a token is found even if the folder XDG_RUNTIME_DIR was removed at the end of the login session', () => {
  const token = ensureToken(dir);
  announce();
  rmSync(join(home, 'runtime'), { recursive: true });
  vi.stubEnv('XDG_RUNTIME_DIR', undefined);
  expect(tokenSource(at(), undefined)()).toEqual({ kind: 'token', token });
});

test('a token file overrides TRAWL_TOKEN, and TRAWL_TOKEN overrides the token that is found', () => {
  const token = ensureToken(dir);
  announce();
  const file = join(home, 'copy');
  writeFileSync(file, 'from-a-file-0123456789\n');
  vi.stubEnv('TRAWL_TOKEN', 'from-the-environment');
  expect(tokenSource(at(), file)()).toEqual({ kind: 'token', token: 'from-a-file-0123456789' });
  expect(tokenSource(at(), undefined)()).toEqual({ kind: 'token', token: 'from-the-environment' });
  vi.stubEnv('TRAWL_TOKEN', '');
  expect(tokenSource(at(), undefined)()).toEqual({ kind: 'token', token });
});

test.each(['head:7070', '10.0.0.5:7070', '0.0.0.0:7070'])(
  'no token is sent to %s, which is not on the loopback',
  (address) => {
    vi.stubEnv('TRAWL_TOKEN', 'from-the-environment');
    expect(tokenSource(address, undefined)()).toEqual(NONE);
    const file = tokenFile(dir);
    ensureToken(dir);
    expect(() => tokenSource(address, file)).toThrow(BadInputError);
    expect(() => tokenSource(address, file)).toThrow(/others on the network could read the token/);
  },
);

onLinux('the token is not sent when nothing listens on the port', async () => {
  ensureToken(dir);
  announce();
  await new Promise((resolve) => server.close(resolve));
  expect(tokenSource(at(), undefined)()).toEqual(NONE);
  expect(folderToken(dir, at(), process.pid)()).toEqual(NONE);
});

asRoot('nothing is sent when the process on the port and the token belong to different users', () => {
  ensureToken(dir);
  chownSync(tokenFile(dir), NOBODY, NOBODY);
  announce();
  expect(listenerOwners(port)).toEqual(new Set([0]));
  const expected = {
    kind: 'foreign',
    message: expect.stringContaining(`port ${port} is used by a process of another`),
  };
  expect(tokenSource(at(), undefined)()).toEqual(expected);
  expect(folderToken(dir, at(), process.pid)()).toEqual(expected);
});

asRoot(
  "the token of the user's own coordinator is not sent to another user's process, but any other token is sent",
  () => {
    const token = ensureToken(dir);
    const copy = join(home, 'copy');
    writeFileSync(copy, token);
    const guest = join(home, 'guest');
    writeFileSync(guest, 'of-another-coordinator');
    announce();
    expect(tokenSource(at(), copy)()).toEqual({ kind: 'token', token });
    // The process on the port belongs to root, and the token belongs to another user.
    chownSync(tokenFile(dir), NOBODY, NOBODY);
    const foreign = {
      kind: 'foreign',
      message: expect.stringContaining(`port ${port} is used by a process of another`),
    };
    expect(tokenSource(at(), tokenFile(dir))()).toEqual(foreign);
    expect(tokenSource(at(), copy)()).toEqual(foreign);
    vi.stubEnv('TRAWL_TOKEN', token);
    expect(tokenSource(at(), undefined)()).toEqual(foreign);
    expect(tokenSource(at(), guest)()).toEqual({ kind: 'token', token: 'of-another-coordinator' });
  },
);

asRoot('without a token, requests are sent to processes of system users, but not of other people', async () => {
  expect(tokenSource(at(), undefined)()).toEqual(NONE);
  for (const [uid, expected] of [
    [NOBODY, { kind: 'foreign', message: expect.stringContaining('TRAWL_TOKEN to any text') }],
    [998, NONE],
  ] as const) {
    const script =
      "require('net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })";
    const child = spawn(process.execPath, ['-e', script], { uid, stdio: ['ignore', 'pipe', 'inherit'], cwd: '/' });
    const [printed] = await once(child.stdout, 'data');
    expect(tokenSource(`127.0.0.1:${Number(printed)}`, undefined)()).toEqual(expected);
    vi.stubEnv('TRAWL_TOKEN', 'any');
    expect(tokenSource(`127.0.0.1:${Number(printed)}`, undefined)()).toMatchObject({ kind: 'token' });
    vi.stubEnv('TRAWL_TOKEN', '');
    child.kill();
  }
});

asRoot('a runtime folder is ignored if it belongs to another user or others can write to it', () => {
  ensureToken(dir);
  announce();
  const folders = [join(home, 'runtime', 'trawl'), join(home, 'state', 'trawl', 'run')];
  rmSync(folders[1] ?? '', { recursive: true });
  expect(tokenSource(at(), undefined)()).toMatchObject({ kind: 'token' });
  chmodSync(folders[0] ?? '', 0o777);
  expect(tokenSource(at(), undefined)()).toEqual(NONE);
  chmodSync(folders[0] ?? '', 0o700);
  chownSync(folders[0] ?? '', NOBODY, NOBODY);
  expect(tokenSource(at(), undefined)()).toEqual(NONE);
});

test('when a coordinator starts, the files of coordinators whose process has ended are removed', () => {
  const stale = join(home, 'runtime', 'trawl', '127.0.0.1:1.json');
  announce();
  writeFileSync(stale, JSON.stringify({ dir, pid: 2 ** 22 + 1, nats: '' }));
  expect(findLocalCoordinator({ host: '127.0.0.1', port: 1 })).toBeDefined();
  announce();
  expect(findLocalCoordinator({ host: '127.0.0.1', port: 1 })).toBeUndefined();
});

test.each(['', '{', '[]', '{"dir": 1}'])('a file in the runtime folder that contains %j is ignored', (text) => {
  announce();
  for (const folder of ['runtime/trawl', 'state/trawl/run']) rmSync(join(home, folder), { recursive: true });
  mkdirSync(join(home, 'runtime', 'trawl'), { mode: 0o700 });
  writeFileSync(join(home, 'runtime', 'trawl', `127.0.0.1:${port}.json`), text);
  expect(tokenSource(at(), undefined)()).toEqual(NONE);
});

test('if no runtime folder is writable, announceCoordinator returns the errors and does not throw', () => {
  vi.stubEnv('XDG_RUNTIME_DIR', '/proc/none');
  vi.stubEnv('XDG_STATE_HOME', '/proc/none');
  expect(announce()).toHaveLength(2);
});

test('a token is created once, with mode 0600, and is different in each folder', () => {
  const token = ensureToken(dir);
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(ensureToken(dir)).toBe(token);
  expect(readToken(tokenFile(dir))).toBe(token);
  const other = join(home, 'other');
  mkdirSync(other);
  expect(ensureToken(other)).not.toBe(token);
});

test.each(['', ' ', 'short', `${'x'.repeat(20)} y`, 'é'.repeat(20), 'x'.repeat(1_001)])(
  'the token %j is rejected',
  (text) => {
    writeFileSync(tokenFile(dir), text);
    expect(() => readToken(tokenFile(dir))).toThrow(BadInputError);
  },
);

test('the error about a missing token file names the file', () => {
  expect(() => readToken(join(home, 'none'))).toThrow(/cannot read the token: .*none/);
});

test.each([' \n', 'a\nb', 'ü', '\u0007', 'x'.repeat(1_001)])('TRAWL_TOKEN=%j is rejected', (text) => {
  vi.stubEnv('TRAWL_TOKEN', text);
  const source = () => tokenSource(`127.0.0.1:${port}`, undefined);
  expect(source).toThrow('TRAWL_TOKEN: expected a token of up to 1,000 printable ASCII characters on one line');
});

test('a link in place of the token is rejected, and its target keeps its mode', () => {
  const target = join(home, 'target');
  writeFileSync(target, 'a text that others know', { mode: 0o644 });
  symlinkSync(target, tokenFile(dir));
  expect(() => ensureToken(dir)).toThrow('is not a regular file');
  expect(statSync(target).mode & 0o777).toBe(0o644);
});
