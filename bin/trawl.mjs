#!/usr/bin/env node
// The `trawl` command. Uses only syntax that old versions of Node can parse, so that the script can report that Node is
// too old.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { requireNode } from '../deploy/setup/node-version.mjs';

const program = new URL('../dist/bin/main.js', import.meta.url);
const bundle = new URL('../dist/bundle/main.js', import.meta.url);

requireNode();
buildIfNeeded().then(
  () => usesBundle().then((uses) => import(uses ? bundle.href : program.href)),
  (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);

/** Whether the bundle exists and is at least as new as the output of the compiler. */
function usesBundle() {
  return import('../deploy/setup/bundle.mjs').then(({ isBundleCurrent }) =>
    isBundleCurrent(fileURLToPath(new URL('..', import.meta.url))),
  );
}

/** Builds trawl in a checkout that has no build yet. The published package contains the build. */
function buildIfNeeded() {
  if (existsSync(program)) return Promise.resolve();
  if (existsSync(new URL('../.git', import.meta.url))) {
    return import('../deploy/setup.mjs').then((module) => module.setUpCheckout({ steps: ['dependencies', 'build'] }));
  }
  const missing = `trawl: ${fileURLToPath(program)} is missing: this installation is incomplete.`;
  return Promise.reject(new Error(`${missing}\nInstall trawl again, or run \`npm run setup\` in a checkout.`));
}
