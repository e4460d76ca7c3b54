import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { download } from '../setup/download.mjs';
import { CommandError, runQuietly } from '../setup/run.mjs';

/** The time limit for pip: long enough to download two gigabytes over a slow connection. */
const PIP_LIMIT_MS = 60 * 60_000;
const UNPACK_LIMIT_MS = 10 * 60_000;

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
 * Downloads TensorFlow's own release of its C library into a folder.
 * @param {string} folder
 * @param {import('./pinned.mjs').Variant} variant
 * @param {typeof import('./pinned.mjs').OFFICIAL} official
 */
export async function fetchOfficial(folder, variant, official) {
  if (variant === 'cuda' && !(await systemHasCuda()))
    throw new Error('the release does not include CUDA, and this system has no CUDA 12 with cuDNN 9');
  const { file, sha256 } = official[variant];
  const archive = join(folder, file);
  await download(`${official.baseUrl}/${official.version}/${file}`, archive, sha256);
  await unpackArchive(archive, folder);
  rmSync(archive);
}

/**
 * Unpacks a `.tar.gz` into a folder.
 * @param {string} archive
 * @param {string} folder
 */
export async function unpackArchive(archive, folder) {
  await runQuietly('tar', ['-xzf', archive, '-C', folder], { limitMs: UNPACK_LIMIT_MS });
}

async function systemHasCuda() {
  try {
    const libraries = await runQuietly('/sbin/ldconfig', ['-p'], { limitMs: 10_000 });
    return /\blibcudart\.so\.12\b/.test(libraries) && /\blibcudnn\.so\.9\b/.test(libraries);
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}

/**
 * Downloads the wheel into a folder with pip. pip uses its own configuration (registry, proxy and certificates), and
 * verifies the pinned checksums.
 * @param {string} folder
 * @param {import('./pinned.mjs').Variant} variant
 * @param {typeof import('./pinned.mjs').WHEEL} wheel
 */
export async function fetchWheel(folder, variant, wheel) {
  const site = join(folder, 'site');
  const platform = ['--platform', wheel.platform, '--implementation', 'cp', '--python-version', wheel.python];
  const options = ['--no-deps', '--no-compile', '--only-binary', ':all:', '--quiet', '--no-input', '--no-cache-dir'];
  const requirements = ['--require-hashes', '-r', wheel.requirements[variant]];
  const args = ['--target', site, '--disable-pip-version-check', ...options, ...platform, ...requirements];
  try {
    await runQuietly('python3', ['-m', 'pip', 'install', ...args], { limitMs: PIP_LIMIT_MS });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new Error(pipProblem(error.message));
  }
  keepLibraries(site, folder);
}

/**
 * Unpacks a local wheel into a folder. The wheel can be for any Python version and platform.
 * @param {string} path
 * @param {string} folder
 */
export async function unpackWheel(path, folder) {
  const site = join(folder, 'site');
  await runQuietly('python3', ['-m', 'zipfile', '-e', path, site], { limitMs: UNPACK_LIMIT_MS });
  keepLibraries(site, folder);
}

/**
 * Returns the errors from the output of pip, on one line. If pip is not installed, returns how to install it.
 * @param {string} message the message of the CommandError that the pip command caused
 */
export function pipProblem(message) {
  if (/could not be started|No module named pip/.test(message))
    return 'python3 with pip is not installed (Debian: apt-get install python3-pip)';
  const errors = message.split('\n').filter((line) => /^\s*(ERROR|error|Expected|Got)\b/.test(line));
  return errors.length > 0 ? errors.map((line) => line.trim()).join(' ') : message;
}

/**
 * Moves the libraries and headers out of a site-packages folder, copies the licenses, and removes all other files. The
 * libraries and headers keep their relative locations, because TensorFlow looks for CUDA in ../nvidia, relative to its
 * own folder.
 * @param {string} site
 * @param {string} folder
 */
function keepLibraries(site, folder) {
  for (const path of KEPT.filter((each) => existsSync(join(site, each)))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    renameSync(join(site, path), join(folder, path));
  }
  for (const name of readdirSync(site).filter((each) => each.endsWith('.dist-info')))
    cpSync(join(site, name), join(folder, 'licenses', name), { recursive: true });
  rmSync(site, { recursive: true });
}
