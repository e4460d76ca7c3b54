import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError, runQuietly } from '../setup/run-quietly.mjs';
import { download } from './download.mjs';

const UNPACK_LIMIT_MS = 10 * 60_000;

/**
 * Fills a folder with TensorFlow's own release of its C library.
 * @param {string} folder
 * @param {import('./pinned.mjs').Variant} variant
 * @param {typeof import('./pinned.mjs').OFFICIAL} official
 */
export async function fetchOfficial(folder, variant, official) {
  if (variant === 'cuda' && !(await systemHasCuda()))
    throw new Error('it comes without CUDA, and this system has no CUDA 12 with cuDNN 9');
  const { file, sha256 } = official[variant];
  const archive = join(folder, file);
  await download(`${official.baseUrl}/${official.version}/${file}`, archive, sha256);
  await unpackArchive(archive, folder);
  rmSync(archive);
}

/** A `.tar.gz` into a folder. */
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
