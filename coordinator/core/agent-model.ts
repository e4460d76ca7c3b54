import type { GpuFigures, MachineFigures } from '../../proto/gen/trawl/v1/types.ts';
import type { Labels } from '../../proto/limits.ts';

/** The hardware of a slot. */
export interface SlotFacts {
  /** GPUs that the slot's worker sees. */
  readonly gpus: number;
  /** Bytes of memory on each of these GPUs. */
  readonly vramBytes: number;
}

export interface Agent {
  readonly id: string;
  incarnation: string;
  /** Identifies the agent's folder. */
  instance: string;
  /** Differs between copies of a folder. */
  location: string;
  host: string;
  version: string;
  slots: number;
  /** Number of trials that one slot can train as a pack. 1 means that the agent does not train packs. */
  pack: number;
  backend: string;
  gpus: readonly string[];
  labels: Labels;
  /** Trainers that the agent supports. */
  trainers: readonly string[];
  /** The hardware of each slot. Empty if the slots have no GPU. */
  slotFacts: readonly SlotFacts[];
  /** The pool of each slot. */
  pools: readonly string[];
  /** Measurements of the last heartbeat. The measurements are displayed, but not used in any decision. */
  gpuFigures?: readonly GpuFigures[];
  machineFigures?: MachineFigures | undefined;
  /** HOST:PORT of the agent's Prometheus metrics. Empty if the agent serves no metrics. */
  metrics: string;
  /** When the agent's certificate expires; for display only. Undefined without TLS. */
  certificateExpires?: number | undefined;
  /** Whether the agent's slots form pools of their own, because some trials must not run on the agent. */
  isolated: boolean;
  state: 'connected' | 'lost' | 'left';
  /** The agent is shutting down and takes no new work. */
  leaving: boolean;
  /** Whether the stream of this incarnation has ended. A new stream begins with a hello. */
  disconnected: boolean;
  connectedAt: number;
  lastHeardAt: number;
  /** When the agent was last stored. */
  storedAt: number;
}

/** Facts about an agent that the store keeps. */
export interface AgentFacts {
  /** Empty if an older trawl stored the facts. */
  readonly instance: string;
  readonly location: string;
  readonly host: string;
  readonly version: string;
  readonly slots: number;
  readonly backend: string;
  readonly gpus: readonly string[];
  readonly state: 'connected' | 'lost' | 'left';
  readonly connectedAt: number;
  readonly lastHeardAt: number;
}

/** A user's request that an agent take no new work. */
export interface Drain {
  /** Time at which the agent hands back the attempts that still run. */
  readonly graceEndsAt: number;
  /** When the remaining grace was last stored. */
  storedAt: number;
  /** The reason for display. May be empty. */
  readonly reason: string;
  /** The user who drained the agent; may be empty. */
  readonly by: string;
  /** When the agent was drained; 0 if unknown. */
  readonly since: number;
}

/**
 * An agent on which trials failed and then succeeded elsewhere. The agent runs only probes while other agents can run
 * the trials.
 */
export interface Quarantine {
  /** The sweeps whose trials failed on the agent. With two sweeps, the quarantine applies to all sweeps. */
  readonly sweepIds: readonly string[];
  readonly since: number;
  readonly reason: string;
  /** Probes that have failed. */
  readonly failedProbes: number;
  /** When the next probe may be offered. */
  readonly probeAt: number;
}
