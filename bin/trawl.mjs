#!/usr/bin/env node
// The `trawl` command. Uses only syntax that old versions of Node can parse, so that the script can report that Node is
// too old.
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { requireNode } from '../deploy/setup/node-version.mjs';

const program = new URL('../dist/bin/main.js', import.meta.url);
const bundle = new URL('../dist/bundle/main.js', import.meta.url);
const compiler = new URL('../dist/.tsbuildinfo', import.meta.url);

/** The commands in the bundle (see deploy/setup/bundle.mjs). */
const BUNDLED = ['top', 'up'];

requireNode();
buildIfNeeded().then(
  () => import(hasBundle() ? bundle.href : program.href),
  (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);

/** Whether the command is in a bundle that is newer than the output of the compiler. */
function hasBundle() {
  const verb = process.argv.slice(2).find((arg) => !arg.startsWith('-'));
  if (verb === undefined || !BUNDLED.includes(verb) || !existsSync(bundle)) return false;
  return !existsSync(compiler) || statSync(bundle).mtimeMs >= statSync(compiler).mtimeMs;
}

/** Builds trawl in a checkout that has no build yet. A package contains its build. */
function buildIfNeeded() {
  if (existsSync(program)) return Promise.resolve();
  if (existsSync(new URL('../.git', import.meta.url))) {
    return import('../deploy/setup.mjs').then((module) => module.setUpCheckout({ steps: ['dependencies', 'build'] }));
  }
  const missing = `trawl: ${fileURLToPath(program)} is missing: this installation is incomplete.`;
  return Promise.reject(new Error(`${missing}\nInstall trawl again, or run \`npm run setup\` in a checkout.`));
}
