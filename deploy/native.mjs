// `npm run setup:native`: the set-up of a checkout, and the native part of TensorFlow with it. Plain JavaScript that an
// old Node can parse, like setup.mjs; the work is in libtensorflow/.
import { requireNode } from './setup/node-version.mjs';

const HELP = `Usage: npm run setup:native -- [--from PATH] [--cuda | --cpu]

Makes TensorFlow.js compute with libtensorflow instead of WebAssembly: gets a libtensorflow, builds the binding from the
source in the package @tensorflow/tfjs-node with npm's node-gyp, and proves it by training a small net. 64-bit x86 Linux.

  --from PATH  this libtensorflow: a folder with lib/ and include/, a .tar.gz of one, a wheel of tensorflow, or the
               folder \`tensorflow\` of a Python installation. Without it TensorFlow's own release is fetched, and where
               its host is not reached the wheel of a Python registry, with pip as it is set up here. Both are pinned
               by SHA-256 (deploy/libtensorflow/pinned.mjs and requirements-*.txt).
  --cuda       for NVIDIA GPUs (CUDA 12, cuDNN 9; 4 GB on disk); the default where nvidia-smi lists one
  --cpu        for the CPU (0.7 GB on disk); the default elsewhere

Needs python3 with pip, make and a C++ compiler. What was fetched and built is kept in ~/.cache/trawl/libtensorflow
(XDG_CACHE_HOME), and used by every later set-up: \`npm run setup\` puts it back after \`npm ci\`.`;

function main() {
  requireNode();
  Promise.all([import('node:util'), import('./setup/set-up.mjs')])
    .then(([{ parseArgs }, { setUp }]) => {
      const flag = { type: 'boolean', default: false };
      const options = { from: { type: 'string' }, cuda: flag, cpu: flag, help: { ...flag, short: 'h' } };
      const { values } = parseArgs({ options });
      if (values.help) {
        console.log(HELP);
        return undefined;
      }
      if (values.cuda && values.cpu) throw new Error('--cuda and --cpu are two different set-ups: name one');
      const variant = values.cuda ? 'cuda' : values.cpu ? 'cpu' : undefined;
      return setUp({ steps: ['dependencies', 'native'], native: { from: values.from, variant } });
    })
    .catch((error) => {
      console.error(`set-up: ${error.message}`);
      process.exit(error.code && /^ERR_PARSE_ARGS/.test(error.code) ? 2 : 1);
    });
}

main();
