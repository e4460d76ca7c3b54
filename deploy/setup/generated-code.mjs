import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { runQuietly } from './run-quietly.mjs';

/**
 * Generates the code of the .proto files into a temporary folder and compares it with proto/gen, so that neither can
 * change without the other. Needs no network: the generator is among the dependencies.
 * @param {string} root the checkout
 * @throws {Error} that names the files which differ and the command that mends it
 */
export async function checkGeneratedCode(root) {
  const folder = mkdtempSync(join(tmpdir(), 'trawl-generated-'));
  try {
    const bin = join(root, 'node_modules', '.bin');
    const env = { ...process.env, PATH: [bin, process.env.PATH].filter(Boolean).join(delimiter) };
    await runQuietly(join(bin, 'buf'), ['generate', '--output', folder], { cwd: root, env });
    const fresh = readTree(join(folder, 'proto', 'gen'));
    const kept = readTree(join(root, 'proto', 'gen'));
    const names = [...new Set([...fresh.keys(), ...kept.keys()])].sort();
    const differing = names.filter((name) => fresh.get(name) !== kept.get(name));
    if (differing.length > 0) {
      throw new Error(
        `proto/gen is not what the .proto files generate: ${differing.join(', ')}\nRun \`npm run generate\`.`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** File contents by path relative to the folder. */
function readTree(folder) {
  return new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [relative(folder, path), readFileSync(path, 'utf8')]),
  );
}
