/**
 * A simulated machine with its own address, name, home folder and processes. The simulated machine shares the disk and
 * the programs of the real machine.
 */
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnBound } from '../../bin/local/child-process.ts';
import { type Daemon, startProgram } from '../support/daemon.ts';
import { killNow } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { ip, pidsIn, tryIp } from './ip.ts';

/**
 * The script that starts a program on the machine. The script replaces /etc/hosts, so that the machine resolves the
 * names of the network without a DNS server.
 */
const BOOT = `
mount --bind "$1/.hosts" /etc/hosts
mount --bind "$1/.resolv.conf" /etc/resolv.conf
hostname "$2"
cd "$1"
export HOME="$1"
unset TRAWL_SERVER TRAWL_NATS TRAWL_IDENTITY TRAWL_DATA XDG_CACHE_HOME XDG_STATE_HOME
shift 2
exec "$@"
`;

/** No machine has this MAC address, so packets to this address are lost. */
const UNUSED_MAC = '02:00:00:00:de:ad';

interface MachineParts {
  readonly name: string;
  readonly address: string;
  readonly namespace: string;
  /** The name of the network interface at the bridge's end of the machine's virtual cable. */
  readonly plug: string;
  readonly folder: string;
  /** All machines of the network. */
  readonly hosts: readonly { readonly name: string; readonly address: string }[];
}

export class Machine {
  readonly name: string;
  readonly address: string;
  readonly folder: string;
  readonly #namespace: string;
  readonly #plug: string;

  constructor({ name, address, namespace, plug, folder, hosts }: MachineParts) {
    this.name = name;
    this.address = address;
    this.folder = folder;
    this.#namespace = namespace;
    this.#plug = plug;
    const known = hosts.map((host) => `${host.address} ${host.name}\n`);
    writeFileSync(join(folder, '.hosts'), `127.0.0.1 localhost\n${known.join('')}`);
    writeFileSync(join(folder, '.resolv.conf'), '');
  }

  /** Returns the path of a file in the home folder, or of the home folder itself. */
  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  /**
   * Starts a program in the home folder. The output goes to the log with the name `log`. The program is killed at the
   * end of the test.
   */
  start(log: string, program: string, ...args: string[]): Promise<Daemon> {
    return startProgram(this.log(log), 'ip', [...this.#boot(), program, ...args]);
  }

  /**
   * Runs a program to its end.
   * @returns the exit code of the program
   */
  async run(log: string, program: string, ...args: string[]): Promise<number> {
    const output = openSync(this.log(log), 'a');
    const shell = spawnBound('ip', [...this.#boot(), program, ...args], output);
    closeSync(output);
    shell.stdin?.on('error', () => {});
    const [code] = await once(shell, 'exit');
    return code;
  }

  log(name: string): string {
    return this.path(`${name}.log`);
  }

  /** Simulates a power failure: everything stops at once, without notice. */
  async fail(): Promise<void> {
    this.unplug();
    await until(`the processes of ${this.name} are gone`, () => {
      const left = pidsIn(this.#namespace);
      for (const pid of left) killNow(pid);
      return left.length === 0;
    });
  }

  /** Suspends every process. The connections remain open. */
  suspend(): void {
    // The second pass suspends processes that were started during the first pass.
    for (let pass = 0; pass < 2; pass += 1) this.#signal('SIGSTOP');
  }

  resume(): void {
    this.#signal('SIGCONT');
  }

  #signal(signal: NodeJS.Signals): void {
    for (const pid of pidsIn(this.#namespace)) {
      try {
        process.kill(pid, signal);
      } catch {
        // The process has ended.
      }
    }
  }

  unplug(): void {
    ip('link', 'set', this.#plug, 'down');
  }

  plugIn(): void {
    ip('link', 'set', this.#plug, 'up');
  }

  /** From now on, silently drops everything that is sent to the other machine. */
  cutLinkTo(other: Machine): void {
    ip(
      '-n',
      this.#namespace,
      'neigh',
      'replace',
      other.address,
      'lladdr',
      UNUSED_MAC,
      'nud',
      'permanent',
      'dev',
      'eth0',
    );
  }

  restoreLinkTo(other: Machine): void {
    tryIp('-n', this.#namespace, 'neigh', 'del', other.address, 'dev', 'eth0');
  }

  #boot(): string[] {
    const own = ['unshare', '--mount', '--uts', 'sh', '-ec', BOOT, 'trawl-boot', this.folder, this.name];
    return ['netns', 'exec', this.#namespace, ...own];
  }
}

/** Drops all messages between a machine and the other machines, in both directions. */
export function cutLinks(one: Machine, others: readonly Machine[]): void {
  for (const other of others) {
    one.cutLinkTo(other);
    other.cutLinkTo(one);
  }
}

export function restoreLinks(one: Machine, others: readonly Machine[]): void {
  for (const other of others) {
    one.restoreLinkTo(other);
    other.restoreLinkTo(one);
  }
}
