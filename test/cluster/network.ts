/**
 * A network of simulated machines. Each machine has its own network namespace, and an address on a bridge. This process
 * is also connected to the bridge. Creating a network also removes networks that a killed test left behind.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { alive, killNow } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { ip, pidsIn, tryIp } from './ip.ts';
import { Machine } from './machine.ts';

const BRIDGE = /^trawl(\d+)$/;
const OWNER = /^trawl test (\d+)$/;
/** The maximum number of networks. Each uses a subnet of 198.18.0.0/15, which is reserved for network tests. */
const MAX_NETWORKS = 200;

interface Link {
  readonly ifname: string;
  readonly ifalias?: string;
}

export class Network {
  readonly #number: number;
  readonly #machines = new Map<string, Machine>();

  private constructor(number: number) {
    this.#number = number;
  }

  /**
   * @param folder the parent of the machines' home folders
   * @param names the host names of the machines
   */
  static async create(folder: string, names: readonly string[]): Promise<Network> {
    await removeOrphans();
    const network = new Network(freeNumber());
    onTestFinished(() => removeNetwork(network.#number));
    const bridge = `trawl${network.#number}`;
    ip('addr', 'add', `${network.address}/24`, 'dev', bridge);
    ip('link', 'set', bridge, 'up');
    const addresses = names.map((name, at) => ({ name, address: `198.18.${network.#number}.${at + 1}` }));
    for (const [at, { name, address }] of addresses.entries()) {
      const plug = `${bridge}-${at + 1}`;
      const namespace = `${bridge}-${name}`;
      ip('netns', 'add', namespace);
      ip('link', 'add', plug, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
      ip('link', 'set', plug, 'master', bridge, 'up');
      ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
      for (const link of ['lo', 'eth0']) ip('-n', namespace, 'link', 'set', link, 'up');
      const home = join(folder, name);
      mkdirSync(home, { recursive: true });
      network.#machines.set(name, new Machine({ name, address, namespace, plug, folder: home, hosts: addresses }));
    }
    return network;
  }

  /** The address of this process. */
  get address(): string {
    return `198.18.${this.#number}.254`;
  }

  machine(name: string): Machine {
    const machine = this.#machines.get(name);
    if (machine === undefined) throw new Error(`there is no machine ${name}`);
    return machine;
  }
}

/** Reserves a free number for a network by creating the bridge of the network. */
function freeNumber(): number {
  for (let number = 0; number < MAX_NETWORKS; number += 1) {
    if (tryIp('link', 'add', 'name', `trawl${number}`, 'type', 'bridge')) {
      ip('link', 'set', 'dev', `trawl${number}`, 'alias', `trawl test ${process.pid}`);
      return number;
    }
  }
  throw new Error(`could not create a network: "ip link add" fails, or ${MAX_NETWORKS} networks exist already`);
}

async function removeOrphans(): Promise<void> {
  for (const { ifname, ifalias } of links('type', 'bridge')) {
    const number = BRIDGE.exec(ifname)?.[1];
    const owner = OWNER.exec(ifalias ?? '')?.[1];
    if (number !== undefined && owner !== undefined && alive([Number(owner)]).length === 0) {
      await removeNetwork(Number(number));
    }
  }
}

async function removeNetwork(number: number): Promise<void> {
  const bridge = `trawl${number}`;
  const namespaces = ip('netns', 'list')
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name.startsWith(`${bridge}-`));
  for (const namespace of namespaces) {
    await until(`the processes of ${namespace} are gone`, () => {
      const left = pidsIn(namespace);
      for (const pid of left) killNow(pid);
      return left.length === 0;
    });
    tryIp('netns', 'del', namespace);
  }
  // A deleted namespace keeps its cable until its last connection has timed out, so the cables are deleted separately.
  for (const { ifname } of links()) if (ifname.startsWith(`${bridge}-`)) tryIp('link', 'del', ifname);
  tryIp('link', 'del', bridge);
}

function links(...filter: string[]): Link[] {
  return JSON.parse(ip('-json', 'link', 'show', ...filter) || '[]') as Link[];
}
