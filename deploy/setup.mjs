// The set-up of a checkout: `npm run setup`, and the first thing that `npm run demo` and `npm test` do. Plain
// JavaScript that an old Node can parse, so that it can say that it is too old; the work is in setup/.
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { requireNode } from './setup/node-version.mjs';

const HELP = `Usage: node deploy/setup.mjs [STEP ...]

Makes this checkout ready to run, and does only what is not done yet. Steps:
  dependencies  npm ci, when node_modules differs from package-lock.json
  build         tsc, when the sources have changed since the last build
  nats          finds nats-server: TRAWL_NATS (a running server), PATH, trawl's cache, Debian's package, a
                download pinned by SHA-256
and if it is named, or nothing is named and an NVIDIA GPU is seen:
  native        gets a libtensorflow and builds its binding, for the GPU if there is one; with options:
                npm run setup:native -- --help

Set TRAWL_NATS=nats://HOST:PORT to use a NATS server that already runs.`;

/** See setup.d.mts. */
export function setUp(options) {
  requireNode();
  return import('./setup/set-up.mjs').then((module) => module.setUp(options));
}

function main(args) {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(HELP);
    return;
  }
  requireNode();
  import('./setup/set-up.mjs')
    .then((module) => {
      const unknown = args.filter((step) => ![...module.STEPS, ...module.EXTRA_STEPS].includes(step));
      if (unknown.length > 0) {
        console.error(
          `set-up: no step is called ${unknown.join(', ')}; expected ${[...module.STEPS, ...module.EXTRA_STEPS].join(', ')}`,
        );
        process.exit(2);
      }
      return module.setUp(args.length > 0 ? { steps: args } : {});
    })
    .catch((error) => {
      console.error(`set-up: ${error.message}`);
      process.exit(1);
    });
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
