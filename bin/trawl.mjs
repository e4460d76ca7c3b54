#!/usr/bin/env node
// The `trawl` command. Uses only syntax that old versions of Node can parse, so that the script can report that Node is
// too old.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { requireNode } from '../deploy/setup/node-version.mjs';

const program = new URL('../dist/bin/main.js', import.meta.url);

requireNode();
buildIfNeeded().then(
  () => import(program.href),
  (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);

/** Builds trawl in a checkout that has no build yet. A package contains its build. */
function buildIfNeeded() {
  if (existsSync(program)) return Promise.resolve();
  if (existsSync(new URL('../.git', import.meta.url))) {
    return import('../deploy/setup.mjs').then((module) => module.setUpCheckout({ steps: ['dependencies', 'build'] }));
  }
  const missing = `trawl: ${fileURLToPath(program)} is missing: this installation is incomplete.`;
  return Promise.reject(new Error(`${missing}\nInstall trawl again, or run \`npm run setup\` in a checkout.`));
}
