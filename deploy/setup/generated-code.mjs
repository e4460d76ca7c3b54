import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { runQuietly } from './run.mjs';

/**
 * Generates code from the .proto files into a temporary folder and compares it with proto/gen. Needs no network,
 * because the generator is an installed dependency.
 * @param {string} root of the checkout
 * @throws {Error} that lists the files that differ and the command that regenerates them
 */
export async function checkGeneratedCode(root) {
  const folder = mkdtempSync(join(tmpdir(), 'trawl-generated-'));
  try {
    const bin = join(root, 'node_modules', '.bin');
    const env = { ...process.env, PATH: [bin, process.env.PATH].filter(Boolean).join(delimiter) };
    await runQuietly(join(bin, 'buf'), ['generate', '--output', folder], { cwd: root, env });
    const generated = readTree(join(folder, 'proto', 'gen'));
    const committed = readTree(join(root, 'proto', 'gen'));
    const names = [...new Set([...generated.keys(), ...committed.keys()])].sort();
    const differing = names.filter((name) => generated.get(name) !== committed.get(name));
    if (differing.length > 0) {
      throw new Error(`proto/gen differs from the .proto files: ${differing.join(', ')}\nRun \`npm run generate\`.`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Returns the content of each file in a folder, keyed by the path relative to the folder.
 * @param {string} folder
 */
function readTree(folder) {
  return new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [relative(folder, path), readFileSync(path, 'utf8')]),
  );
}
