import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** The commands in the bundle, which are those that open the dashboard. bin/trawl.mjs starts them from the bundle. */
export const BUNDLED = ['top', 'up'];

/**
 * Not bundled: packages that load files by path, native packages, and one that only the development build of Ink loads.
 */
const EXTERNAL = ['@tensorflow/*', 'grpc-health-check', 'libsql', 'pg', 'pino', 'pino-pretty', 'react-devtools-core'];

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
 * Bundles the commands that open the dashboard, with their libraries, into a few files in dist/bundle/. Without a
 * bundle, Node would load hundreds of modules, and the first frame would take about three times as long
 * (docs/decisions/dashboard.md). Reads the output of the compiler.
 * @param {string} root of the checkout
 */
export async function bundleDashboard(root) {
  // esbuild is loaded here because set-up.mjs imports this module before the dependencies are installed.
  const { build } = await import('esbuild');
  const folder = dirname(bundleFile(root));
  rmSync(folder, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [join('dist', 'bin', 'main.js')],
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    mainFields: ['module', 'main'],
    define: { 'process.env.NODE_ENV': '"production"' },
    logOverride: { 'assign-to-define': 'silent' },
    sourcemap: true,
    metafile: true,
    logLevel: 'error',
    external: EXTERNAL,
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    plugins: [otherCommands(folder)],
  });
  writeFileSync(join(folder, 'LICENSES.txt'), licensesOf(root, Object.keys(metafile.inputs)));
}

/**
 * Returns a plugin that leaves all commands except BUNDLED out of the bundle.
 * @param {string} folder of the bundle
 * @returns {import('esbuild').Plugin}
 */
function otherCommands(folder) {
  return {
    name: 'other-commands',
    setup({ onResolve }) {
      onResolve({ filter: /^\.\/commands\/.+\.js$/ }, ({ path, resolveDir }) => {
        if (BUNDLED.some((name) => path === `./commands/${name}.js`)) return undefined;
        return { path: relative(folder, resolve(resolveDir, path)), external: true };
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
