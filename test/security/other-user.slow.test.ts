/**
 * A second, real user of the machine tries to use everything that trawl opens on the loopback interface, and to access
 * every file.
 */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { packageRoot } from '../../bin/package.ts';
import { readCoordinatorFile } from '../../lib/files/coordinator-file.ts';
import { readToken, tokenFile } from '../../lib/files/token-file.ts';
import { ArtifactServiceService } from '../../proto/gen/trawl/v1/artifact_service.ts';
import { AttemptServiceService } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { CodeServiceService } from '../../proto/gen/trawl/v1/code_service.ts';
import { OperationsServiceService } from '../../proto/gen/trawl/v1/operations_service.ts';
import { SweepServiceService } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { descendantsOf } from '../support/processes.ts';
import { startTrawl } from '../support/trawl.ts';
import { until } from '../support/until.ts';
import type { Targets } from './targets.ts';

interface Results {
  readonly grpc: Readonly<Record<string, number>>;
  readonly http: Readonly<Record<string, number>>;
  readonly nats: Readonly<Record<string, string>>;
  /** Each path, with the results of reading, listing and writing it. */
  readonly files: readonly (readonly [string, string, string, string])[];
  readonly environments: readonly string[];
  readonly commands: string;
}

const NOBODY = 65_534;
const UNAUTHENTICATED = 16;
const LIMIT_MS = 300_000;
const SWEEP = 'trainer: noop\nparameters: {x: {values: [1, 2]}, duration_ms: {value: 3600000}}\n';
const SERVICES: readonly ServiceDefinition[] = [
  SweepServiceService,
  ArtifactServiceService,
  CodeServiceService,
  AttemptServiceService,
  OperationsServiceService,
];
const METHODS = [
  ...SERVICES.flatMap((service) => Object.values(service).map(({ path }) => path)),
  '/grpc.health.v1.Health/Check',
  '/grpc.health.v1.Health/Watch',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
];

/** Runs the probe as another user, or as the current user. */
async function probe(targets: Targets, user?: number): Promise<Results> {
  const script = readFileSync(join(packageRoot(), 'test', 'security', 'probe.mjs'), 'utf8');
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: '/',
    env: { TARGETS: JSON.stringify(targets) },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(user === undefined ? {} : { uid: user, gid: user }),
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`the probe exited with code ${code}: ${output.stderr}`);
  return JSON.parse(output.stdout) as Results;
}

/** Checks that another user is rejected everywhere except at /healthz and /readyz, and that the owner is accepted. */
async function expectPrivate(
  targets: Omit<Targets, 'methods' | 'logins' | 'token' | 'natsPort'>,
  dirs: readonly string[],
  token: string,
  natsUrl: string,
): Promise<void> {
  const { port, username: user, password: pass } = new URL(natsUrl);
  const logins = { none: {}, user: { user }, guess: { user, pass: 'trawl' }, token: { auth_token: token } };
  const common = { ...targets, methods: METHODS, natsPort: Number(port) };
  const other = await probe({ ...common, logins, token: '' }, NOBODY);
  const guessing = await probe({ ...common, logins: {}, token: token.replace(/.$/, '~') }, NOBODY);
  for (const { grpc, http } of [other, guessing]) {
    expect(grpc).toEqual(Object.fromEntries(METHODS.map((path) => [path, UNAUTHENTICATED])));
    for (const [page, status] of Object.entries(http))
      expect(status, page).toBe(/\/(healthz|readyz)$/.test(page) ? 200 : 401);
  }
  for (const [name, answer] of Object.entries(other.nats)) expect(answer, name).toContain('Authorization Violation');
  expect(targets.files.length).toBeGreaterThan(10);
  for (const [path, ...codes] of other.files) expect(codes, path).toEqual(['EACCES', 'EACCES', 'EACCES']);
  expect(other.environments).toEqual(targets.pids.map(() => 'EACCES'));
  for (const secret of [token, pass]) expect(other.commands).not.toContain(secret);
  const sockets = readFileSync('/proc/net/unix', 'utf8');
  for (const dir of dirs) expect(sockets).not.toContain(dir);

  const owner = await probe({ ...common, files: [], pids: [], logins: { own: { user, pass } }, token });
  for (const path of METHODS) expect(owner.grpc[path], path).not.toBe(UNAUTHENTICATED);
  for (const [page, status] of Object.entries(owner.http)) expect(status, page).toBe(200);
  expect(owner.nats.own).toContain('PONG');
}

/**
 * Returns the paths of the folder and of everything in it. The other user cannot list the folder, so the probe gets
 * the paths from the test.
 */
function filesIn(dir: string): string[] {
  return [dir, ...readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((name) => join(dir, name))];
}

/** Creates a folder that every user can enter, so that only the permissions that trawl sets protect its content. */
function openFolder(): string {
  if (process.geteuid?.() !== 0) throw new Error('this test starts processes of a second user, which only root can do');
  const folder = testFolder();
  chmodSync(folder, 0o755);
  return folder;
}

test('with a coordinator and an agent, another user cannot call an RPC, log in to NATS, read a page other than the health pages, or open a file; the owner is accepted', {
  timeout: LIMIT_MS,
}, async () => {
  const folder = openFolder();
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('worker', 1);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, SWEEP));
  await until('a trial runs', async () => ((await cluster.sweep(sweep))?.counts?.running ?? 0) > 0);
  const [group] = JSON.parse(await cluster.page('/sd')) as { targets: string[] }[];
  const pages = ['/metrics', '/sd', '/healthz', '/readyz'].map((path) => `${new URL(path, cluster.metricsUrl)}`);
  const agentPages = ['/metrics', '/healthz', '/readyz'].map((path) => `http://${group?.targets[0]}${path}`);
  const dirs = [cluster.dir, join(folder, 'worker'), join(folder, 'nats')];
  // The URL of NATS is on the command lines of this test's own cluster, so only the command lines of `trawl up` are
  // checked.
  await expectPrivate(
    { grpc: cluster.address, pages: [...pages, ...agentPages], files: dirs.flatMap(filesIn), pids: [] },
    dirs,
    readToken(tokenFile(cluster.dir)),
    cluster.natsUrl,
  ).finally(() => cluster.run('kill', sweep, '-y'));
});

test('with trawl up, another user cannot call an RPC, log in to NATS, read a page other than the health pages, open a file, or read the environment of a process; the owner is accepted', {
  timeout: LIMIT_MS,
}, async () => {
  const folder = openFolder();
  const dir = join(folder, 'run');
  const up = startTrawl('up', sweepFile(folder, SWEEP), '--slots', '1', '--dir', dir);
  const { address, metrics } = await until('the coordinator is up', () => readCoordinatorFile(dir));
  const log = join(dir, 'logs', 'agent.log');
  await until(
    'the agent is connected',
    () => existsSync(log) && readFileSync(log, 'utf8').includes('joined a coordinator'),
  );
  const pages = ['/metrics', '/sd', '/healthz', '/readyz'].map((path) => `http://${metrics}${path}`);
  const token = readToken(tokenFile(dir));
  const ports = readdirSync(join(dir, 'nats')).find((name) => name.endsWith('.ports')) ?? '';
  const url = /nats:\/\/([^"]+)/.exec(readFileSync(join(dir, 'nats', ports), 'utf8'))?.[1];
  const password = readFileSync(join(dir, 'nats', 'password'), 'utf8').trim();
  const pids = [up.pid, ...descendantsOf(up.pid)];
  await expectPrivate(
    { grpc: address, pages, files: filesIn(dir), pids },
    [dir],
    token,
    `nats://trawl:${password}@${url}`,
  ).finally(() => up.kill('SIGINT'));
});
