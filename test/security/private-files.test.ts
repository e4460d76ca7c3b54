import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { trawl } from '../support/trawl.ts';

const LIMIT_MS = 120_000;

/**
 * The program records its umask. Its files have the permissions that this umask gives, but are in folders that only the
 * owner can access.
 */
const SWEEP = `
command: [sh, -c, 'umask > ../seen; echo content > "$TRAWL_ARTIFACTS/weights.bin"; echo "{\\"epoch\\": 1, \\"loss\\": 1}"']
metric: {name: loss, goal: minimize}
parameters:
  x: {values: [1, 2]}
`;

let umask: number;
beforeEach(() => {
  umask = process.umask(0);
});
afterEach(() => {
  process.umask(umask);
});

/** Lists the paths under the folder to which anyone but the owner has access, each with its mode. */
function accessible(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => !lstatSync(path).isSymbolicLink())
    .map((path) => ({ path, mode: statSync(path).mode & 0o777 }))
    .filter(({ mode }) => (mode & 0o077) !== 0)
    .map(({ path, mode }) => `${path} ${mode.toString(8)}`);
}

test(
  'with umask 000, every file of trawl up is private, and the programs of its trials have the umask of the user',
  async () => {
    const folder = testFolder();
    const dir = join(folder, 'run');
    const work = join(folder, 'work');
    mkdirSync(work);
    const file = sweepFile(folder, SWEEP);
    const { code, stderr } = await trawl('up', file, '--dir', dir, '--slots', '1', '--workdir', work);
    expect(code, stderr).toBe(0);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(accessible(dir)).toEqual([]);
    expect(readdirSync(dir)).toEqual(expect.arrayContaining(['artifacts', 'agent', 'logs', 'nats', 'store.db']));
    expect(readFileSync(join(folder, 'seen'), 'utf8').trim()).toBe('0000');

    const copies = [join(folder, 'backup'), join(folder, 'restored')] as const;
    expect((await trawl('backup', '--dir', dir, '--out', copies[0])).code).toBe(0);
    expect((await trawl('restore', copies[0], '--dir', copies[1])).code).toBe(0);
    for (const copy of copies) {
      expect(statSync(copy).mode & 0o777, copy).toBe(0o700);
      expect(accessible(copy)).toEqual([]);
    }
    const table = join(folder, 'trials.csv');
    expect((await trawl('export', 'last', '-f', 'csv', '--dir', dir, '--out', table)).code).toBe(0);
    expect(statSync(table).mode & 0o777).toBe(0o666);
  },
  LIMIT_MS,
);

test(
  'even with umask 000, a coordinator and an agent make all of their files and folders private',
  async () => {
    const folder = testFolder();
    for (const name of ['coordinator', 'worker']) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'earlier'), '');
      chmodSync(join(folder, name, 'earlier'), 0o600);
      chmodSync(join(folder, name), 0o755);
    }
    const cluster = await Cluster.start(folder);
    await cluster.startAgent('worker', 1);
    const { code, stderr } = await cluster.run('submit', sweepFile(folder, SWEEP), '--wait');
    expect(code, stderr).toBe(0);
    for (const name of ['coordinator', 'worker', 'nats']) {
      expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o700);
      if (name !== 'nats') expect(accessible(join(folder, name))).toEqual([]);
    }
    for (const name of ['coordinator', 'worker']) {
      const log = readFileSync(cluster.logOf(name), 'utf8');
      expect(log.match(/other users could access [^"]*\/(coordinator|worker);/g), name).toHaveLength(1);
    }
  },
  LIMIT_MS,
);
