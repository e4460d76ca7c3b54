import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { array, assert, asyncProperty, boolean, constantFrom, property, record, string, uint8Array } from 'fast-check';
import { Header } from 'tar';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sha256Of } from '../files/checksum.ts';
import { type ArchiveEntry, entriesProblem, unpackCode } from './archive.ts';
import { type CodeRules, listCode } from './folder.ts';
import { packCode } from './pack.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-archive-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function write(files: Readonly<Record<string, string | Uint8Array>>, root = join(dir, 'code')): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

async function packed(folder: string, rules: CodeRules = {}): Promise<Buffer> {
  const path = join(mkdtempSync(join(dir, 'packed-')), 'code.tar');
  const { sha256, size } = await packCode(await listCode(folder, rules), path);
  const bytes = readFileSync(path);
  expect({ sha256, size }).toEqual({ sha256: sha256Of(bytes), size: bytes.byteLength });
  return bytes;
}

async function unpacked(bytes: Uint8Array, name = 'out'): Promise<string> {
  const into = join(dir, name);
  writeFileSync(join(dir, `${name}.tar`), bytes);
  await unpackCode(join(dir, `${name}.tar`), into);
  return into;
}

describe('archives of code', () => {
  test('an archive keeps content, execute permission, links, and names that are long or not ASCII', async () => {
    const long = `deep/${'x'.repeat(90)}/${'y'.repeat(90)}/${'z'.repeat(120)}.py`;
    const code = write({
      'train.py': 'print(1)\n',
      'pkg/größe.py': 'x',
      'run.sh': '#!/bin/sh\n',
      [long]: 'long',
      '@a': '',
    });
    chmodSync(join(code, 'run.sh'), 0o775);
    symlinkSync('train.py', join(code, 'main.py'));
    symlinkSync('../main.py', join(code, 'pkg', 'chain.py'));
    const out = await unpacked(await packed(code));
    expect(readFileSync(join(out, 'main.py'), 'utf8')).toBe('print(1)\n');
    expect(readlinkSync(join(out, 'pkg', 'chain.py'))).toBe('../train.py');
    expect(readFileSync(join(out, 'pkg/größe.py'), 'utf8')).toBe('x');
    expect(readFileSync(join(out, long), 'utf8')).toBe('long');
    expect(readFileSync(join(out, '@a'), 'utf8')).toBe('');
    expect(lstatSync(join(out, 'run.sh')).mode & 0o111).not.toBe(0);
    expect(lstatSync(join(out, 'train.py')).mode & 0o111).toBe(0);
  });

  test('folders with equal files give equal archives, even if times, owners, umask or hard links differ', async () => {
    const one = write({ a: '1', 'b/c': '2', 'b/d': '1' });
    const two = write({ 'b/d': '1', 'b/c': '2' }, join(dir, 'two'));
    linkSync(join(two, 'b/d'), join(two, 'a'));
    utimesSync(join(two, 'a'), 1_000, 1_000);
    chmodSync(join(two, 'b/c'), 0o600);
    chmodSync(join(one, 'b/c'), 0o664);
    expect(sha256Of(await packed(two))).toBe(sha256Of(await packed(one)));
    // This checksum must be the same in every version of trawl and Node.js.
    expect(sha256Of(await packed(one))).toBe('6b936b3b4428040353dae6912eec981a4b07d63f147c050fb6a20722e625ba22');
    chmodSync(join(one, 'a'), 0o755);
    expect(sha256Of(await packed(one))).not.toBe(sha256Of(await packed(two)));
  });

  test('files with any names and contents are unchanged after packing and unpacking', async () => {
    const name = constantFrom('a', 'b.py', 'ü', 'sp ace', "quo'te", '-dash', 'C'.repeat(150));
    const path = array(name, { minLength: 1, maxLength: 4 }).map((steps) => steps.join('/'));
    const file = record({ path, content: uint8Array({ maxLength: 2_000 }), isExecutable: boolean() });
    let run = 0;
    await assert(
      asyncProperty(array(file, { minLength: 1, maxLength: 8 }), async (files) => {
        const root = join(dir, `run-${run++}`);
        const kept = new Map<string, (typeof files)[number]>();
        for (const one of files) {
          const clashes = [...kept.keys()].some(
            (other) => other === one.path || other.startsWith(`${one.path}/`) || one.path.startsWith(`${other}/`),
          );
          if (!clashes) kept.set(one.path, one);
        }
        for (const { path: at, content, isExecutable } of kept.values()) {
          write({ [at]: content }, root);
          if (isExecutable) chmodSync(join(root, at), 0o755);
        }
        const bytes = await packed(root);
        const out = await unpacked(bytes, `out-${run}`);
        expect(sha256Of(await packed(out))).toBe(sha256Of(bytes));
        for (const { path: at, content } of kept.values()) {
          expect(new Uint8Array(readFileSync(join(out, at)))).toEqual(content);
        }
      }),
      { numRuns: 60 },
    );
  });
});

/** Returns a tar archive with the given entries, even entries that trawl would not write. */
function tarOf(...entries: (Partial<ArchiveEntry> & { readonly content?: string })[]): Buffer {
  const blocks = entries.flatMap(({ path = 'x', type = 'File', linkpath = '', content = '' }) => {
    const header = new Header({
      path,
      type: type as 'File',
      linkpath,
      mode: 0o644,
      size: content.length,
      mtime: new Date(0),
    });
    header.encode();
    const padded = Buffer.alloc(Math.ceil(content.length / 512) * 512);
    padded.write(content);
    return [Buffer.from(header.block ?? Buffer.alloc(0)), padded];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1_024)]);
}

describe('damaged and hostile archives', () => {
  const HOSTILE: Readonly<Record<string, readonly (Partial<ArchiveEntry> & { readonly content?: string })[]>> = {
    'a path above the folder': [{ path: 'a' }, { path: '../outside', content: 'x' }],
    'a path that leaves the folder through a subfolder': [{ path: 'a/../../outside', content: 'x' }],
    'an absolute path': [{ path: '/tmp/trawl-outside', content: 'x' }],
    'a path that is not plain': [{ path: './a', content: 'x' }],
    'a link to a path above the folder': [{ path: 'out', type: 'SymbolicLink', linkpath: '../outside' }],
    'an absolute link': [{ path: 'out', type: 'SymbolicLink', linkpath: '/etc/passwd' }],
    'a file written through a link': [
      { path: 'out', type: 'SymbolicLink', linkpath: '.' },
      { path: 'out/file', content: 'x' },
    ],
    'a link through another link': [
      { path: 'd/file', content: 'x' },
      { path: 'l', type: 'SymbolicLink', linkpath: 'd' },
      { path: 'm', type: 'SymbolicLink', linkpath: 'l/../../outside' },
    ],
    'a link to a link': [
      { path: 'd', content: 'x' },
      { path: 'l', type: 'SymbolicLink', linkpath: 'd' },
      { path: 'm', type: 'SymbolicLink', linkpath: 'l' },
    ],
    'a hard link': [
      { path: 'a', content: 'x' },
      { path: 'b', type: 'Link', linkpath: 'a' },
    ],
    'a device': [{ path: 'null', type: 'CharacterDevice' }],
    'a named pipe': [{ path: 'pipe', type: 'FIFO' }],
    'a file twice': [
      { path: 'a', content: 'x' },
      { path: 'a', content: 'y' },
    ],
    'a file that is also a folder': [{ path: 'a', content: 'x' }, { path: 'a/b' }],
  };
  test.each(Object.entries(HOSTILE))('an archive with %s is rejected, and nothing is written', async (_, entries) => {
    await expect(unpacked(tarOf({ path: 'first', content: 'x' }, ...entries))).rejects.toThrow('the code archive');
    expect(existsSync(join(dir, 'out'))).toBe(false);
    expect(existsSync(join(dir, 'outside'))).toBe(false);
  });

  test('an archive with too many files or too many bytes is rejected', () => {
    const file = { path: 'a', type: 'File', size: 0, linkpath: '' };
    const many = Array.from({ length: 50_001 }, (_, at) => ({ ...file, path: `${at}` }));
    expect(entriesProblem(many)).toBe('it has more than 50000 entries');
    expect(entriesProblem([{ ...file, size: 2 ** 30 + 1 }])).toContain('more than 1073741824 bytes');
    expect(entriesProblem([{ ...file, size: Number.NaN }])).toContain('more than 1073741824 bytes');
  });

  test.each([
    ['bytes that are not an archive', Buffer.from('x'.repeat(5_000))],
    ['only a part of an archive', tarOf({ path: 'a', content: 'x'.repeat(5_000) }).subarray(0, 2_000)],
  ])('a file that contains %s is rejected, and nothing is written', async (_, bytes) => {
    await expect(unpacked(bytes)).rejects.toThrow('the code archive');
    expect(existsSync(join(dir, 'out', 'a'))).toBe(false);
  });

  test('an archive with an entry outside the folder is rejected, for any form of the path', async () => {
    const step = constantFrom('..', '.', '', 'a', 'b', '/');
    const path = array(step, { minLength: 1, maxLength: 6 }).map((steps) => steps.join('/'));
    const entry = record({ path, type: constantFrom('File', 'SymbolicLink'), linkpath: path });
    await assert(
      property(array(entry, { maxLength: 5 }), string(), (entries, extra) => {
        const list = [
          ...entries.map((one) => ({ ...one, size: 0 })),
          { path: extra, type: 'File', size: 0, linkpath: '' },
        ];
        if (entriesProblem(list) !== undefined) return;
        const links = new Set(list.filter(({ type }) => type === 'SymbolicLink').map(({ path: at }) => at));
        for (const { path: at, type, linkpath } of list) {
          const steps = at.split('/');
          expect(steps).not.toContain('..');
          expect(at.startsWith('/')).toBe(false);
          for (let up = 1; up < steps.length; up++) expect(links.has(steps.slice(0, up).join('/'))).toBe(false);
          if (type !== 'SymbolicLink') continue;
          const target = new URL(
            `${linkpath}`,
            `file:///root/${steps
              .slice(0, -1)
              .map(() => 'd/')
              .join('')}`,
          ).pathname;
          expect(`${target}/`.startsWith('/root/')).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
