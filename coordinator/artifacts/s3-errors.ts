/** Explains the errors of an S3-compatible store: what failed, where, and what to do. */
import { errorMessage } from '../../lib/text/error-message.ts';
import { DamagedError, NoSpaceError, NotFoundError, type TrawlError, UnreachableError } from '../../proto/errors.ts';

/**
 * Thrown if the store cannot serve a request. Callers retry: an upload waits until the cause is removed, and no trial
 * is lost.
 */
export class S3UnavailableError extends UnreachableError {
  /**
   * Whether only a person can remove the cause, such as wrong credentials. A coordinator does not start in this case.
   */
  readonly needsPerson: boolean;

  constructor(message: string, needsPerson: boolean, options?: ErrorOptions) {
    super(message, options);
    this.needsPerson = needsPerson;
  }
}

/** Messages for errors that only a person can fix, by error code. Each message says what to do. */
const NEEDS_PERSON: Readonly<Record<string, string>> = {
  NoSuchBucket: 'the bucket does not exist: create it, or correct the location',
  InvalidAccessKeyId: 'the access key is unknown: check AWS_ACCESS_KEY_ID',
  SignatureDoesNotMatch: 'the secret key is wrong: check AWS_SECRET_ACCESS_KEY',
  AccessDenied:
    'access is denied: the credentials must permit reading, writing, listing and deleting objects of the bucket',
  AllAccessDisabled: 'access is disabled: check the account and the bucket',
  ExpiredToken: 'the session token has expired: renew AWS_SESSION_TOKEN',
  InvalidToken: 'the session token is invalid: check AWS_SESSION_TOKEN',
  TokenRefreshRequired: 'the session token has expired: renew AWS_SESSION_TOKEN',
  CredentialsProviderError:
    'no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write ~/.aws/credentials',
  RequestTimeTooSkewed: 'the clock of this machine differs from the clock of the server: synchronize both with NTP',
  PermanentRedirect: 'the bucket is in another region: correct the region',
  AuthorizationHeaderMalformed: 'the server rejects the region: correct the region',
  MethodNotAllowed: 'the server rejects the request: is the bucket read-only, or is the endpoint not an S3 server?',
  InvalidBucketName: 'the server rejects the name of the bucket: correct the location',
};

const FULL: readonly string[] = [
  'QuotaExceeded',
  'QuotaExceededException',
  'InsufficientStorage',
  'InsufficientCapacity',
  'XMinioStorageFull',
  'XMinioAdminBucketQuotaExceeded',
  'StorageFull',
];
const DAMAGED: readonly string[] = ['BadDigest', 'InvalidDigest', 'XAmzContentChecksumMismatch', 'IncompleteBody'];
const MISSING: readonly string[] = ['NoSuchKey', 'NotFound'];
const MISSING_UPLOAD = 'NoSuchUpload';

/** Returns the error code and the HTTP status of an error of the S3 client. */
export function s3Code(error: unknown): { readonly code: string; readonly status: number | undefined } {
  if (!(error instanceof Error)) return { code: '', status: undefined };
  const { name, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
  const system = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return { code: system ?? name, status: $metadata?.httpStatusCode };
}

/** Whether the error means that an incomplete upload no longer exists: it was completed, was aborted or has expired. */
export function isMissingUpload(error: unknown): boolean {
  return s3Code(error).code === MISSING_UPLOAD;
}

/** Returns the advice for an HTTP status whose error code is unknown. Undefined if a retry can succeed. */
function adviceFor(status: number | undefined): string | undefined {
  if (status === 403) return NEEDS_PERSON.AccessDenied;
  if (status === undefined || status < 300 || status >= 500 || [408, 409, 429].includes(status)) return undefined;
  return 'the server rejects the request: check the credentials, the bucket and the endpoint';
}

/**
 * Explains an error of the S3 client.
 * @param what the failed action and its object, such as `could not store artifact a.png`
 * @param where the place, such as `s3://bucket/ at https://s3.example`
 */
export function explainS3Error(error: unknown, what: string, where: string): TrawlError {
  const { code, status } = s3Code(error);
  // The original error of the client is not attached as the cause, because it contains the whole request with its
  // signature.
  const options = { cause: new Error(`${code}: ${errorMessage(error)}`) };
  const text = (reason: string) => `${what} in ${where}: ${reason}`;
  if (FULL.includes(code) || status === 507) {
    return new NoSpaceError(text('its space or quota is exhausted: delete objects, or raise the quota'), options);
  }
  if (DAMAGED.includes(code)) return new DamagedError(text('the data was damaged in transit'), options);
  if (MISSING.includes(code)) return new NotFoundError(text('the object is missing'), options);
  const advice = NEEDS_PERSON[code] ?? adviceFor(status);
  if (advice !== undefined) return new S3UnavailableError(text(`${advice} (${code || status})`), true, options);
  if (code === 'SlowDown' || status === 429 || status === 503) {
    return new S3UnavailableError(text(`the server is overloaded (${status ?? code}); retrying`), false, options);
  }
  const detail =
    status === undefined
      ? `the server could not be reached (${code || errorMessage(error)})`
      : `the server failed (${status} ${code})`;
  return new S3UnavailableError(text(detail), false, options);
}
