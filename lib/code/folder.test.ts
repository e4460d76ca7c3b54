import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CodeRules, listCode, unreadable } from './folder.ts';
import { HTML_MARK, MARKDOWN_MARK, PARQUET_MARK } from './own-output.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-folder-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function write(files: Readonly<Record<string, string>>, root = join(dir, 'code')): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

async function paths(folder: string, rules?: CodeRules): Promise<string[]> {
  return (await listCode(folder, rules)).files.map(({ path }) => path);
}

describe('the files of a code folder', () => {
  test('files and folders whose names are not UTF-8 are omitted', async () => {
    const code = write({ 'a.py': '' });
    const root = Buffer.from(`${code}/`);
    writeFileSync(Buffer.concat([root, Buffer.from([0xff, 0x61])]), 'x');
    mkdirSync(Buffer.concat([root, Buffer.from([0xfe, 0x62])]));
    const { files, omitted } = await listCode(code);
    expect(files.map(({ path }) => path)).toEqual(['a.py']);
    expect(omitted.map(({ path, reason }) => [path, reason]).sort()).toEqual([
      ['\ufffda', 'its name is not UTF-8'],
      ['\ufffdb', 'its name is not UTF-8'],
    ]);
  });

  test('the files of a code folder are sorted, and include hidden files', async () => {
    expect(await paths(write({ 'b.py': '', 'a/z': '', '.env': '', 'B.py': '' }))).toEqual([
      '.env',
      'B.py',
      'a/z',
      'b.py',
    ]);
  });

  test('files that match `exclude`, or a .gitignore in the folder or a subfolder, are omitted', async () => {
    const code = write({
      '.gitignore': 'data/\n*.log\n!keep.log\n/top.txt\n',
      'data/big.bin': 'x',
      'sub/a.log': 'x',
      'sub/keep.log': 'x',
      'sub/top.txt': 'x',
      'top.txt': 'x',
      'sub/.gitignore': '*.tmp\n!important.log\n',
      'sub/b.tmp': 'x',
      'sub/deep/b.tmp': 'x',
      'sub/important.log': 'x',
      'b.tmp': 'x',
      'notes/n.md': 'x',
      'model.pt': 'x',
      'sub/model.pt': 'x',
    });
    expect(await paths(code, { exclude: ['notes/**', '*.pt'] })).toEqual([
      '.gitignore',
      'b.tmp',
      'sub/.gitignore',
      'sub/important.log',
      'sub/keep.log',
      'sub/top.txt',
    ]);
  });

  test('the files of a code folder are the files that git would add', async () => {
    const code = write({
      '.gitignore': '# comment\n\n*.o\nbuild\n!build/keep\n/only-top\nfoo/**/bar\n**/cache/\n\\#name\ntrailing \n',
      'a.o': '',
      'build/x': '',
      'build/keep': '',
      'only-top': '',
      'sub/only-top': '',
      'foo/bar': '',
      'foo/a/b/bar': '',
      'foo/a/b/baz': '',
      'x/cache/y': '',
      'x/cached': '',
      '#name': '',
      trailing: '',
      'inner/.gitignore': '/a\n!*.o\n*/c\n',
      'inner/a': '',
      'inner/b/a': '',
      'inner/b/c': '',
      'inner/d.o': '',
    });
    execFileSync('git', ['init', '-q'], { cwd: code });
    const listed = execFileSync('git', ['ls-files', '--others', '--exclude-standard', '-z'], {
      cwd: code,
      encoding: 'utf8',
    });
    expect(await paths(code)).toEqual(listed.split('\0').filter(Boolean).sort());
  });

  test('the .gitignore files above the folder apply, up to the root of the repository', async () => {
    const root = write(
      { '.gitignore': '*.csv\nsub/code/secret\n', 'sub/.gitignore': '/code/out\n' },
      join(dir, 'repository'),
    );
    const code = write({ 'a.csv': '', 'train.py': '', secret: '', 'out/x': '' }, join(root, 'sub', 'code'));
    expect(await paths(code)).toEqual(['a.csv', 'out/x', 'secret', 'train.py']);
    mkdirSync(join(root, '.git'));
    expect(await paths(code)).toEqual(['train.py']);
  });

  test("the Git history, caches, installed packages and a coordinator's data folder are always omitted", async () => {
    const code = write({
      'train.py': '',
      '.git/HEAD': '',
      'sub/.git': 'gitdir: elsewhere',
      '__pycache__/a.pyc': '',
      'sub/b.pyc': '',
      '.venv/bin/python': '',
      'node_modules/x/index.js': '',
      'wandb/run-1/files/x': '',
      'trawl-data/store.db': '',
      'trawl-data/artifacts/1/x': '',
    });
    const folder = await listCode(code);
    expect(folder.files.map(({ path }) => path)).toEqual(['train.py']);
    expect(folder.omitted).toEqual([{ path: 'trawl-data', reason: 'the data folder of a coordinator' }]);
  });

  test('files that trawl itself wrote are omitted, each with the reason', async () => {
    const code = write({
      'train.py': '',
      'data.csv': 'trial,seed,x\n',
      'README.md': '# trawl report\n',
      'config.json': '[{"trial": "a"}]',
      'page.html': '<title>x - trawl report</title>',
      'model/key.pem': '',
      'out/runs.csv': 'trial,config,sweep,index,state,rank,seed,lr,loss\n',
      'curves.csv': 'trial,config,seed,lr,epoch\n',
      'runs.json': `[\n{"trial":"${'0'.repeat(16)}","config":"${'1'.repeat(16)}","sweep":"1"}]`,
      'study.md': `${MARKDOWN_MARK}\n\n# Study\n`,
      'study/01.svg': '',
      'study.html': `<!doctype html>\n<head>\n${HTML_MARK}\n`,
      'runs.parquet': `PAR1${'x'.repeat(5_000)}${PARQUET_MARK}1.0.0 PAR1`,
      'run-1/store.db': '',
      'agent/spool.db': '',
      'agent/instance': '',
      'certs/user-ann/cert.pem': '',
      'certs/user-ann/key.pem': '',
    });
    const { files, omitted } = await listCode(code);
    expect(files.map(({ path }) => path)).toEqual([
      ...['README.md', 'config.json', 'data.csv', 'model/key.pem', 'page.html', 'train.py'],
    ]);
    expect(Object.fromEntries(omitted.map(({ path, reason }) => [path, reason]))).toEqual({
      'out/runs.csv': 'an export written by trawl',
      'curves.csv': 'an export written by trawl',
      'runs.json': 'an export written by trawl',
      'runs.parquet': 'an export written by trawl',
      'study.md': 'a report written by trawl',
      study: 'the charts of a report written by trawl',
      'study.html': 'a report written by trawl',
      'run-1': 'the data folder of a coordinator',
      agent: 'the folder of an agent',
      'certs/user-ann': 'keys of "trawl certs"',
    });
  });

  test.each([
    ['EACCES', 'permission denied'],
    ['EPERM', 'permission denied'],
    ['EIO', 'EIO: i/o error'],
  ])('the error about a file that cannot be read (%s) contains the path, the reason and the remedy', (code, reason) => {
    const error = Object.assign(new Error(`${code}: i/o error`), { code });
    expect(unreadable('/code/secret', error, 'secret/')).toMatchObject({
      name: 'BadInputError',
      message: `code: cannot read /code/secret: ${reason}; leave it out with code: {exclude: ["/secret/"]}`,
    });
    expect(unreadable('/code', error).message).toBe(`code: cannot read /code: ${reason}`);
  });

  test.skipIf(process.getuid?.() === 0)(
    'a file that the user cannot read causes an error, unless the file is excluded',
    async () => {
      const code = write({ 'train.py': '', 'secret/key': '', 'file.csv': '', '.gitignore': '' });
      for (const path of ['secret', 'file.csv', '.gitignore']) {
        const mode = path === 'secret' ? 0o755 : 0o644;
        chmodSync(join(code, path), 0);
        try {
          await expect(listCode(code)).rejects.toThrow(`cannot read ${join(code, path)}`);
          if (path !== '.gitignore') expect(await paths(code, { exclude: [`/${path}`] })).toContain('train.py');
        } finally {
          chmodSync(join(code, path), mode);
        }
      }
    },
  );

  test('links to files in the folder are included, and other links are omitted with the reason', async () => {
    const code = write({ 'pkg/a.py': '', '.gitignore': 'ignored\n', ignored: '' });
    write({ secret: '' }, join(dir, 'elsewhere'));
    symlinkSync('pkg', join(code, 'folder-link'));
    symlinkSync(join(code, 'pkg', 'a.py'), join(code, 'absolute-inside'));
    symlinkSync('folder-link/a.py', join(code, 'chain'));
    symlinkSync('../elsewhere/secret', join(code, 'outside'));
    symlinkSync('/etc/passwd', join(code, 'absolute'));
    symlinkSync('nothing', join(code, 'dangling'));
    symlinkSync('ignored', join(code, 'to-ignored'));
    const { files, omitted } = await listCode(code);
    expect(files.filter(({ target }) => target !== undefined).map(({ path, target }) => [path, target])).toEqual([
      ['absolute-inside', 'pkg/a.py'],
      ['chain', 'pkg/a.py'],
      ['folder-link', 'pkg'],
    ]);
    expect(Object.fromEntries(omitted.map(({ path, reason }) => [path, reason]))).toEqual({
      outside: `a link to ${join(dir, 'elsewhere', 'secret')}, outside the folder`,
      absolute: 'a link to /etc/passwd, outside the folder',
      dangling: 'a link to nothing',
      'to-ignored': 'a link to ignored, which is not sent',
    });
  });

  test('a folder above the size limit causes an error that names the largest files and the remedy', async () => {
    const code = write({
      'src/data/train.bin': 'x'.repeat(2_000_000),
      'src/a.py': 'x',
      'model.pt': 'x'.repeat(500_000),
    });
    await expect(listCode(code, { maxBytes: 1_000_000 })).rejects.toThrow(
      /2\.4 MiB of files, more than the limit of 976\.6 KiB\. The largest are src\/data\/train\.bin \(1\.9 MiB\), model\.pt \(488\.3 KiB\)\. Leave them out with code: \{exclude: \["src\/data\/train\.bin"\]\}/,
    );
    expect(await paths(code, { maxBytes: 1_000_000, exclude: ['src/data/'] })).toEqual(['model.pt', 'src/a.py']);
  });

  test('the execute permission of a file is kept', async () => {
    const code = write({ 'run.sh': '', 'train.py': '' });
    chmodSync(join(code, 'run.sh'), 0o755);
    expect((await listCode(code)).files.map(({ isExecutable }) => isExecutable)).toEqual([true, false]);
  });
});

test('a missing folder, an empty folder and a data folder are rejected', async () => {
  await expect(listCode(join(dir, 'missing'))).rejects.toThrow('is not a folder');
  mkdirSync(join(dir, 'empty'));
  await expect(listCode(join(dir, 'empty'))).rejects.toThrow('has no files to send');
  await expect(listCode(write({ 'store.db': '' }))).rejects.toThrow(
    'is the data folder of a coordinator; name the folder of the program',
  );
});
