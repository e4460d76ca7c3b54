import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * The packages that are not bundled: packages that load files by path; native packages; packages that other packages
 * outside the bundle also load, and that must be loaded only once; and a package that only the development build of Ink
 * loads.
 */
const EXTERNAL = [
  '@grpc/proto-loader',
  '@grpc/reflection',
  '@tensorflow/.*',
  'grpc-health-check',
  'libsql',
  'pg',
  'pino',
  'pino-pretty',
  'react-devtools-core',
];

/**
 * The module that is bundled into one file, together with the library that it imports. The library loads its own parts
 * only when it needs them. If these parts were separate files, a running process could no longer find them after an
 * upgrade has replaced the bundle.
 */
const WHOLE = ['coordinator', 'artifacts', 's3-client.js'];

/**
 * @param {string} root
 * @returns {string} the path of the bundle
 */
export const bundleFile = (root) => join(root, 'dist', 'bundle', 'main.js');

/**
 * Returns whether the bundle exists and is at least as new as the output of the compiler. The published package has no
 * .tsbuildinfo, and its bundle is always current.
 * @param {string} root
 */
export function isBundleCurrent(root) {
  const bundle = bundleFile(root);
  const compiler = join(root, 'dist', '.tsbuildinfo');
  if (!existsSync(bundle)) return false;
  return !existsSync(compiler) || statSync(bundle).mtimeMs >= statSync(compiler).mtimeMs;
}

/**
 * Bundles all commands and the worker program, with their libraries, into dist/bundle/. Without a bundle, Node would load
 * hundreds of modules, and each process would take longer to start (docs/decisions/dashboard.md).
 * Reads the output of the compiler.
 * @param {string} root of the checkout
 */
export async function bundleCommands(root) {
  // esbuild is loaded here because set-up.mjs imports this module before the dependencies are installed.
  const { build } = await import('esbuild');
  const folder = dirname(bundleFile(root));
  // Running processes and other commands can use the previous bundle until the new bundle is complete.
  const incomplete = `${folder}.incomplete`;
  rmSync(incomplete, { recursive: true, force: true });
  /** @satisfies {import('esbuild').BuildOptions} */
  const common = {
    absWorkingDir: root,
    outdir: incomplete,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    mainFields: ['module', 'main'],
    // With DEV=true, Ink would load development tools, which are not in the bundle.
    define: { 'process.env.NODE_ENV': '"production"', 'process.env.DEV': '""' },
    logOverride: { 'assign-to-define': 'silent' },
    sourcemap: true,
    metafile: true,
    logLevel: 'error',
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
  };
  const whole = join('dist', ...WHOLE);
  const wholeInputs = existsSync(join(root, whole)) ? [whole] : [];
  const { metafile: wholes } = await build({
    ...common,
    entryPoints: wholeInputs,
    entryNames: 'chunks/[name]-[hash]',
    plugins: [requireExternal],
  });
  const split = {
    ...common,
    // The agent's code is in a file in the folder chunks, and starts ../worker/main.js relative to this file.
    chunkNames: 'chunks/[name]-[hash]',
    splitting: true,
    plugins: [requireExternal, importWhole(wholes)],
  };
  const { metafile: commands } = await build({
    ...split,
    entryPoints: [{ in: join('dist', 'bin', 'main.js'), out: 'main' }],
  });
  // The worker is bundled separately, because it would otherwise load several tens of small files that it shares with the
  // commands. An agent starts a worker for each slot.
  const { metafile: worker } = await build({
    ...split,
    entryPoints: [{ in: join('dist', 'agent', 'worker', 'main.js'), out: join('worker', 'main') }],
  });
  const inputs = [commands, worker, wholes].flatMap(({ inputs }) => Object.keys(inputs));
  writeFileSync(join(incomplete, 'LICENSES.txt'), licensesOf(root, inputs));
  rmSync(folder, { recursive: true, force: true });
  renameSync(incomplete, folder);
}

/**
 * Loads the packages outside the bundle with `require`. All of them are CommonJS modules. With `import` instead of
 * `require`, Node would parse such a module twice, because it first looks for the names of the module's exports.
 * @type {import('esbuild').Plugin}
 */
const requireExternal = {
  name: 'require-external',
  setup({ onResolve, onLoad }) {
    const namespace = 'require-external';
    const filter = new RegExp(`^(${EXTERNAL.join('|')})$`);
    onResolve({ filter }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace } : { path, external: true },
    );
    onLoad({ filter: /./, namespace }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

/**
 * Makes the bundle import the module WHOLE from the module's own file, which is in the folder of the chunks.
 * @param {import('esbuild').Metafile} wholes
 * @returns {import('esbuild').Plugin}
 */
function importWhole({ outputs }) {
  return {
    name: 'import-whole',
    setup({ onResolve, onEnd }) {
      const file = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint !== undefined)?.[0];
      if (file === undefined) return;
      const path = `./${basename(file)}`;
      onResolve({ filter: new RegExp(`/${WHOLE.at(-1)?.replace('.', '\\.')}$`) }, () => ({ path, external: true }));
      onEnd(({ metafile }) => {
        for (const [output, { imports }] of Object.entries(metafile?.outputs ?? {})) {
          const isImporter = imports.some((each) => each.path === path);
          if (isImporter && basename(dirname(output)) !== 'chunks') throw new Error(`${output} cannot import ${path}`);
        }
      });
    },
  };
}

/**
 * Returns the licenses of the packages in a bundle. Most licenses require that every copy of the software contains the
 * license.
 * @param {string} root
 * @param {readonly string[]} inputs paths of the bundled files
 */
function licensesOf(root, inputs) {
  const folders = new Set(inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []));
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const file = readdirSync(join(root, folder)).find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
    const text = file === undefined ? '' : `\n\n${readFileSync(join(root, folder, file), 'utf8').trim()}`;
    return `${name} ${version}\nLicense: ${license}${text}\n`;
  });
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}
