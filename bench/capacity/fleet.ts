/** Runs many agents in one process. Each agent has its own spool, NATS connection and stream to the coordinator. */
import { join } from 'node:path';
import type { NatsConnection } from 'nats';
import { pino } from 'pino';
import { AgentRuntime } from '../../agent/supervisor/agent.ts';
import { coordinatorClient } from '../../agent/supervisor/coordinator-client.ts';
import { openSpool } from '../../agent/supervisor/spool.ts';
import { awaitNats, closeNats } from '../../lib/net/connect-nats.ts';
import { NO_TOKENS } from '../../lib/net/token-source.ts';
import { PROTOCOL } from '../../proto/protocol.ts';
import { PacedWorker } from './paced-worker.ts';

export interface FleetOptions {
  readonly agents: number;
  /** The number of slots per agent. */
  readonly slots: number;
  /** HOST:PORT of the coordinator. */
  readonly server: string;
  readonly natsUrl: string;
  /** The folder that contains the folders of the agents. */
  readonly folder: string;
}

export class Fleet {
  readonly #connections: NatsConnection[] = [];
  readonly #agents: AgentRuntime[] = [];

  /** Starts the agents and waits until all are connected. */
  static async start({ agents, slots, server, natsUrl, folder }: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet();
    const log = pino({ level: 'silent' });
    for (let at = 0; at < agents; at++) {
      const id = `agent-${at}`;
      const dir = join(folder, id);
      const nats = await awaitNats(natsUrl, id, undefined, log);
      fleet.#connections.push(nats);
      const process = { agentId: id, incarnation: `${id}#1`, instance: id, location: '', protocol: PROTOCOL };
      const identity = { ...process, version: '0', host: id, metrics: '' };
      const slotFacts = Array.from({ length: slots }, () => ({ gpus: 0, vramBytes: 0 }));
      const agent = new AgentRuntime({
        dir,
        server,
        nats,
        log,
        gpuFigures: () => [],
        spool: openSpool(dir).spool,
        hello: { ...identity, slots, gpus: [], labels: {}, slotFacts, trainers: ['noop'] },
        connect: () => coordinatorClient([server], () => undefined, NO_TOKENS),
        startWorker: (_slot, events) => new PacedWorker(events),
        onUnreadableOffer: () => {},
        onDatasetUse: () => {},
      });
      fleet.#agents.push(agent);
      await agent.up();
    }
    return fleet;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.stop()));
    await Promise.all(this.#connections.map(closeNats));
  }
}
