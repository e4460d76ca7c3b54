/** Opens the artifact store of a coordinator: the coordinator's folder, or an S3-compatible store. */
import type { Logger } from 'pino';
import { settlesWithin } from '../../lib/net/within.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { countText } from '../../lib/text/numbers.ts';
import { RejectedError } from '../../proto/errors.ts';
import type { Store } from '../store/store.ts';
import type { ArtifactStore } from './artifact-store.ts';
import type { CodeCopies } from './code-archives.ts';
import { ArtifactFiles } from './files.ts';
import { MAX_INCOMPLETE_UPLOAD_MS, S3Artifacts } from './s3-artifacts.ts';
import { S3Bucket, type S3Observer } from './s3-bucket.ts';
import { S3CodeCopies } from './s3-code.ts';
import { S3UnavailableError } from './s3-errors.ts';
import { parseS3Location, s3Place } from './s3-location.ts';
import { SpaceLedger } from './space-ledger.ts';

const RETRY_CHECK_MS = 5_000;
/** A starting coordinator waits at most this long for the check of a location that was used before. */
const CHECK_LIMIT_MS = 3_000;
const UPKEEP_MS = 3_600_000;

export interface OpenArtifacts {
  readonly files: ArtifactStore;
  readonly isRemote: boolean;
  /** The copies of code archives in the remote store; undefined if code is only in the coordinator's folder. */
  readonly code: CodeCopies | undefined;
  /** The quota of the location; undefined without a quota. */
  readonly quota: SpaceLedger | undefined;
  close(): void;
}

/**
 * Returns the requested location. If no location was requested, returns the recorded location.
 * @param artifacts the number of artifacts in the store
 * @throws {BadInputError} if the requested location is invalid
 * @throws {RejectedError} if the store's artifacts are in another place
 */
export function chooseLocation(
  requested: string | undefined,
  recorded: string | undefined,
  artifacts: number,
): string | undefined {
  if (requested === undefined) return recorded;
  const place = s3Place(parseS3Location(requested));
  const current = recorded === undefined ? "the coordinator's folder" : s3Place(parseS3Location(recorded));
  if (place === current || artifacts === 0) return requested;
  throw new RejectedError(
    `--artifacts names ${place}, but ${countText(artifacts, 'artifact')} of this store ${artifacts === 1 ? 'is' : 'are'} in ${current}: ` +
      `${recorded === undefined ? 'omit --artifacts' : `pass --artifacts ${recorded}`}, or use a new data folder`,
  );
}

/**
 * Returns the reason why a standby would not have the artifacts of the store after a takeover; undefined if it would
 * have them.
 * @param requested the value of --artifacts of the standby
 * @param recorded the location that the leader has recorded; undefined if the leader keeps artifacts in its data folder
 * @param leader HOST:PORT of the leader
 */
export function standbyArtifactsProblem(
  requested: string | undefined,
  recorded: string | undefined,
  leader: string,
): string | undefined {
  const local = `artifacts are in the data folder of the coordinator at ${leader}`;
  if (requested === undefined) {
    if (recorded !== undefined) return undefined;
    return (
      `${local}, so they would be missing after a takeover: start all coordinators of this store with --artifacts ` +
      's3://BUCKET/PREFIX, or use --allow-local-artifacts'
    );
  }
  const place = s3Place(parseS3Location(requested));
  const current = recorded && s3Place(parseS3Location(recorded));
  if (current === place) return undefined;
  const where = current === undefined ? local : `the coordinator at ${leader} keeps artifacts in ${current}`;
  return (
    `${where}, but this coordinator was started with --artifacts ${place}, so it cannot take over once the store has ` +
    'artifacts: start all coordinators of this store with the same --artifacts'
  );
}

export interface OpenOptions {
  readonly store: Store;
  /** The coordinator's folder. */
  readonly dir: string;
  readonly cluster: string;
  /** The value of --artifacts. */
  readonly location: string | undefined;
  readonly log: Logger;
}

/**
 * Opens the artifact store for a command that uses the coordinator's folder while no coordinator runs. Does not check
 * whether the artifact store can be used.
 */
export async function openRecordedArtifacts(options: Omit<OpenOptions, 'location'>): Promise<OpenArtifacts> {
  const recorded = await options.store.artifactLocation();
  if (recorded === undefined) return openFiles(options.dir);
  return openS3(recorded, options, { onRequest: () => {} });
}

/**
 * Opens the artifact store of a coordinator, checks that it can be used, and records its location. If the location
 * cannot be reached, the check is repeated until it succeeds. In the meantime, uploads fail, and agents retry them. If
 * the location was used before, this function waits only a few seconds, and the check continues in the background.
 * @param observer receives each request, and whether the location can be used
 * @throws {BadInputError | RejectedError} if the location is invalid, does not contain the artifacts of the store, or
 * cannot be used until a person corrects the cause
 */
export async function openArtifacts(
  { location: requested, ...options }: OpenOptions,
  observer: S3Observer & { onProblem(problem: string | undefined): void },
): Promise<OpenArtifacts> {
  const { store, log } = options;
  const recorded = await store.artifactLocation();
  const location = chooseLocation(requested, recorded, (await store.artifactTotals()).artifacts);
  if (location === undefined) return openFiles(options.dir);
  const opened = await openS3(location, options, {
    onRequest(operation, seconds, problem) {
      observer.onRequest(operation, seconds, problem);
      if (problem === undefined) observer.onProblem(undefined);
      else if (problem instanceof S3UnavailableError) observer.onProblem(problem.message);
    },
  });
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const check = async () => {
    const { verifiesChecksums } = await opened.files.check();
    log.info(
      { place: opened.files.place, direct: opened.files.direct !== undefined },
      'the artifact store can be used',
    );
    if (!verifiesChecksums) {
      log.warn('the artifact store does not verify SHA-256 checksums: all transfers pass through the coordinator');
    }
  };
  const recheck = () => {
    timer = setTimeout(() => {
      check().catch((error) => {
        log.warn({ reason: errorMessage(error) }, 'the artifact store cannot be used; retrying');
        if (!closed) recheck();
      });
    }, RETRY_CHECK_MS);
  };
  const retryAfter = (error: unknown) => {
    log.warn({ reason: errorMessage(error) }, 'the artifact store cannot be used; retrying');
    if (!closed) recheck();
  };
  const checked = check();
  try {
    // A recorded location was already checked at an earlier start. A later start, such as a takeover, therefore does
    // not wait long for a server that does not answer.
    if (location !== recorded) await checked;
    else if (!(await settlesWithin(CHECK_LIMIT_MS, checked))) checked.catch(retryAfter);
  } catch (error) {
    if (error instanceof S3UnavailableError && error.needsPerson) {
      opened.close();
      throw new RejectedError(error.message, { cause: error });
    }
    retryAfter(error);
  }
  if (location !== recorded) await store.setArtifactLocation(location);
  const upkeep = setInterval(() => {
    opened.files.abortIncomplete(Date.now() - MAX_INCOMPLETE_UPLOAD_MS).then(
      (uploads) => uploads > 0 && log.info({ uploads }, 'aborted incomplete uploads'),
      (error) => log.warn({ reason: errorMessage(error) }, 'could not abort incomplete uploads; retrying in an hour'),
    );
  }, UPKEEP_MS);
  upkeep.unref();
  return {
    ...opened,
    close() {
      closed = true;
      clearTimeout(timer);
      clearInterval(upkeep);
      opened.close();
    },
  };
}

function openFiles(dir: string): OpenArtifacts {
  return { files: new ArtifactFiles(dir), isRemote: false, code: undefined, quota: undefined, close: () => {} };
}

async function openS3(
  text: string,
  { store, dir, cluster }: Omit<OpenOptions, 'location'>,
  observer: S3Observer,
): Promise<OpenArtifacts & { readonly files: S3Artifacts }> {
  const location = parseS3Location(text);
  const bucket = await S3Bucket.open(location, observer);
  const code = new S3CodeCopies(bucket, cluster);
  const { quotaBytes } = location;
  const quota =
    quotaBytes === undefined
      ? undefined
      : new SpaceLedger(async () => quotaBytes - (await store.artifactTotals()).bytes, {
          of: 'the quota of the artifact store',
          keepBytes: 0,
        });
  return { files: new S3Artifacts(bucket, dir, cluster), isRemote: true, code, quota, close: () => bucket.close() };
}
