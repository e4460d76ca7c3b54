// Implements `npm test`.
import { requireNode } from './setup/node-version.mjs';

const HELP = `Usage: npm test [-- VITEST_ARGS ...]

Installs what the tests need and runs these checks, up to the first failure: lint (biome, buf), generated code against
the .proto files, types and build, tests (vitest: unit, property and integration tests with a real nats-server).
Arguments after -- are passed to vitest: \`npm test -- coordinator\` runs the tests of that folder.`;

const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) {
  console.log(HELP);
} else {
  requireNode();
  import('./setup/checks.mjs')
    .then((module) => module.runChecks(args))
    .then((code) => {
      process.exitCode = code;
    })
    .catch((error) => {
      console.error(`test: ${error.message}`);
      process.exitCode = 1;
    });
}
