import { requireNode } from './setup/node-version.mjs';

const HELP = `Usage: npm test [-- VITEST_ARGS ...]
       npm run test:slow [-- VITEST_ARGS ...]
       npm run test:release [-- VITEST_ARGS ...]

npm test installs what the tests need and runs these checks, up to the first failure: lint (biome, buf, knip), generated
code against the .proto files, types and build, and tests (vitest: unit, property and integration tests with a real
nats-server). Arguments after -- are passed to vitest: \`npm test -- coordinator\` runs the tests of that folder.

test:slow runs the *.slow.test.ts files: a cluster over network namespaces, many seeds, other Node versions.
test:release runs the fault, fuzz, simulation and cluster tests with many rounds, and all tests of Python libraries and
Node versions. It takes hours.`;

const SUITE = '--suite=';
const args = process.argv.slice(2);
const named = args.find((arg) => arg.startsWith(SUITE));
const suite = named === undefined ? 'fast' : named.slice(SUITE.length);
const testArgs = args.filter((arg) => !arg.startsWith(SUITE));

if (args.includes('--help') || args.includes('-h')) {
  console.log(HELP);
} else {
  requireNode();
  import('./setup/checks.mjs')
    .then((module) => module.runSuite(suite, testArgs))
    .then((code) => {
      process.exitCode = code;
    })
    .catch((error) => {
      console.error(`test: ${error.message}`);
      process.exitCode = 1;
    });
}
