/** A user who submits and controls sweeps over a network that loses requests and responses. */

import { isEnded, type SweepState } from '../../coordinator/core/model.ts';
import { TrawlError } from '../../proto/errors.ts';
import type { RetryTrialsRequest, SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { CoordinatorProcess } from './coordinator.ts';
import type { Disk } from './disk.ts';
import type { SimulatedNetwork } from './network.ts';
import { SimulatedProcess } from './process.ts';
import type { RetryOrder, Scenario, UserAction, VersionOrder } from './scenario.ts';

const USER = 'ann@desk';
const ASK_AGAIN_MS = 2_000;
const RESUME_EVERY_MS = 5_000;

/** The coordinator that the user's commands reach. */
interface Coordinator {
  readonly disk: Disk;
  readonly life: CoordinatorProcess | undefined;
}

export class SimulatedUser {
  readonly #process = new SimulatedProcess('person');
  readonly #network: SimulatedNetwork;
  readonly #coordinator: Coordinator;
  /** The ids of acknowledged sweeps, by index in the scenario. */
  readonly submitted = new Map<number, string>();
  /** Acknowledged actions. */
  readonly acknowledged: { readonly sweepId: string; readonly verb: UserAction }[] = [];

  /** The trials whose kill was acknowledged. */
  readonly killed: { readonly sweepId: string; readonly trialId: string }[] = [];

  /** By request id: the number of retried trials that the answer contained. Undefined if the request was rejected. */
  readonly retried = new Map<string, number | undefined>();
  readonly #onRetried: (requestId: string, trials: number) => void;

  /** @param onRetried called when a retry is acknowledged */
  constructor(
    network: SimulatedNetwork,
    coordinator: Coordinator,
    onRetried: (requestId: string, trials: number) => void,
  ) {
    this.#network = network;
    this.#coordinator = coordinator;
    this.#onRetried = onRetried;
  }

  carryOut({ sweeps, orders, drains, retries, trialKills, versions, priorities, calmAt }: Scenario): void {
    const { clock } = this.#network;
    for (const [at, sweep] of sweeps.entries()) clock.after(sweep.at, this.#process, () => this.#submit(at, sweep));
    for (const order of orders) {
      clock.after(order.at, this.#process, () => {
        const sweepId = this.submitted.get(order.sweep);
        if (sweepId !== undefined) this.#act(sweepId, order.verb);
      });
    }
    for (const { at, agent, graceMs } of drains) clock.after(at, this.#process, () => this.#drain(agent, graceMs));
    for (const [at, order] of retries.entries()) {
      clock.after(order.at, this.#process, () => this.#retry(`retry ${at}`, order));
    }
    for (const { at, sweep } of trialKills) clock.after(at, this.#process, () => this.#killTrial(sweep));
    for (const order of versions) {
      clock.after(order.at, this.#process, () => this.#applyVersion(sweeps[order.sweep]?.text ?? '', order));
    }
    for (const { at, sweep, priority } of priorities) {
      clock.after(at, this.#process, () => this.#prioritize(this.submitted.get(sweep), priority));
    }
    clock.after(calmAt, this.#process, () => this.#resumeAll());
  }

  /**
   * Submits a sweep. If the scenario names an earlier sweep, waits until the earlier sweep has ended. Repeats the
   * request until the coordinator answers.
   */
  #submit(at: number, { text, after }: Scenario['sweeps'][number]): void {
    const requestId = `request ${at}`;
    const ask = () => {
      if (this.submitted.has(at)) return;
      if (after === undefined || this.#hasEnded(after)) {
        this.#ask(
          ({ control }) => control.submit({ fileName: 'sweep.yaml', text, requestId, source: undefined }),
          (id) => this.submitted.set(at, id),
        );
      }
      this.#network.clock.after(ASK_AGAIN_MS, this.#process, ask);
    };
    ask();
  }

  #hasEnded(at: number): boolean {
    const select = this.#coordinator.disk.db.prepare('select state from sweeps where id = ?');
    const row = select.get(this.submitted.get(at) ?? '') as { readonly state: SweepState } | undefined;
    return row !== undefined && isEnded(row.state);
  }

  /** Sends an action once. A lost action is not repeated. */
  #act(sweepId: string, verb: UserAction): void {
    this.#ask(
      ({ control }) =>
        control.act(
          sweepId,
          { action: `SWEEP_ACTION_${verb}` as SweepAction, reason: 'a user asked', priority: 0 },
          USER,
        ),
      () => this.acknowledged.push({ sweepId, verb }),
    );
  }

  /** Kills a trial of the sweep, if possible a running trial. A lost request is not repeated. */
  #killTrial(at: number): void {
    const sweepId = this.submitted.get(at);
    const row = this.#coordinator.disk.db
      .prepare(
        "select id from trials where sweep_id = ? order by state = 'running' desc, state in ('offered', 'pending') desc, id",
      )
      .get(sweepId ?? '') as { id: string } | undefined;
    if (sweepId === undefined || row === undefined) return;
    this.#ask(
      ({ control }) => control.killTrial(sweepId, row.id, 'a user asked', USER),
      () => this.killed.push({ sweepId, trialId: row.id }),
    );
  }

  /** Applies an edited file. Repeats the request until the coordinator answers. */
  #applyVersion(submitted: string, order: VersionOrder): void {
    const sweep = this.submitted.get(order.sweep);
    if (sweep === undefined) return;
    const text = editedText(submitted, order);
    const request = { sweep, fileName: 'sweep.yaml', text, baseVersion: 0, dryRun: false };
    let answered = false;
    const ask = () => {
      if (answered) return;
      const end = () => {
        answered = true;
      };
      this.#ask(({ control }) => control.apply(sweep, request, USER), end, end);
      this.#network.clock.after(ASK_AGAIN_MS, this.#process, ask);
    };
    ask();
  }

  /** Retries trials of a sweep. Repeats the request until the coordinator answers. */
  #retry(requestId: string, { sweep: at, what }: RetryOrder): void {
    const sweep = this.submitted.get(at);
    if (sweep === undefined) return;
    const trials = what === 'two' ? this.#two(sweep) : [];
    const nothing: RetryTrialsRequest = { sweep, trials, failed: false, failures: [], cancelled: false, requestId };
    const request = what === 'two' ? nothing : { ...nothing, [what]: true };
    const ask = () => {
      if (this.retried.has(requestId)) return;
      this.#ask(
        ({ control }) => control.retry(request, USER),
        ({ trials }) => {
          this.retried.set(requestId, trials);
          this.#onRetried(requestId, trials);
        },
        () => this.retried.set(requestId, undefined),
      );
      this.#network.clock.after(ASK_AGAIN_MS, this.#process, ask);
    };
    ask();
  }

  /** Returns two trials, preferably trials that can be retried. */
  #two(sweep: string): string[] {
    const rows = this.#coordinator.disk.db
      .prepare("select id from trials where sweep_id = ? order by state in ('failed', 'cancelled') desc, id limit 2")
      .all(sweep) as { id: string }[];
    return rows.map(({ id }) => id);
  }

  #prioritize(sweepId: string | undefined, priority: number): void {
    if (sweepId === undefined) return;
    this.#ask(
      ({ control }) => control.act(sweepId, { action: 'SWEEP_ACTION_PRIORITIZE', reason: '', priority }, USER),
      () => {},
    );
  }

  #drain(agent: string, graceMs: number | undefined): void {
    this.#ask(
      ({ agents }) =>
        graceMs === undefined
          ? agents.undrain(agent, USER)
          : agents.drain(agent, { graceMs, reason: 'a user asked', by: USER }),
      () => {},
    );
  }

  /**
   * Resumes all paused sweeps and ends all drains. Repeats this at regular intervals, because a request can be lost.
   */
  #resumeAll(): void {
    const { life } = this.#coordinator;
    for (const sweep of life?.runtime.core.sweeps.values() ?? []) {
      if (sweep.state === 'paused') this.#act(sweep.id, 'RESUME');
    }
    for (const agent of life?.runtime.core.drains.keys() ?? []) this.#drain(agent, undefined);
    this.#network.clock.after(RESUME_EVERY_MS, this.#process, () => this.#resumeAll());
  }

  #ask<T>(
    question: (life: CoordinatorProcess) => Promise<T>,
    answered: (answer: T) => void,
    rejected: () => void = () => {},
  ): void {
    const { life } = this.#coordinator;
    if (life === undefined) return;
    this.#network.post(this.#process, life.process, () => {
      question(life).then(
        (answer) => this.#network.post(life.process, this.#process, () => answered(answer)),
        // The request fails if the sweep has ended, the agent is unknown, or the process died.
        (error) => {
          if (error instanceof TrawlError) this.#network.post(life.process, this.#process, rejected);
        },
      );
    });
  }
}

function editedText(text: string, { without, more, crashRetries }: VersionOrder): string {
  const cap = (_: string, trials: string) => `run_cap: ${Math.max(1, Number(trials) - without + more)}`;
  const points = (_: string, last: string) =>
    `x: {min: ${Math.min(1 + without, Number(last))}, max: ${Number(last) + more}, step: 1}`;
  return text
    .replace(/x: \{min: 1, max: (\d+), step: 1\}/, points)
    .replace(/run_cap: (\d+)/, cap)
    .replace(/crash: \d/, `crash: ${crashRetries}`);
}
