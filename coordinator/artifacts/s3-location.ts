/** Parses the location of artifacts in an S3-compatible store: `s3://BUCKET/PREFIX?endpoint=URL&region=NAME`. */
import { isLoopback } from '../../lib/net/address.ts';
import { didYouMean } from '../../lib/text/did-you-mean.ts';
import { parseSize } from '../../lib/text/size.ts';
import { BadInputError } from '../../proto/errors.ts';

/** The location of artifacts. It contains no credentials, because it is stored and logged. */
export interface S3Location {
  readonly bucket: string;
  /** The start of all keys: empty, or a path that ends with `/`. */
  readonly prefix: string;
  /**
   * The URL of the server. If undefined, the URL is taken from AWS_ENDPOINT_URL_S3 or, if that is not set, from
   * AWS_ENDPOINT_URL. If neither is set, the server is Amazon's server for the region.
   */
  readonly endpoint: string | undefined;
  /**
   * If undefined, AWS_REGION is used. Without AWS_REGION, `us-east-1` is used if `endpoint` is set, otherwise the
   * region in `~/.aws/config`.
   */
  readonly region: string | undefined;
  /**
   * Whether URLs name the bucket in the path instead of in the host name. The default is true if the location names an
   * endpoint, because few S3-compatible servers have a host name for each bucket.
   */
  readonly pathStyle: boolean;
  /**
   * Whether agents and clients may transfer files directly, through presigned URLs. The default is true unless the
   * endpoint is a loopback address, which another machine would resolve to itself.
   */
  readonly direct: boolean;
  /** The maximum total size of the artifacts, in bytes. Default: no limit. */
  readonly quotaBytes: number | undefined;
}

const KEYS = ['endpoint', 'region', 'path-style', 'direct', 'quota'] as const;
const FORM = 's3://BUCKET/PREFIX?endpoint=URL&region=NAME';
/** The rules that all S3-compatible servers share for bucket names. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/;
const PREFIX = /^[A-Za-z0-9._=@+-]+(\/[A-Za-z0-9._=@+-]+)*\/?$/;

/**
 * Parses a location.
 * @param option the option or the variable that has the location, for messages
 * @throws {BadInputError} if the location is invalid
 */
export function parseS3Location(text: string, option = '--artifacts'): S3Location {
  const fail = (problem: string): never => {
    throw new BadInputError(`${option} ${JSON.stringify(text)}: ${problem}; expected ${FORM}`);
  };
  const [, bucket = '', path = '', query = ''] = /^s3:\/\/([^/?]*)\/?([^?]*)(?:\?(.*))?$/s.exec(text) ?? [];
  if (!text.startsWith('s3://')) fail('it does not begin with s3://');
  if (bucket.includes('@'))
    fail('it contains credentials, which belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY');
  if (!BUCKET.test(bucket)) fail(`${JSON.stringify(bucket)} is not a valid name of a bucket`);
  if (path !== '' && (!PREFIX.test(path) || /(^|\/)\.\.?(\/|$)/.test(path))) {
    fail(
      `the prefix ${JSON.stringify(path)} is invalid: folders consist of letters, digits and . _ = @ + -, are separated by single slashes, and are not . or ..`,
    );
  }
  const parameters = new URLSearchParams(query);
  for (const key of parameters.keys()) {
    if (!(KEYS as readonly string[]).includes(key)) {
      fail(`unknown parameter ${JSON.stringify(key)}${didYouMean(key, KEYS)} (known: ${KEYS.join(', ')})`);
    }
  }
  const flag = (key: string, otherwise: boolean): boolean => {
    const value = parameters.get(key);
    if (value !== null && value !== 'true' && value !== 'false') fail(`${key} must be true or false`);
    return value === null ? otherwise : value === 'true';
  };
  const endpoint = parameters.get('endpoint') ?? undefined;
  if (endpoint !== undefined && !isPlainUrl(endpoint)) {
    fail('endpoint must be a URL such as https://s3.example:9000, without a user name or password');
  }
  const quota = parameters.get('quota');
  const quotaBytes = quota === null ? undefined : parseSize(quota);
  if (quota !== null && quotaBytes === undefined) fail('quota must be a size such as 500GiB');
  return {
    bucket,
    prefix: path === '' || path.endsWith('/') ? path : `${path}/`,
    endpoint,
    region: parameters.get('region') || undefined,
    pathStyle: flag('path-style', endpoint !== undefined),
    direct: flag('direct', !hasLoopbackHost(endpoint)),
    quotaBytes,
  };
}

function isPlainUrl(text: string): boolean {
  try {
    const { protocol, username, password } = new URL(text);
    return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '';
  } catch {
    return false;
  }
}

function hasLoopbackHost(endpoint: string | undefined): boolean {
  return endpoint !== undefined && isLoopback({ host: new URL(endpoint).hostname, port: 0 });
}

/**
 * Returns the bucket and the prefix, which together identify the place of stored artifacts. The other parameters of a
 * location can change.
 */
export function s3Place({ bucket, prefix }: Pick<S3Location, 'bucket' | 'prefix'>): string {
  return `s3://${bucket}/${prefix}`;
}
