/** Limits on values that users and agents send. */

/** A priority is an integer from -MAX_PRIORITY to MAX_PRIORITY. */
export const MAX_PRIORITY = 1_000;
export const DEFAULT_PRIORITY = 0;

/** A weight is a number from MIN_WEIGHT to MAX_WEIGHT. */
export const MIN_WEIGHT = 0.001;
export const MAX_WEIGHT = 1_000;
export const DEFAULT_WEIGHT = 1;

/** The maximum number of slots of an agent. */
export const MAX_SLOTS = 4_096;
/** The maximum number of claims in one message. */
export const MAX_CLAIMS = 1_000;

/** The maximum size of an artifact. 1 GiB is enough for 80 million parameters and their Adam optimizer state. */
export const MAX_ARTIFACT_BYTES = 1 << 30;
/** The maximum number of artifacts of an attempt. */
export const MAX_ARTIFACTS = 10_000;
/** The maximum length of an artifact's name, in characters. */
export const MAX_ARTIFACT_NAME = 200;
/** The maximum size of one chunk of a transfer. */
export const ARTIFACT_CHUNK_BYTES = 256 * 1024;

/** The maximum size of a code archive, even if the sweep file sets a higher limit. */
export const MAX_CODE_BYTES = 1 << 30;
/** The default limit on the total size of the files in a code folder. */
export const DEFAULT_CODE_BYTES = 100 * 1_000_000;
/** The maximum number of files in a code archive. */
export const MAX_CODE_FILES = 50_000;
/** The maximum recorded size of a diff of uncommitted changes, in bytes. */
export const MAX_DIFF_BYTES = 1_000_000;

/** The maximum size of a list of installed packages, in bytes. Further packages are omitted. */
export const MAX_PACKAGES_BYTES = 64 * 1024;
/** The maximum length of a recorded command line, in characters. */
export const MAX_RECORDED_COMMAND = 16 * 1024;

const PATH_SEGMENT = /^[A-Za-z0-9_+=@,-][A-Za-z0-9._+=@,-]*$/;

/**
 * Returns the reason why an artifact's name is invalid; undefined if it is valid. Names become paths below a folder,
 * and must not lead out of the folder.
 */
export function artifactNameProblem(name: string): string | undefined {
  if (name.length > MAX_ARTIFACT_NAME) return `it has more than ${MAX_ARTIFACT_NAME} characters`;
  if (name.split('/').every((segment) => PATH_SEGMENT.test(segment))) return undefined;
  return 'expected letters, digits and . _ + = @ , - with / between folders, and no folder or file that begins with a dot';
}

/** The maximum number of trials that one request can name. */
export const MAX_TRIAL_IDS = 1_000;

/** The maximum number of metrics in a report. */
export const MAX_METRICS = 256;
/**
 * The maximum number of different metrics in all reports of an attempt. The limit bounds the size of an update, because
 * each update of a trial contains all its metrics.
 */
export const MAX_ATTEMPT_METRICS = 1_000;
/** The maximum total length of the names of all metrics of an attempt, in characters. */
export const MAX_ATTEMPT_METRIC_CHARACTERS = 100_000;

/** The maximum number of labels of an agent, and of labels that a sweep requires. */
export const MAX_LABELS = 32;
/** The syntax of a label's name, which allows names such as `topology.kubernetes.io/zone`. */
export const LABEL_NAME = /^[A-Za-z0-9][A-Za-z0-9_./-]{0,99}$/;
export const LABEL_VALUE = /^\P{Cc}{1,100}$/u;

export const LABEL_NAME_RULE =
  'a letter or digit, then letters, digits, "_", ".", "/" or "-", up to 100 characters in total';
export const LABEL_VALUE_RULE = '1 to 100 characters on one line';

export type Labels = Readonly<Record<string, string>>;

/** Returns the reason why the labels are invalid; undefined if they are valid. */
export function labelProblem(labels: Labels): string | undefined {
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) return `${entries.length} labels: expected at most ${MAX_LABELS}`;
  for (const [name, value] of entries) {
    if (!LABEL_NAME.test(name)) return `${JSON.stringify(name)} cannot name a label: expected ${LABEL_NAME_RULE}`;
    if (!LABEL_VALUE.test(value)) {
      return `label ${name} cannot be ${JSON.stringify(value)}: expected ${LABEL_VALUE_RULE}`;
    }
  }
  return undefined;
}

/** The maximum number of trials in a pack. */
export const MAX_PACK = 1_024;
