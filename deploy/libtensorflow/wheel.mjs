import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CommandError, runQuietly } from '../setup/run-quietly.mjs';

/** Two gigabytes over a slow line. */
const PIP_LIMIT_MS = 60 * 60_000;
const UNPACK_LIMIT_MS = 10 * 60_000;

/** Of a wheel, what the binding is built with and runs on, relative to site-packages. */
const KEPT = [
  'tensorflow/libtensorflow_cc.so.2',
  'tensorflow/libtensorflow_framework.so.2',
  'tensorflow/include/tensorflow/c',
  'tensorflow/include/tensorflow/core/platform',
  'tensorflow/include/tsl',
  'tensorflow/include/xla/tsl',
  'nvidia',
];

/**
 * Fills a folder from the Python registry that pip is set up for (its index, proxy and certificates), checked against
 * the pinned checksums by pip.
 * @param {string} folder
 * @param {import('./pinned.mjs').Variant} variant
 * @param {typeof import('./pinned.mjs').WHEEL} wheel
 */
export async function fetchWheel(folder, variant, wheel) {
  const site = await pipInstall(folder, wheel, ['--require-hashes', '-r', wheel.requirements[variant]]);
  keepLibraries(site, folder);
}

/** Fills a folder from a wheel on this disk, for whatever Python and platform it was made. */
export async function unpackWheel(path, folder) {
  const site = join(folder, 'site');
  await runQuietly('python3', ['-m', 'zipfile', '-e', path, site], { limitMs: UNPACK_LIMIT_MS });
  keepLibraries(site, folder);
}

async function pipInstall(folder, wheel, what) {
  const site = join(folder, 'site');
  const platform = ['--platform', wheel.platform, '--implementation', 'cp', '--python-version', wheel.python];
  const args = ['--target', site, '--no-deps', '--no-compile', '--only-binary', ':all:', ...platform, ...what];
  try {
    await runQuietly(
      'python3',
      ['-m', 'pip', 'install', '--quiet', '--no-input', '--no-cache-dir', '--disable-pip-version-check', ...args],
      { limitMs: PIP_LIMIT_MS },
    );
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new Error(pipProblem(error.message));
  }
  return site;
}

/**
 * What went wrong, in a line.
 * @param {string} message of pip's CommandError
 */
export function pipProblem(message) {
  if (/could not be started|No module named pip/.test(message))
    return 'there is no python3 with pip here (Debian: apt-get install python3-pip)';
  const said = message.split('\n').filter((line) => /^\s*(ERROR|error|Expected|Got)\b/.test(line));
  return said.length > 0 ? said.map((line) => line.trim()).join(' ') : message;
}

/**
 * Moves the libraries and headers out of a site-packages folder and removes the rest. Their places to each other stay:
 * TensorFlow looks for CUDA in ../nvidia of its own folder.
 */
export function keepLibraries(site, folder) {
  for (const path of KEPT.filter((each) => existsSync(join(site, each)))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    renameSync(join(site, path), join(folder, path));
  }
  for (const name of readdirSync(site).filter((each) => each.endsWith('.dist-info')))
    cpSync(join(site, name), join(folder, 'licences', name), { recursive: true });
  rmSync(site, { recursive: true });
}
