import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runTrawl } from '../test/support/cli/run-trawl.ts';
import { indexOf } from './completion/command-index.ts';
import { packageRoot } from './package.ts';
import { buildProgram, verbIn, wholeProgram } from './program.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trawl-program-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const whole = await wholeProgram();
const verbs = whole.commands.map((command) => command.name());

test('the program has exactly the expected verbs', () => {
  const expected =
    'plan convert up coordinator agent certs submit apply top ls show errors explain trials best wait pause resume stop kill retry priority drain undrain release backup restore migrate prune logs events agents artifacts doctor export report compare schema completion data';
  expect([...verbs].sort()).toEqual(expected.split(' ').sort());
});

test('only the requested verb is loaded', async () => {
  for (const verb of verbs) {
    for (const args of [
      ['--debug', verb, 'x'],
      ['help', verb],
    ]) {
      const { commands } = await buildProgram(verbIn(args));
      expect(commands.map((command) => command.name())).toEqual([verb]);
      if (verb === 'show') continue; // The verb's own option --version replaces the option of the program.
      expect(commands[0]?.helpInformation()).toBe(whole.commands.find((one) => one.name() === verb)?.helpInformation());
    }
  }
});

test('the help of the program is complete even if no verb is loaded', async () => {
  for (const args of [[], ['--help'], ['plam'], ['help'], ['constructor']]) {
    const program = await buildProgram(verbIn(args));
    expect(program.helpInformation()).toBe(whole.helpInformation());
  }
});

test('commands.json is up to date with the commands (`npx vitest run bin/program.test.ts -u` updates it)', async () => {
  const index = indexOf(whole);
  const lines = index.verbs.map((verb) => `    ${JSON.stringify(verb)}`);
  const text = `{\n  "verbs": [\n${lines.join(',\n')}\n  ],\n  "arguments": ${JSON.stringify(index.arguments)}\n}\n`;
  await expect(text).toMatchFileSnapshot('completion/commands.json');
});

test.each([['--help'], ['--version'], ['completion', 'bash']])(
  'trawl %s %s loads no library of other commands',
  async (...args) => {
    const coverage = join(dir, args.join(''));
    execFileSync(process.execPath, [join(packageRoot(), 'dist', 'bin', 'main.js'), ...args], {
      env: { ...process.env, NODE_V8_COVERAGE: coverage },
    });
    const reports = (await readdir(coverage)).map((name) => readFileSync(join(coverage, name), 'utf8'));
    const urls = reports.flatMap((text) =>
      (JSON.parse(text) as { result: { url: string }[] }).result.map(({ url }) => url),
    );
    const packages = urls.flatMap((url) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? []);
    expect(urls.some((url) => url.endsWith('/dist/bin/program.js'))).toBe(true);
    expect([...new Set(packages)]).toEqual(['commander']);
  },
);

test.each(verbs)('%s --help prints examples and exit codes to stdout and succeeds', async (verb) => {
  const { stdout, stderr, exitCode } = await runTrawl(verb, '--help');
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  expect(stdout).toContain(`Usage: trawl ${verb}`);
  expect(stdout).toMatch(/Examples:\n {2}\S/);
  expect(stdout).toMatch(/Exit codes:\n {4}0 {2}\S/);
});

test('--version prints the version of the package', async () => {
  const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  expect(await runTrawl('--version')).toEqual({ stdout: `${version}\n`, stderr: '', exitCode: 0 });
});

test.each([
  [['plam'], "unknown command 'plam'", 'plan'],
  [['ls', '--servr', 'x'], "unknown option '--servr'", '--server'],
])('%s is rejected, and the error suggests the nearest name', async (args, message, nearest) => {
  const { stdout, stderr, exitCode } = await runTrawl(...args);
  expect(exitCode).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain(message);
  expect(stderr).toContain(`Did you mean ${nearest}?`);
});

test.each([
  [['plan']],
  [['plan', 'a.yaml', 'b.yaml']],
  [['kill']],
  [['ls', '-o', 'xml']],
  [['best', '--top', '0']],
  [['best', '--top', '1e3']],
  [['trials', '--goal', 'up']],
  [['trials', '--state', 'succeeded,dead']],
  [['trials', '--by', 'psnr', '--sort', 'psnr']],
  [['wait', '--timeout', '2']],
  [['ls', '--server', 'nowhere']],
  [['ls', '--server', 'a:1', '--dir', '.']],
  [['ls', '--dir', '/nonexistent']],
  [['plan', '/nonexistent.yaml']],
  [[]],
])('trawl %j is a usage error with exit code 2 and an empty stdout', async (args) => {
  const { stdout, stderr, exitCode } = await runTrawl(...args);
  expect(exitCode).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).not.toBe('');
  expect(stderr).not.toMatch(/\n {4}at /);
});

const SWEEP = `
name: sample
trainer: noop
metric: {name: test_loss, goal: minimize}
parameters:
  a: {values: [1, 2, 3]}
  b: {values: [1, 2]}
exclude: [{a: 3, b: 2}]
seeds: [0, 1]
`;

test('trawl plan counts axes, trials and excluded points without a server', async () => {
  const file = join(dir, 'sweep.yaml');
  await writeFile(file, SWEEP);
  const json = await runTrawl('plan', file, '-o', 'json');
  expect(json).toMatchObject({ stderr: '', exitCode: 0 });
  expect(JSON.parse(json.stdout)).toMatchObject({
    trials: 10,
    configs: 5,
    replicates: 2,
    axes: { a: 3, b: 2 },
    excluded: [{ count: 1 }],
    duplicates: 0,
  });
  const table = await runTrawl('plan', file);
  expect(table.stdout).toMatch(/^trials +10$/m);
  expect(table.stdout).toMatch(/^ +1 +a=3, b=2$/m);
});

test('trawl plan and trawl submit reject an invalid sweep file before they connect to a server', async () => {
  const file = join(dir, 'broken.yaml');
  await writeFile(file, SWEEP.replace('seeds', 'sedes'));
  for (const verb of ['plan', 'submit']) {
    const { stdout, stderr, exitCode } = await runTrawl(verb, file);
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 });
    expect(stderr).toMatch(/broken\.yaml:9:1: .*sedes.*seeds/);
  }
});

test('trawl schema prints a JSON Schema', async () => {
  const { stdout, exitCode } = await runTrawl('schema');
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toHaveProperty('$schema');
});
