/** Extracts the commands and files of a document from its code blocks, and runs them on simulated machines. */
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { marked, type Token } from 'marked';
import { expect } from 'vitest';
import { findNatsBinary } from '../../bin/local/find-nats-server.ts';
import { packageRoot } from '../../bin/package.ts';
import { type Daemon, logEnd } from '../support/daemon.ts';
import { TRAWL } from '../support/trawl.ts';
import { until } from '../support/until.ts';
import type { Machine } from './machine.ts';
import type { Network } from './network.ts';

const document = readFileSync(join(packageRoot(), 'docs', 'cluster.md'), 'utf8');

/** The parts of docs/cluster.md: a cluster with one coordinator, and a cluster with a standby coordinator. */
export const [FIRST_FORM = '', SECOND_FORM = ''] = document.split('\n## If the head node may fail too\n');

/** Maps each command that starts a service to a pattern. If the output matches the pattern, the service is up. */
const UP: Readonly<Record<string, RegExp>> = {
  'trawl coordinator ': /the coordinator is up|the coordinator stands by/,
  'trawl agent ': /joined a coordinator/,
};
const SCP = `#!/bin/sh
shift
for target; do :; done
while [ $# -gt 1 ]; do
  cp -r "$1" "$TEST_MACHINES/\${target%%:*}/\${target#*:}"
  shift
done
`;

export type CodeBlock =
  | { readonly kind: 'commands'; readonly machine: string; readonly lines: readonly string[] }
  | { readonly kind: 'file'; readonly name: string; readonly text: string };

/**
 * Returns the code blocks that begin with "```sh MACHINE" or "```yaml FILE", in order. Ignores blocks that name no
 * machine or file.
 */
export function blocksOf(markdown: string): CodeBlock[] {
  return marked.lexer(markdown).flatMap((token: Token): CodeBlock[] => {
    if (token.type !== 'code') return [];
    const [language, place] = `${token.lang ?? ''}`.split(' ');
    if (place === undefined) return [];
    if (language === 'sh') return [{ kind: 'commands', machine: place, lines: commandsIn(token.text) }];
    return [{ kind: 'file', name: place, text: `${token.text}\n` }];
  });
}

function commandsIn(text: string): string[] {
  return text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'));
}

export class CommandRunner {
  readonly #network: Network;
  readonly #environment: readonly string[];
  #typed = 0;

  /** @param bin the folder with the programs, which is on the PATH of each machine */
  constructor(network: Network, bin: string, machines: string) {
    this.#network = network;
    this.#environment = [`PATH=${bin}:${process.env.PATH}`, `TEST_MACHINES=${machines}`];
  }

  get lastLog(): string {
    return `typed-${this.#typed}`;
  }

  /**
   * Writes the file of a block to the machine `fileOn`, or runs the commands of a block on their machine. The commands
   * run until they end, or until the service that they start is up.
   */
  async follow(block: CodeBlock, fileOn = 'head'): Promise<void> {
    if (block.kind === 'file') return writeFileSync(this.#network.machine(fileOn).path(block.name), block.text);
    const machine = this.#network.machine(block.machine);
    const services = Object.keys(UP).filter((service) => block.lines.some((line) => line.includes(service)));
    const up = services.map((service) => UP[service])[0];
    if (up !== undefined) {
      const shell = await this.openShell(machine, block.lines);
      return waitForOutput(machine, this.lastLog, up, shell);
    }
    expect(await machine.run(...this.#terminal(block.lines)), logEnd(machine.log(this.lastLog))).toBe(0);
  }

  /** Runs lines in a shell. The shell also waits for the programs that the lines start in the background. */
  openShell(machine: Machine, lines: readonly string[]): Promise<Daemon> {
    return machine.start(...this.#terminal([...lines, 'wait']));
  }

  #terminal(lines: readonly string[]): [log: string, ...command: [string, ...string[]]] {
    this.#typed += 1;
    return [this.lastLog, 'env', ...this.#environment, 'bash', '-ec', lines.join('\n')];
  }
}

async function waitForOutput(machine: Machine, log: string, what: RegExp, shell: Daemon): Promise<void> {
  let ended = false;
  void shell.exited.then(() => {
    ended = true;
  });
  await until(`the output on ${machine.name} contains ${what}`, () => {
    if (ended) throw new Error(`the command ended:\n${logEnd(machine.log(log))}`);
    return what.test(readFileSync(machine.log(log), 'utf8'));
  });
}

/** Creates a folder with the programs `trawl`, `nats-server` and `scp`, and returns its path. */
export async function programs(folder: string): Promise<string> {
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
