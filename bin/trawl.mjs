#!/usr/bin/env node
// The `trawl` command. Plain JavaScript that an old Node can parse, so that it can say that it is too old.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { requireNode } from '../deploy/setup/node-version.mjs';

const at = (path) => new URL(path, import.meta.url);
const program = at('../dist/bin/main.js');

requireNode();
ready().then(
  () => import(program.href),
  (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);

/** A package carries its build; a checkout is built on first use. */
function ready() {
  if (existsSync(program)) return Promise.resolve();
  if (existsSync(at('../.git'))) {
    return import('../deploy/setup.mjs').then((module) => module.setUp({ steps: ['dependencies', 'build'] }));
  }
  const missing = `trawl: ${fileURLToPath(program)} is missing: this installation is not whole.`;
  return Promise.reject(
    new Error(`${missing}\nInstall it again, or run \`npm run setup\` in a checkout of the sources.`),
  );
}
