// What `npm run demo` runs.
import { requireNode } from './setup/node-version.mjs';

const HELP = `Usage: npm run demo [-- UP_ARGS ...]

Sets up what is needed (dependencies, build, nats-server) and sweeps: 8 trials on real MNIST, with a worker process a
core. Everything is kept under .trawl/demo-TIME. What follows -- goes to \`trawl up\`: \`npm run demo -- --slots 1\`.`;

const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) {
  console.log(HELP);
} else {
  requireNode();
  import('./setup/run-demo.mjs')
    .then((module) => module.runDemo(args))
    .then((code) => {
      process.exitCode = code;
    })
    .catch((error) => {
      console.error(`demo: ${error.message}`);
      process.exitCode = 1;
    });
}
