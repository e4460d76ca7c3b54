import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bundleCommands, bundleFile } from './bundle.mjs';
import { CHECKOUT } from './common.mjs';

let root: string;

const MAIN = `const commands = { top: () => import('./commands/top.js'), plan: () => import('./commands/plan.js') };
await commands[process.argv[2]]();
`;
const PRINT_URL = `import chalk from 'chalk';\nif (chalk.level >= 0) console.log(import.meta.url);\n`;

/** Creates an installation with two commands and a worker program. Each prints the URL of its own file. */
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'trawl-bundle-'));
  for (const name of ['bin/trawl.mjs', 'deploy/setup/bundle.mjs', 'deploy/setup/node-version.mjs']) {
    cpSync(join(CHECKOUT, name), join(root, name));
  }
  symlinkSync(join(CHECKOUT, 'node_modules'), join(root, 'node_modules'));
  writeFileSync(join(root, 'package.json'), '{ "type": "module" }');
  mkdirSync(join(root, 'dist', 'bin', 'commands'), { recursive: true });
  writeFileSync(join(root, 'dist', 'bin', 'main.js'), MAIN);
  mkdirSync(join(root, 'dist', 'agent', 'worker'), { recursive: true });
  for (const name of ['bin/commands/top', 'bin/commands/plan', 'agent/worker/main']) {
    writeFileSync(join(root, 'dist', `${name}.js`), PRINT_URL);
  }
  await bundleCommands(root);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const run = (command: string) =>
  execFileSync(process.execPath, [join(root, 'bin', 'trawl.mjs'), command], { encoding: 'utf8' });

test('each command runs from the bundle, and the worker program is at ../worker/main.js relative to the file of the command', () => {
  for (const command of ['top', 'plan']) {
    const url = run(command).trim();
    expect(url).toContain('/dist/bundle/');
    expect(existsSync(new URL('../worker/main.js', url))).toBe(true);
  }
});

test('the worker program is one file, also if it shares code with the commands', () => {
  const worker = join(root, 'dist', 'bundle', 'worker', 'main.js');
  expect(readFileSync(worker, 'utf8')).not.toMatch(/(from|import) ?"\.\.?\//);
  const output = execFileSync(process.execPath, [worker], { encoding: 'utf8' });
  expect(output.trim()).toBe(pathToFileURL(worker).href);
});

test('a bundle that is older than the output of the compiler is not used', () => {
  const compiler = join(root, 'dist', '.tsbuildinfo');
  writeFileSync(compiler, '');
  const later = Date.now() / 1000 + 10;
  utimesSync(compiler, later, later);
  expect(run('top')).toContain('/dist/bin/commands/top.js');
  utimesSync(bundleFile(root), later, later);
  expect(run('top')).toContain('/dist/bundle/');
});

test('without a bundle, every command runs from the output of the compiler', () => {
  rmSync(join(root, 'dist', 'bundle'), { recursive: true });
  expect(run('top')).toContain('/dist/bin/commands/top.js');
});

test('a bundle contains the licenses of its packages', () => {
  expect(readFileSync(join(root, 'dist', 'bundle', 'LICENSES.txt'), 'utf8')).toMatch(
    /^chalk [\d.]+\nLicense: MIT\n\nMIT License\n\nCopyright/,
  );
});

test('a new bundle replaces the files of the previous bundle', async () => {
  const old = join(root, 'dist', 'bundle', 'old.js');
  writeFileSync(old, '');
  await bundleCommands(root);
  expect(existsSync(old)).toBe(false);
});

test('every file in the bundle of the real commands can be loaded', { timeout: 120_000 }, async () => {
  rmSync(join(root, 'dist'), { recursive: true });
  mkdirSync(join(root, 'dist'));
  for (const name of readdirSync(join(CHECKOUT, 'dist'))) {
    if (name !== 'bundle') symlinkSync(join(CHECKOUT, 'dist', name), join(root, 'dist', name));
  }
  await bundleCommands(root);
  // main.js is omitted because it would run a command. devtools is omitted because it needs a package that only the
  // development build of Ink loads.
  const chunks = readdirSync(join(root, 'dist', 'bundle', 'chunks'));
  const files = chunks.filter((name) => /^(?!devtools).*\.js$/.test(name));
  const script = `for (const file of ${JSON.stringify(files)}) await import('./chunks/' + file); process.exit();`;
  writeFileSync(join(root, 'dist', 'bundle', 'load.mjs'), script);
  execFileSync(process.execPath, [join(root, 'dist', 'bundle', 'load.mjs')], { stdio: 'pipe' });
});
