import type { GpuFigures, MachineFigures } from '../../proto/gen/trawl/v1/types.ts';
import type { Labels } from '../../proto/limits.ts';

/** The hardware of a slot. */
export interface SlotFacts {
  /** The number of GPUs that the slot's worker sees. */
  readonly gpus: number;
  /** The memory of each GPU, in bytes. */
  readonly vramBytes: number;
}

export interface Agent {
  readonly id: string;
  incarnation: string;
  /** Identifies the agent's folder. */
  instance: string;
  /** Differs between copies of the agent's folder, which all have the same `instance`. */
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
  /**
   * The measurements in the agent's last heartbeat. The coordinator displays the measurements, and bases no decision on
   * them.
   */
  gpuFigures?: readonly GpuFigures[];
  machineFigures?: MachineFigures | undefined;
  /** HOST:PORT of the agent's Prometheus metrics. Empty if the agent serves no metrics. */
  metrics: string;
  /** The time when the agent's certificate expires; for display only. Undefined without TLS. */
  certificateExpires?: number | undefined;
  /** Whether the agent shares its pools with no other agent, because some trials must not run on the agent. */
  isolated: boolean;
  state: 'connected' | 'lost' | 'left';
  /** Whether the agent is shutting down, and takes no new work. */
  leaving: boolean;
  /** Whether the stream of this incarnation has ended. A new stream begins with a hello. */
  disconnected: boolean;
  connectedAt: number;
  lastHeardAt: number;
  /** The time when the facts about the agent were last stored. */
  storedAt: number;
}

/** The facts about an agent that the store keeps. */
export interface AgentFacts {
  /** Empty if an older version of trawl stored the facts, or if the agent's identity was revoked. */
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
  /** The time at which the agent hands back the attempts that still run. */
  readonly graceEndsAt: number;
  /** The time when the remaining grace period was last stored. */
  storedAt: number;
  /** The reason, for display. May be empty. */
  readonly reason: string;
  /** The name of the user who drained the agent; may be empty. */
  readonly by: string;
  /** The time when the agent was drained; 0 if unknown. */
  readonly since: number;
}

/**
 * An agent is quarantined if trials fail on the agent and then succeed on other agents. While other agents can run the
 * trials, a quarantined agent gets only single trials, as probes. The quarantine ends when a probe succeeds.
 */
export interface Quarantine {
  /**
   * The sweeps whose trials failed on the quarantined agent. If there are two or more such sweeps, the quarantine
   * applies to all sweeps.
   */
  readonly sweepIds: readonly string[];
  readonly since: number;
  readonly reason: string;
  /** The number of probes that have failed. */
  readonly failedProbes: number;
  /** The earliest time at which the next probe can be offered. */
  readonly probeAt: number;
}
