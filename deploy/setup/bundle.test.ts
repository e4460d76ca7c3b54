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
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bundleDashboard, bundleFile } from './bundle.mjs';
import { CHECKOUT } from './common.mjs';

let root: string;

const MAIN = `const commands = { top: () => import('./commands/top.js'), plan: () => import('./commands/plan.js') };
await commands[process.argv[2]]();
`;

/** Creates an installation with two commands, which print the file that they run from. */
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'trawl-bundle-'));
  for (const name of ['bin/trawl.mjs', 'deploy/setup/bundle.mjs', 'deploy/setup/node-version.mjs']) {
    cpSync(join(CHECKOUT, name), join(root, name));
  }
  symlinkSync(join(CHECKOUT, 'node_modules'), join(root, 'node_modules'));
  writeFileSync(join(root, 'package.json'), '{ "type": "module" }');
  mkdirSync(join(root, 'dist', 'bin', 'commands'), { recursive: true });
  writeFileSync(join(root, 'dist', 'bin', 'main.js'), MAIN);
  for (const name of ['top', 'plan']) {
    const text = `import chalk from 'chalk';\nif (chalk.level >= 0) console.log(import.meta.url);\n`;
    writeFileSync(join(root, 'dist', 'bin', 'commands', `${name}.js`), text);
  }
  await bundleDashboard(root);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const run = (command: string) =>
  execFileSync(process.execPath, [join(root, 'bin', 'trawl.mjs'), command], { encoding: 'utf8' });

test('a command that opens the dashboard runs from the bundle, and other commands run from the compiled files', () => {
  expect(run('top')).toContain('/dist/bundle/');
  expect(run('plan')).toContain('/dist/bin/commands/plan.js');
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
  await bundleDashboard(root);
  expect(existsSync(old)).toBe(false);
});

test('every file of the bundle of the real commands loads', { timeout: 120_000 }, async () => {
  rmSync(join(root, 'dist'), { recursive: true });
  mkdirSync(join(root, 'dist'));
  for (const name of readdirSync(join(CHECKOUT, 'dist'))) {
    if (name !== 'bundle') symlinkSync(join(CHECKOUT, 'dist', name), join(root, 'dist', name));
  }
  await bundleDashboard(root);
  // main.js would run a command, and devtools needs a package that only the development build of Ink loads.
  const files = readdirSync(join(root, 'dist', 'bundle')).filter((name) => /^(?!main|devtools).*\.js$/.test(name));
  const script = `for (const file of ${JSON.stringify(files)}) await import('./' + file); process.exit();`;
  writeFileSync(join(root, 'dist', 'bundle', 'load.mjs'), script);
  execFileSync(process.execPath, [join(root, 'dist', 'bundle', 'load.mjs')], { stdio: 'pipe' });
});
