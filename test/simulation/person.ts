/** Somebody who submits sweeps and steers them, over a network that loses the questions and the answers. */

import { TrawlError } from '../../proto/errors.ts';
import type { RetryTrialsRequest, SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Life, SimulatedCoordinator } from './coordinator.ts';
import type { Network } from './network.ts';
import { SimulatedProcess } from './process.ts';
import type { RetryOrder, Scenario, Verb } from './scenario.ts';

const ASK_AGAIN_MS = 2_000;
const RESUME_EVERY_MS = 5_000;

export class Person {
  readonly #process = new SimulatedProcess('person');
  readonly #network: Network;
  readonly #coordinator: SimulatedCoordinator;
  /** The ids of the sweeps that were acknowledged, by their place in the scenario. */
  readonly submitted = new Map<number, string>();
  /** Orders that were acknowledged. */
  readonly obeyed: { readonly sweepId: string; readonly verb: Verb }[] = [];

  /** Trials that were retried, as the coordinator acknowledged it, by request; undefined: refused. */
  readonly retried = new Map<string, number | undefined>();
  readonly #onRetried: (requestId: string, trials: number) => void;

  /** @param onRetried an acknowledgement of a retry has come */
  constructor(
    network: Network,
    coordinator: SimulatedCoordinator,
    onRetried: (requestId: string, trials: number) => void,
  ) {
    this.#network = network;
    this.#coordinator = coordinator;
    this.#onRetried = onRetried;
  }

  carryOut({ sweeps, orders, drains, retries, priorities, calmAt }: Scenario): void {
    const { clock } = this.#network;
    for (const [at, sweep] of sweeps.entries())
      clock.after(sweep.at, this.#process, () => this.#submit(at, sweep.text));
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
    for (const { at, sweep, priority } of priorities) {
      clock.after(at, this.#process, () => this.#prioritize(this.submitted.get(sweep), priority));
    }
    clock.after(calmAt, this.#process, () => this.#resumeAll());
  }

  /** The same request until it is answered. */
  #submit(at: number, text: string): void {
    const requestId = `request ${at}`;
    const ask = () => {
      if (this.submitted.has(at)) return;
      this.#ask(
        ({ control }) => control.submit({ fileName: 'sweep.yaml', text, requestId }),
        (id) => this.submitted.set(at, id),
      );
      this.#network.clock.after(ASK_AGAIN_MS, this.#process, ask);
    };
    ask();
  }

  /** Once: an order that is lost is not given again. */
  #act(sweepId: string, verb: Verb): void {
    this.#ask(
      ({ control }) => control.act(sweepId, `SWEEP_ACTION_${verb}` as SweepAction, 'a person asked', 0),
      () => this.obeyed.push({ sweepId, verb }),
    );
  }

  /** The same request until it is answered. */
  #retry(requestId: string, { sweep: at, what }: RetryOrder): void {
    const sweep = this.submitted.get(at);
    if (sweep === undefined) return;
    const trials = what === 'two' ? this.#two(sweep) : [];
    const nothing: RetryTrialsRequest = { sweep, trials, failed: false, failures: [], cancelled: false, requestId };
    const request = what === 'two' ? nothing : { ...nothing, [what]: true };
    const ask = () => {
      if (this.retried.has(requestId)) return;
      this.#ask(
        ({ control }) => control.retry(request),
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

  /** That may be retried, as far as there are any. */
  #two(sweep: string): string[] {
    const rows = this.#coordinator.disk.db
      .prepare("select id from trials where sweep_id = ? order by state in ('failed', 'cancelled') desc, id limit 2")
      .all(sweep) as { id: string }[];
    return rows.map(({ id }) => id);
  }

  #prioritize(sweepId: string | undefined, priority: number): void {
    if (sweepId === undefined) return;
    this.#ask(
      ({ control }) => control.act(sweepId, 'SWEEP_ACTION_PRIORITIZE', '', priority),
      () => {},
    );
  }

  #drain(agent: string, graceMs: number | undefined): void {
    this.#ask(
      ({ agents }) => (graceMs === undefined ? agents.undrain(agent) : agents.drain(agent, graceMs, 'a person asked')),
      () => {},
    );
  }

  /** When the faults are over, nothing stays paused or drained. */
  #resumeAll(): void {
    const { life } = this.#coordinator;
    for (const sweep of life?.runtime.core.sweeps.values() ?? []) {
      if (sweep.state === 'paused') this.#act(sweep.id, 'RESUME');
    }
    for (const agent of life?.runtime.core.drains.keys() ?? []) this.#drain(agent, undefined);
    this.#network.clock.after(RESUME_EVERY_MS, this.#process, () => this.#resumeAll());
  }

  #ask<T>(question: (life: Life) => Promise<T>, answered: (answer: T) => void, refused: () => void = () => {}): void {
    const { life } = this.#coordinator;
    if (life === undefined) return;
    this.#network.post(this.#process, life.process, () => {
      question(life).then(
        (answer) => this.#network.post(life.process, this.#process, () => answered(answer)),
        // The sweep is over or stops, the agent is not known; or the process dies of it.
        (error) => {
          if (error instanceof TrawlError) this.#network.post(life.process, this.#process, refused);
        },
      );
    });
  }
}
