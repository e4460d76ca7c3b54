/** Injects the faults of a scenario. */
import type { Clock } from './clock.ts';
import { COORDINATOR_PLACE, type SimulatedCoordinator } from './coordinator.ts';
import type { Grpc } from './grpc.ts';
import type { SimulatedMachine } from './machine.ts';
import type { SimulatedNatsServer } from './nats-server.ts';
import type { SimulatedNetwork } from './network.ts';
import type { SimulatedProcess } from './process.ts';
import type { ClusterFault } from './scenario.ts';
import type { SharedDatabase } from './shared-database.ts';

const DEATH_POINT_MS = 5_000;

/** The parts of the simulation that faults change. */
interface FaultTargets {
  readonly clock: Clock;
  readonly network: SimulatedNetwork;
  readonly grpc: Grpc;
  readonly nats: SimulatedNatsServer;
  readonly coordinators: ReadonlyMap<string, SimulatedCoordinator>;
  /** The store that several coordinators share. */
  readonly database: SharedDatabase | undefined;
  readonly machines: ReadonlyMap<string, SimulatedMachine>;
  /** How long each killed process stays down, in milliseconds. */
  readonly downMs: Map<string, number>;
  process(place: string): SimulatedProcess | undefined;
}

export function injectFault(fault: ClusterFault, world: FaultTargets): void {
  const { clock, network, grpc, nats, coordinators, machines } = world;
  const process = 'place' in fault ? world.process(fault.place) : undefined;
  switch (fault.kind) {
    case 'kill':
      world.downMs.set(fault.place, fault.ms);
      if (process === undefined || fault.deathPoint === 'now') {
        process?.kill();
        break;
      }
      process.deathPoint =
        fault.deathPoint === 'sending' ? { at: fault.deathPoint, left: fault.left } : { at: fault.deathPoint };
      clock.after(DEATH_POINT_MS, undefined, () => {
        process.deathPoint = undefined;
      });
      break;
    case 'stop agent':
      world.downMs.set(fault.place, fault.ms);
      clock.after(0, process, () => machines.get(fault.place)?.stop(fault.graceMs));
      break;
    case 'lose power':
      world.downMs.set(fault.place, fault.ms);
      process?.kill();
      machines.get(fault.place)?.losePower();
      break;
    case 'agent leaves':
      world.downMs.set(fault.place, Number.POSITIVE_INFINITY);
      process?.kill();
      machines.get(fault.place)?.leave();
      break;
    case 'kill worker':
      clock.after(0, process, () => machines.get(fault.place)?.killWorker(fault.slot));
      break;
    case 'nats dies':
      world.downMs.set('nats', fault.ms);
      nats.process.kill();
      break;
    case 'nats loses':
      nats.loseMessages(fault.share);
      break;
    case 'nats sticks':
      nats.stickMessages(fault.share);
      break;
    case 'nats forgets':
      nats.loseQueues();
      break;
    case 'cut':
      network.cut(fault.from, fault.to, fault.both);
      clock.after(fault.ms, undefined, () => network.repair(fault.from, fault.to));
      break;
    case 'streams break':
      grpc.breakStreams((stream) => stream.agent.name === fault.place);
      break;
    case 'freeze':
      process?.freeze(clock.now + fault.ms);
      break;
    case 'disk full': {
      const disk =
        fault.place === COORDINATOR_PLACE ? coordinators.get(fault.place)?.disk : machines.get(fault.place)?.disk;
      if (disk === undefined) break;
      disk.full = true;
      clock.after(fault.ms, undefined, () => {
        disk.full = false;
      });
      break;
    }
    case 'clock jumps':
      for (const coordinator of coordinators.values()) {
        coordinator.clockOffMs += fault.byMs;
        if (fault.restarts) coordinator.process?.kill();
      }
      break;
    case 'store fails over':
      world.database?.failOver(fault.ms, fault.clockOffMs);
      break;
    case 'freeze in transaction':
      world.database?.freezeInTransaction(fault.place, clock.now + fault.ms);
      break;
    case 'hand over':
      world.downMs.set(fault.place, fault.ms);
      clock.after(0, process, () => {
        coordinators
          .get(fault.place)
          ?.stop()
          .catch(() => process?.kill());
      });
      break;
  }
}
