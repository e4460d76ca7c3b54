/** Option values that no command can use. Each value is rejected at once, in one sentence, with code 2. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { packageRoot } from '../../bin/package.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { TRAWL, trawl } from '../support/trawl.ts';

const LIMIT_MS = 60_000;

let folder: string;
let sweep: string;
beforeEach(() => {
  folder = testFolder();
  sweep = sweepFile(folder, 'trainer: noop\nparameters: {x: {values: [1]}}\n');
});

async function expectRejected(args: readonly string[], message: RegExp): Promise<void> {
  const { code, stdout, stderr } = await trawl(...args);
  expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/^\s+at |internal error/m);
  expect(
    stderr
      .trim()
      .split('\n')
      .filter((line) => line !== '(see --help)'),
  ).toHaveLength(1);
}

const NOWHERE = ['--nats', 'nats://127.0.0.1:1'];

describe.each([
  ['/proc/x', /proc file system/],
  ['/dev/null', /\/dev\/null is not a folder/],
  ['file/below', /file is a file/],
])('the unusable folder %s', (path, message) => {
  test('trawl up, coordinator, agent, certs init and data pull reject an unusable folder', {
    timeout: LIMIT_MS,
  }, async () => {
    writeFileSync(join(folder, 'file'), '');
    const dir = path.startsWith('/') ? path : join(folder, path);
    await Promise.all([
      expectRejected(['up', sweep, '--dir', dir], message),
      expectRejected(['up', sweep, '--dir', join(folder, 'run'), '--data', dir], message),
      expectRejected(['coordinator', '--dir', dir, ...NOWHERE], message),
      expectRejected(['agent', '--dir', dir, ...NOWHERE], message),
      expectRejected(['certs', 'init', '--dir', dir], message),
      expectRejected(['data', 'pull', 'mnist', '--data', dir], message),
    ]);
  });
});

test('numbers, durations and addresses beyond their limits are rejected', { timeout: LIMIT_MS }, async () => {
  const dir = join(folder, 'run');
  const slots = /Expected an integer from 1 to 4096/;
  for (const batch of [
    ['1000000000', '0', '-1', '1.5', '1e3', 'NaN'].map((value) =>
      expectRejected(['up', sweep, '--dir', dir, `--slots=${value}`], slots),
    ),
    [
      expectRejected(['agent', '--dir', dir, '--slots-per-gpu', '4097'], slots),
      expectRejected(['agent', '--dir', dir, '--idle-timeout', '25d'], /up to 24d/),
      expectRejected(['agent', '--dir', dir, '--nats', 'nats://127.0.0.1:99999'], /--nats is .*expected URLs/),
      expectRejected(
        ['agent', '--dir', dir, '--server', '127.0.0.1:65536', ...NOWHERE],
        /--server is .*expected HOST:PORT/,
      ),
      expectRejected(['agent', '--dir', dir, '--metrics', ':99999', ...NOWHERE], /--metrics is .*expected HOST:PORT/),
      expectRejected(['agent', '--dir', dir, '--workdir', '/nonexistent', ...NOWHERE], /--workdir .*no such file/),
    ],
    [
      expectRejected(['coordinator', '--dir', dir, '--lease', '0s'], /Expected at least 1s/),
      expectRejected(['coordinator', '--dir', ''], /Expected a path/),
      expectRejected(['certs', 'init', '--dir', dir, '--days', '4000000000'], /Expected an integer from 1 to 36500/),
      expectRejected(['top', '--once', '--columns', '4000000000'], /Expected an integer from 1 to 1000/),
      expectRejected(['ls', '--dir', ''], /Expected a path/),
      expectRejected(['up', sweep, '--dir', 'x'.repeat(300)], /name in the path is too long/),
    ],
  ]) {
    await Promise.all(batch);
  }
});

test('a data folder on a read-only file system is rejected', { timeout: LIMIT_MS }, () => {
  const mounted = join(folder, 'mounted');
  mkdirSync(mounted);
  const script = 'mount -t tmpfs -o ro tmpfs "$1" && shift && exec "$@"';
  const command = [process.execPath, TRAWL, 'coordinator', '--dir', join(mounted, 'run'), ...NOWHERE];
  const namespace = process.getuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount'];
  const run = spawnSync('unshare', [...namespace, 'sh', '-c', script, 'sh', mounted, ...command], { encoding: 'utf8' });
  expect({ code: run.status, stderr: run.stderr }).toEqual({
    code: 2,
    stderr: expect.stringMatching(/^trawl: --dir \S+ cannot be used: the file system is read-only\n$/),
  });
});

test('a data folder of another user is rejected', () => {
  chmodSync(folder, 0o555);
  const module = pathToFileURL(join(packageRoot(), 'dist', 'lib', 'files', 'folder.js')).href;
  const script = `import { requireFolder } from ${JSON.stringify(module)}; requireFolder('--dir', ${JSON.stringify(join(folder, 'x'))})`;
  const node = [process.execPath, '--input-type=module', '-e', script];
  const [program = '', ...args] =
    process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...node] : node;
  const run = spawnSync(program, args, { encoding: 'utf8' });
  expect(run.stderr).toContain('cannot be used: permission denied');
});
