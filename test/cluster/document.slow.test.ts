/**
 * Runs the commands of docs/cluster.md on four machines. Only `scp` is replaced, with a program that copies files
 * between the home folders of the machines and needs no password.
 */
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findNatsBinary } from '../../bin/local/find-nats-server.ts';
import { packageRoot } from '../../bin/package.ts';
import { type Daemon, logEnd } from '../support/daemon.ts';
import { testFolder } from '../support/folder.ts';
import { Prometheus, prometheusMissing } from '../support/prometheus.ts';
import { isSkipped } from '../support/requirements.ts';
import { readStore } from '../support/stored.ts';
import { TRAWL } from '../support/trawl.ts';
import { until } from '../support/until.ts';
import { blocksOf, type CodeBlock } from './document.ts';
import { machinesMissing } from './ip.ts';
import type { Machine } from './machine.ts';
import { Network } from './network.ts';

const LIMIT_MS = 400_000;
const MACHINES = ['head', 'gpu-1', 'gpu-2'];
const MONITOR = 'monitor';
const UP: Readonly<Record<string, string>> = {
  head: 'the coordinator is up',
  'gpu-1': 'joined a coordinator',
  'gpu-2': 'joined a coordinator',
};
const SCP = `#!/bin/sh
shift
for target; do :; done
while [ $# -gt 1 ]; do
  cp -r "$1" "$TEST_MACHINES/\${target%%:*}/\${target#*:}"
  shift
done
`;

const document = readFileSync(join(packageRoot(), 'docs', 'cluster.md'), 'utf8');
const [toTheRanking = '', onPrometheus = ''] = document.split('\n## Prometheus\n');

test('docs/cluster.md needs at most ten commands from the start to a ranked sweep', () => {
  const blocks = blocksOf(toTheRanking);
  const commands = blocks.flatMap((block) => (block.kind === 'commands' ? block.lines : []));
  expect(commands.length).toBeGreaterThan(0);
  expect(commands.length).toBeLessThanOrEqual(10);
  expect(commands.at(-1)).toMatch(/^trawl best /);
});

const skipped = isSkipped(machinesMissing());

test.skipIf(skipped)(
  'the commands of docs/cluster.md produce a ranked sweep, and Prometheus scrapes every part of the cluster',
  { timeout: LIMIT_MS },
  async () => {
    const folder = testFolder();
    const network = await Network.create(join(folder, 'machines'), [...MACHINES, MONITOR]);
    const runner = new CommandRunner(network, await programs(folder), join(folder, 'machines'));
    for (const block of blocksOf(toTheRanking)) await runner.follow(block);
    const ranking = readFileSync(network.machine('head').log(runner.lastLog), 'utf8');
    expect(ranking).toMatch(/sweep 1 \(latent\) finished: 6 succeeded/);
    const ranked = ranking.slice(ranking.indexOf('succeeded'));
    for (const latentDim of [15, 30, 50]) expect(ranked).toMatch(new RegExp(`\\b${latentDim}\\b.* ± `));

    const noPrometheus = await prometheusMissing();
    if (noPrometheus === undefined) await expectScrapes(network, runner);
    else console.warn(`Prometheus is skipped: ${noPrometheus}`);

    const { trials, attempts } = await storeOf(network.machine('head'));
    expect(trials.map(({ state, attempts }) => `${state} ${attempts}`)).toEqual(Array(6).fill('succeeded 1'));
    expect(new Set(attempts.map(({ agent }) => agent))).toEqual(new Set(['gpu-1', 'gpu-2']));
  },
);

class CommandRunner {
  readonly #network: Network;
  readonly #environment: readonly string[];
  #typed = 0;

  /** @param bin folder of the programs on each machine */
  constructor(network: Network, bin: string, machines: string) {
    this.#network = network;
    this.#environment = [`PATH=${bin}:${process.env.PATH}`, `TEST_MACHINES=${machines}`];
  }

  get lastLog(): string {
    return `typed-${this.#typed}`;
  }

  /**
   * Writes the file of the block on the machine `fileOn`, or runs the commands of the block until they end or their
   * service is ready.
   */
  async follow(block: CodeBlock, fileOn = 'head'): Promise<void> {
    if (block.kind === 'file') return writeFileSync(this.#network.machine(fileOn).path(block.name), block.text);
    const machine = this.#network.machine(block.machine);
    const up = block.lines.some((line) => line.endsWith('&')) ? UP[block.machine] : undefined;
    if (up !== undefined) {
      const shell = await this.openShell(machine, block.lines);
      return waitForOutput(machine, this.lastLog, up, shell);
    }
    expect(await machine.run(...this.#terminal(block.lines)), logEnd(machine.log(this.lastLog))).toBe(0);
  }

  /** Runs lines in a shell that waits for the programs that the lines start in the background. */
  openShell(machine: Machine, lines: readonly string[]): Promise<Daemon> {
    return machine.start(...this.#terminal([...lines, 'wait']));
  }

  #terminal(lines: readonly string[]): [log: string, ...command: [string, ...string[]]] {
    this.#typed += 1;
    return [this.lastLog, 'env', ...this.#environment, 'bash', '-ec', lines.join('\n')];
  }
}

async function waitForOutput(machine: Machine, log: string, what: string, shell: Daemon): Promise<void> {
  let ended = false;
  void shell.exited.then(() => {
    ended = true;
  });
  await until(`the output on ${machine.name} contains "${what}"`, () => {
    if (ended) throw new Error(`the command ended:\n${logEnd(machine.log(log))}`);
    return readFileSync(machine.log(log), 'utf8').includes(what);
  });
}

/** Creates a folder with the programs `trawl`, `nats-server` and `scp`, and returns its path. */
async function programs(folder: string): Promise<string> {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const script = (name: string, text: string) => {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  };
  script('trawl', `#!/bin/sh\nexec '${process.execPath}' '${TRAWL}' "$@"\n`);
  script('scp', SCP);
  symlinkSync((await findNatsBinary({ install: false })).path, join(bin, 'nats-server'));
  return bin;
}

/**
 * Checks that Prometheus scrapes every part of the cluster with the configuration from the document. Only the intervals
 * are shortened.
 */
async function expectScrapes(network: Network, runner: CommandRunner): Promise<void> {
  const monitor = network.machine(MONITOR);
  for (const block of blocksOf(onPrometheus)) {
    if (block.kind === 'file') {
      await runner.follow({ ...block, text: block.text.replaceAll(': 15s', ': 1s') }, MONITOR);
    } else if (block.machine === MONITOR) {
      await runner.openShell(monitor, block.lines);
    } else await runner.follow(block);
  }
  const prometheus = await Prometheus.at(`http://${monitor.address}:9090`);
  const seen = await until('every target is up', async () => {
    const targets = await prometheus.targets();
    return targets.length === MACHINES.length && targets.every(({ health }) => health === 'up') && targets;
  });
  const names = seen.map(({ labels }) => `${labels.job} ${labels.instance}`).sort();
  expect(names).toEqual(['trawl-agent gpu-1', 'trawl-agent gpu-2', 'trawl-coordinator head:9464']);
  await until('the sweep is in Prometheus', async () => {
    const [sample] = await prometheus.range('trawl_agents{state="connected"}', 60, 1);
    return sample?.values.at(-1)?.[1] === '2';
  });
}

/** Simulates a power failure of a machine, and reads the store from its disk. */
async function storeOf(machine: Machine) {
  await machine.fail();
  return readStore(machine.path('trawl-data'));
}
