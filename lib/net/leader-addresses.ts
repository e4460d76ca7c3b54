/**
 * Decides which of several coordinators a client calls. One coordinator leads. The others are standbys: they either do
 * not answer, or answer that they do not lead. Such an answer contains the address of the leader if the standby knows
 * it.
 */

/**
 * An address that could not be reached is avoided for this time, even if a standby answers that the leader has this
 * address.
 */
export const AVOID_MS = 15_000;

export class LeaderAddresses {
  readonly #known: readonly string[];
  /** For each address that could not be reached, the time of the last failure. */
  readonly #failedAt = new Map<string, number>();
  /** The addresses at which the last attempt failed for a permanent reason, such as an unknown certificate. */
  readonly #rejected = new Set<string>();
  #current: string;
  #hasStandbys: boolean;

  /** @param known the addresses as HOST:PORT, in the order in which they are tried; at least one */
  constructor(known: readonly string[]) {
    const [first] = known;
    if (first === undefined) throw new Error('no address of a coordinator');
    this.#known = known;
    this.#current = first;
    this.#hasStandbys = known.length > 1;
  }

  /** The address to call. */
  get current(): string {
    return this.#current;
  }

  /** Whether another address can be tried if the current address does not answer. */
  get hasOthers(): boolean {
    return this.#known.some((address) => address !== this.#current);
  }

  /** Whether several coordinators are known to exist: several addresses were given, or a standby has answered. */
  get hasStandbys(): boolean {
    return this.#hasStandbys;
  }

  /** Whether every given address failed for a permanent reason, so that further attempts are useless. */
  get areRejected(): boolean {
    return this.#known.every((address) => this.#rejected.has(address));
  }

  /**
   * Records the answer of a coordinator that does not lead.
   * @param leader the address of the leader; empty if the coordinator knows none
   */
  onStandby(leader: string, now: number): void {
    this.#hasStandbys = true;
    this.#rejected.delete(this.#current);
    if (leader !== '' && leader !== this.#current && !this.#isAvoided(leader, now)) this.#current = leader;
    else this.#tryNext(now);
  }

  /**
   * Records that the current address could not be reached.
   * @param isRejected whether the reason is permanent, such as an unknown certificate
   */
  onUnreachable(now: number, isRejected = false): void {
    this.#failedAt.set(this.#current, now);
    if (isRejected) this.#rejected.add(this.#current);
    else this.#rejected.delete(this.#current);
    this.#tryNext(now);
  }

  /**
   * Records that the current address gave no answer in time. The address is not avoided later, because the coordinator
   * may only be slow.
   */
  onSilent(now: number): void {
    this.#tryNext(now);
  }

  /** Records an answer of the leader. */
  onAnswer(address: string): void {
    this.#failedAt.delete(address);
    this.#rejected.delete(address);
  }

  #isAvoided(address: string, now: number): boolean {
    return now - (this.#failedAt.get(address) ?? Number.NEGATIVE_INFINITY) < AVOID_MS;
  }

  /**
   * Makes the next known address that is not avoided the current address. If all known addresses are avoided, chooses
   * the address whose last failure is the oldest.
   */
  #tryNext(now: number): void {
    const at = this.#known.indexOf(this.#current);
    const others = [...this.#known.slice(at + 1), ...this.#known.slice(0, at + 1)];
    const candidate = others.find((address) => !this.#isAvoided(address, now));
    const failedAt = (address: string) => this.#failedAt.get(address) ?? 0;
    this.#current = candidate ?? others.toSorted((a, b) => failedAt(a) - failedAt(b))[0] ?? this.#current;
  }
}
