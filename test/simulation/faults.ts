/** Injects the faults of a scenario. */
import { COORDINATOR } from './coordinator.ts';
import type { Fault } from './scenario.ts';
import type { Simulation } from './simulation.ts';

const FUSE_MS = 5_000;

export function injectFault(fault: Fault, world: Simulation): void {
  const { clock, network, grpc, nats, coordinator, machines } = world;
  const process = 'place' in fault ? world.process(fault.place) : undefined;
  switch (fault.kind) {
    case 'kill':
      world.downMs.set(fault.place, fault.ms);
      if (process === undefined || fault.fuse === 'now') {
        process?.kill();
        break;
      }
      process.fuse = fault.fuse === 'sending' ? { at: fault.fuse, left: fault.left } : { at: fault.fuse };
      clock.after(FUSE_MS, undefined, () => {
        process.fuse = undefined;
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
      const disk = fault.place === COORDINATOR ? coordinator.disk : machines.get(fault.place)?.disk;
      if (disk === undefined) break;
      disk.full = true;
      clock.after(fault.ms, undefined, () => {
        disk.full = false;
      });
      break;
    }
    case 'clock jumps':
      coordinator.clockOffMs += fault.byMs;
      if (fault.restarts) coordinator.process?.kill();
      break;
  }
}
