// Like setup.mjs, this script uses only syntax that an old Node can parse.
import { requireNode } from './setup/node-version.mjs';

const HELP = `Usage: npm run setup:native -- [--from PATH] [--cuda | --cpu]

Makes TensorFlow.js use libtensorflow instead of WebAssembly: obtains libtensorflow, builds the binding from the source
in the package @tensorflow/tfjs-node with npm's node-gyp, and verifies it by training a small network. Supports 64-bit
x86 Linux.

  --from PATH  use this libtensorflow: a folder with lib/ and include/, a .tar.gz of such a folder, a tensorflow wheel,
               or the folder \`tensorflow\` of a Python installation. Default: download TensorFlow's own release, or
               the wheel from a Python registry (through pip, with its configuration) if the release is not available.
               Both are pinned by SHA-256 (deploy/libtensorflow/pinned.mjs and requirements-*.txt).
  --cuda       for NVIDIA GPUs (CUDA 12, cuDNN 9; 4 GB on disk); the default where nvidia-smi lists a GPU
  --cpu        for the CPU (0.7 GB on disk); the default elsewhere

Needs python3 with pip, make and a C++ compiler. Downloads and builds are kept in ~/.cache/trawl/libtensorflow
(XDG_CACHE_HOME) and reused by later setups: \`npm run setup\` restores them after \`npm ci\`.`;

function main() {
  requireNode();
  Promise.all([import('node:util'), import('./setup/set-up.mjs')])
    .then(([{ parseArgs }, { setUp }]) => {
      const { values } = parseArgs({
        options: {
          from: { type: 'string' },
          cuda: { type: 'boolean', default: false },
          cpu: { type: 'boolean', default: false },
          help: { type: 'boolean', default: false, short: 'h' },
        },
      });
      if (values.help) {
        console.log(HELP);
        return undefined;
      }
      if (values.cuda && values.cpu) throw new Error('--cuda and --cpu cannot be used together');
      const variant = values.cuda ? 'cuda' : values.cpu ? 'cpu' : undefined;
      return setUp({ steps: ['dependencies', 'native'], native: { from: values.from, variant } });
    })
    .catch((error) => {
      console.error(`setup: ${error.message}`);
      process.exit(error.code && /^ERR_PARSE_ARGS/.test(error.code) ? 2 : 1);
    });
}

main();
