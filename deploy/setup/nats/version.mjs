import { runQuietly } from '../run-quietly.mjs';

/** The oldest nats-server whose JetStream has what trawl relies on (Debian 12 ships 2.9.10). */
export const MINIMUM_NATS = '2.9.0';
const VERSION_LIMIT_MS = 5_000;

/**
 * The version in what `nats-server --version` prints (`nats-server: v2.9.10`), or null.
 * @param {string} text
 * @returns {string | null}
 */
export function parseNatsVersion(text) {
  return /\bv?(\d+\.\d+\.\d+)(?:[-+.\w]*)?/.exec(text)?.[1] ?? null;
}

/**
 * @param {string} version such as `2.9.10`
 * @returns {boolean}
 */
export function isNewEnough(version) {
  const [have, want] = [version, MINIMUM_NATS].map((text) => text.split('.').map(Number));
  for (const [i, part] of want.entries()) {
    if (have[i] !== part) return have[i] > part;
  }
  return true;
}

/**
 * Runs a nats-server binary for its version.
 * @param {string} path
 * @returns {Promise<{version: string} | {problem: string}>}
 */
export async function natsVersionOf(path) {
  let printed;
  try {
    printed = await runQuietly(path, ['--version'], { limitMs: VERSION_LIMIT_MS });
  } catch (error) {
    return { problem: `does not run: ${error.message.split('\n')[0]}` };
  }
  const version = parseNatsVersion(printed);
  if (version === null) return { problem: `does not say its version: ${printed.trim().slice(0, 80)}` };
  if (!isNewEnough(version)) return { problem: `is ${version}, and trawl needs ${MINIMUM_NATS} or later` };
  return { version };
}
