/**
 * Runs the commands of docs/cluster.md for a cluster with a standby coordinator, on four machines. PostgreSQL and the
 * S3-compatible server run outside these machines.
 */
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { testFolder } from '../support/folder.ts';
import { PostgresServer, postgresMissing } from '../support/postgres-server.ts';
import { startProxy } from '../support/proxy.ts';
import { isSkipped } from '../support/requirements.ts';
import { S3_CREDENTIALS, s3ServerMissing, startS3Server } from '../support/s3-server.ts';
import { until } from '../support/until.ts';
import { blocksOf, type CodeBlock, CommandRunner, FIRST_FORM, programs, SECOND_FORM } from './document.ts';
import { machinesMissing } from './ip.ts';
import { Network } from './network.ts';

const LIMIT_MS = 400_000;
const MACHINES = ['head-1', 'head-2', 'gpu-1', 'gpu-2'];
const STORES = 'store.env';

const blocks = blocksOf(SECOND_FORM.split('\n### ')[0] ?? '');

test('the cluster with two head nodes in docs/cluster.md needs at most fourteen commands from the start to a ranked sweep', () => {
  const commands = blocks.flatMap((block) => (block.kind === 'commands' ? block.lines : []));
  expect(commands.length).toBeGreaterThan(0);
  expect(commands.length).toBeLessThanOrEqual(14);
  expect(commands.at(-1)).toMatch(/^trawl best /);
});

const skipped = isSkipped(machinesMissing() ?? postgresMissing() ?? s3ServerMissing());

test.skipIf(skipped)(
  'the commands for two head nodes in docs/cluster.md produce a ranked sweep, which survives the loss of the first head node',
  { timeout: LIMIT_MS },
  async () => {
    const folder = testFolder();
    const network = await Network.create(join(folder, 'machines'), MACHINES);
    const runner = new CommandRunner(network, await programs(folder), join(folder, 'machines'));
    const stores = await startStores(network, join(folder, 's3'));
    for (const block of [...blocksOf(FIRST_FORM).flatMap(shortSweep), ...blocks]) {
      if (block.kind !== 'file' || block.name !== STORES) await runner.follow(block, 'head-1');
      else {
        const names = [...block.text.matchAll(/^(\w+)=/gm)].map(([, name]) => name);
        expect(names).toEqual(Object.keys(stores));
        const lines = Object.entries(stores).map(([name, value]) => `${name}='${value}'\n`);
        await runner.follow({ ...block, text: lines.join('') }, 'head-1');
      }
    }
    const [first, other] = [network.machine('head-1'), network.machine('gpu-2')];
    const ranking = readFileSync(first.log(runner.lastLog), 'utf8');
    expect(ranking).toMatch(/sweep 1 \(latent\) finished: 6 succeeded/);
    const ranked = ranking.slice(ranking.indexOf('succeeded'));
    for (const latentDim of [15, 30, 50]) expect(ranked).toMatch(new RegExp(`\\b${latentDim}\\b.* ± `));

    cpSync(first.path('trawl-certs', 'user-ann'), other.path('user-ann'), { recursive: true });
    await first.fail();
    const best = { kind: 'commands', machine: other.name, lines: ['trawl best --identity user-ann'] } as const;
    await until('the standby shows the sweep', () =>
      runner.follow(best).then(
        () => true,
        () => false,
      ),
    );
    expect(readFileSync(other.log(runner.lastLog), 'utf8')).toContain('test_loss');
  },
);

/**
 * If the block is the sweep file, returns it with less data and fewer epochs, because this test does not check the
 * training. Otherwise returns an empty list.
 */
function shortSweep(block: CodeBlock): CodeBlock[] {
  if (block.kind !== 'file' || block.name !== 'sweep.yaml') return [];
  return [
    {
      ...block,
      text: block.text.replace('value: 1280', 'value: 128').replace('epochs: {value: 2}', 'epochs: {value: 1}'),
    },
  ];
}

/**
 * Starts PostgreSQL and an S3-compatible server. Returns the environment variables with which the coordinators use both
 * servers.
 */
async function startStores(network: Network, s3Folder: string): Promise<Record<string, string>> {
  const postgres = await PostgresServer.start();
  onTestFinished(() => postgres.close());
  const s3 = await startS3Server(s3Folder);
  onTestFinished(() => s3.stop());
  const reachable = (target: string) => startProxy(target, undefined, network.address);
  const store = new URL(await postgres.createDatabase('trawl'));
  const database = await reachable(store.host);
  const objects = await reachable(new URL(s3.url).host);
  return {
    TRAWL_STORE: `postgres://${store.username}@${database.address}/trawl?sslmode=disable`,
    PGPASSWORD: decodeURIComponent(store.password),
    TRAWL_ARTIFACT_STORE: `s3://trawl/lab?endpoint=http://${objects.address}`,
    ...S3_CREDENTIALS,
  };
}
