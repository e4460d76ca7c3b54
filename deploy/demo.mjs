import { requireNode } from './setup/node-version.mjs';

const HELP = `Usage: npm run demo [-- UP_ARGS ...]

Installs the dependencies, builds trawl, finds nats-server, and runs a demo sweep: 8 trials on MNIST, with one worker
process per core. Results are kept in .trawl/demo-TIME. Arguments after -- are passed to \`trawl up\`:
\`npm run demo -- --slots 1\`.`;

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
