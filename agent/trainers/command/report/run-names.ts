/** Chooses the metric names for the tags of TensorBoard runs. Each folder that contains event files is a run. */

/** Matches names with a digit. Such names, for example `version_0`, usually differ from one trial to the next. */
const OWN_NAME = /\d/;

/** Assigns each run a prefix for its metric names. Each attempt has its own object of this class. */
export class RunNames {
  readonly #runs = new Map<string, string>();

  /**
   * Returns the metric name of a tag. The names of the folders below the source's folder become a prefix, as in
   * TensorBoard (`validation/epoch_loss`). Folder names with a digit are omitted from the prefix, unless an earlier run
   * already has the shortened prefix. Tags of the source's own folder never have a prefix. An earlier run can also have
   * an empty prefix, because all of its folder names contain a digit. An example is the separate run that
   * SummaryWriter's `add_hparams` writes.
   * @param run the path of the event file's folder, relative to the source's folder, with `/` between folders; empty
   * for the source's folder itself
   */
  metricName(run: string, tag: string): string {
    const prefix = this.#prefixOf(run);
    return prefix === '' ? tag : `${prefix}/${tag}`;
  }

  #prefixOf(run: string): string {
    const known = this.#runs.get(run);
    if (known !== undefined) return known;
    const short = run
      .split('/')
      .filter((folder) => !OWN_NAME.test(folder))
      .join('/');
    const taken = new Set(this.#runs.values());
    // Tags of the source's own folder never have a prefix. The prefix `./...` is always free, because the path of a run
    // never begins with `./`.
    const prefix = run === '' ? '' : ([short, run].find((candidate) => !taken.has(candidate)) ?? `./${run}`);
    this.#runs.set(run, prefix);
    return prefix;
  }
}
