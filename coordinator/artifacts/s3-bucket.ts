/**
 * Reads and writes the objects of an S3-compatible store. The client library is loaded when a bucket is opened, so that
 * a coordinator without S3 does not load it. The library retries failed requests with backoff, and corrects small
 * differences between clocks.
 */
import { open } from 'node:fs/promises';
import type { Checksum } from '../../lib/files/checksum.ts';
import { DamagedError, NotFoundError } from '../../proto/errors.ts';
import type * as S3 from './s3-client.ts';
import { explainS3Error, isMissingUpload, s3Code } from './s3-errors.ts';
import { type S3Location, s3Place } from './s3-location.ts';

/**
 * The size of each part of a multipart upload, except the last part. Only files larger than this size are uploaded in
 * parts. S3 requires at least 5 MiB.
 */
export const PART_BYTES = 16 * 2 ** 20;
/** The maximum number of times that the client library tries a request, with backoff in between. */
const MAX_ATTEMPTS = 4;
const CONNECT_TIMEOUT_MS = 5_000;
/** The time without data after which a request is retried. */
const IDLE_TIMEOUT_MS = 30_000;
/**
 * The number of objects that are deleted at the same time, each with its own request. Not every server can delete
 * several objects in one request.
 */
const CONCURRENT_REMOVALS = 16;

/** An entry of a list of objects. */
export interface ListedObject {
  readonly key: string;
  readonly size: number;
  /** Unix milliseconds. */
  readonly at: number;
}

/** A part of a file, with its number (from 1) and its position in the file. */
export interface FilePiece {
  readonly number: number;
  readonly start: number;
  readonly size: number;
}

/** A presigned request: whoever has the URL can make this one request until the URL expires. */
export interface PresignedRequest {
  readonly url: string;
  /** Headers that are part of the signature. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Returns the parts of a file. */
export function piecesOf(size: number, partBytes = PART_BYTES): FilePiece[] {
  return Array.from({ length: Math.max(1, Math.ceil(size / partBytes)) }, (_, index) => {
    const start = index * partBytes;
    return { number: index + 1, start, size: Math.min(partBytes, size - start) };
  });
}

/** Observes requests, for metrics and for the readiness of the coordinator. */
export interface S3Observer {
  /** @param problem the explanation of a failed request; undefined after a success */
  onRequest(operation: string, seconds: number, problem: Error | undefined): void;
}

type RequestPresigningArguments = NonNullable<Parameters<typeof S3.getSignedUrl>[2]>;

/** S3 transmits checksums in Base64. */
const base64Of = (sha256: string) => Buffer.from(sha256, 'hex').toString('base64');
const hexOf = (base64: string) => Buffer.from(base64, 'base64').toString('hex');

/**
 * Loads the client library, which takes about 0.06 s of CPU time. In the bundle, the loaded library needs no other
 * file, and therefore also works after an upgrade has replaced the files of this process.
 */
export function loadS3Client() {
  // package.json declares which versions of Node trawl supports, so the library's warning about the version is
  // disabled.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  return import('./s3-client.ts');
}

export class S3Bucket {
  readonly location: S3Location;
  /** The location, for messages. */
  readonly where: string;
  readonly #client: S3.S3Client;
  readonly #s3: typeof S3;
  readonly #observer: S3Observer;

  private constructor(location: S3Location, client: S3.S3Client, s3: typeof S3, observer: S3Observer) {
    this.location = location;
    this.where = `${s3Place(location)}${location.endpoint === undefined ? '' : ` at ${location.endpoint}`}`;
    this.#client = client;
    this.#s3 = s3;
    this.#observer = observer;
  }

  /**
   * Loads the client library. No request is made. The library finds credentials in the same places as the AWS tools:
   * the environment, `~/.aws`, and the role of the machine.
   */
  static async open(location: S3Location, observer: S3Observer): Promise<S3Bucket> {
    const s3 = await loadS3Client();
    const { endpoint, pathStyle } = location;
    // S3-compatible servers either ignore the region or expect us-east-1.
    const region = location.region ?? (endpoint === undefined ? undefined : process.env.AWS_REGION || 'us-east-1');
    const client = new s3.S3Client({
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(region === undefined ? {} : { region }),
      forcePathStyle: pathStyle,
      maxAttempts: MAX_ATTEMPTS,
      // trawl sends its own SHA-256 checksums. Some compatible servers reject the default CRC32 trailers.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: IDLE_TIMEOUT_MS },
    });
    return new S3Bucket(location, client, s3, observer);
  }

  close(): void {
    this.#client.destroy();
  }

  /**
   * Returns the size and the SHA-256 of an object; undefined if there is no object. The SHA-256 is undefined if the
   * server does not support checksums. The SHA-256 is also undefined after an upload in parts, because the server did
   * not compute it from the whole object.
   */
  async head(key: string): Promise<{ readonly size: number; readonly sha256: string | undefined } | undefined> {
    try {
      const { ContentLength: size = 0, ChecksumSHA256: sum } = await this.#run('head', `could not check ${key}`, () =>
        this.#client.send(new this.#s3.HeadObjectCommand({ ...this.#at(key), ChecksumMode: 'ENABLED' })),
      );
      // The checksum of an upload in parts ends with a hyphen and the number of parts.
      return { size, sha256: sum === undefined || sum.includes('-') ? undefined : hexOf(sum) };
    } catch (error) {
      if (error instanceof NotFoundError) return undefined;
      throw error;
    }
  }

  /** Stores a small object. A server that supports checksums verifies the checksum. */
  async put(key: string, bytes: Uint8Array, sha256: string): Promise<void> {
    const object = { ...this.#at(key), Body: bytes, ContentLength: bytes.byteLength, ChecksumSHA256: base64Of(sha256) };
    await this.#run('put', `could not store ${key}`, () => this.#client.send(new this.#s3.PutObjectCommand(object)));
  }

  /**
   * Stores a file, in parts if it is large. After an interruption, an upload in parts resumes with the missing parts.
   * The server verifies the checksum of each request. Each part has its own checksum, which is computed when the part
   * is sent.
   * @param checksum the verified checksum of the file
   */
  async putFile(key: string, path: string, checksum: Checksum): Promise<void> {
    const file = await open(path);
    const bytesOf = async ({ start, size }: FilePiece): Promise<Buffer> => {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(size), 0, size, start);
      if (bytesRead !== size) throw new Error(`${path} became shorter while it was stored`);
      return buffer;
    };
    try {
      const pieces = piecesOf(checksum.size);
      const [only] = pieces;
      if (pieces.length === 1 && only !== undefined) return await this.put(key, await bytesOf(only), checksum.sha256);
      const { uploadId, missing } = await this.beginParts(key, checksum.size);
      for (const piece of missing) {
        const part = { ...this.#at(key), UploadId: uploadId, PartNumber: piece.number, Body: await bytesOf(piece) };
        await this.#run('upload_part', `could not store part ${piece.number} of ${key}`, () =>
          this.#client.send(new this.#s3.UploadPartCommand({ ...part, ChecksumAlgorithm: 'SHA256' })),
        );
      }
      await this.finishParts(key, uploadId, checksum.size);
    } finally {
      await file.close();
    }
  }

  /** Starts an upload in parts, or resumes an earlier upload to the same key. */
  async beginParts(key: string, size: number): Promise<{ uploadId: string; missing: FilePiece[] }> {
    const [found] = (await this.uploads(key)).filter((upload) => upload.key === key);
    const uploadId = found?.uploadId ?? (await this.#createUpload(key));
    const stored = found === undefined ? new Map() : await this.#partsOf(key, uploadId);
    return { uploadId, missing: piecesOf(size).filter((piece) => stored.get(piece.number)?.size !== piece.size) };
  }

  /**
   * Completes an upload in parts.
   * @throws {S3UnavailableError} if a part is missing or the server fails
   */
  async finishParts(key: string, uploadId: string, size: number): Promise<void> {
    const stored = await this.#partsOf(key, uploadId);
    const Parts = piecesOf(size).map(({ number }) => {
      return { PartNumber: number, ETag: stored.get(number)?.etag, ChecksumSHA256: stored.get(number)?.sha256 };
    });
    await this.#run('complete_upload', `could not complete ${key}`, () =>
      this.#client.send(
        new this.#s3.CompleteMultipartUploadCommand({
          ...this.#at(key),
          UploadId: uploadId,
          MultipartUpload: { Parts },
        }),
      ),
    );
  }

  /** Aborts an upload in parts. The server then deletes the parts. */
  async abort(key: string, uploadId: string): Promise<void> {
    await this.#run('abort_upload', `could not abort the upload of ${key}`, () =>
      this.#client
        .send(new this.#s3.AbortMultipartUploadCommand({ ...this.#at(key), UploadId: uploadId }))
        .catch((error: unknown) => {
          if (!isMissingUpload(error)) throw error;
        }),
    );
  }

  /** Returns the incomplete multipart uploads whose keys begin with a prefix. */
  async uploads(prefix: string): Promise<{ key: string; uploadId: string; at: number }[]> {
    const found: { key: string; uploadId: string; at: number }[] = [];
    for (let after: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {}; after !== undefined; ) {
      const marker: { KeyMarker?: string; UploadIdMarker?: string } = after;
      const page = await this.#run('list_uploads', 'could not list incomplete uploads', () =>
        this.#client.send(
          new this.#s3.ListMultipartUploadsCommand({ Bucket: this.location.bucket, Prefix: prefix, ...marker }),
        ),
      );
      for (const { Key: key, UploadId: uploadId, Initiated } of page.Uploads ?? []) {
        if (key !== undefined && uploadId !== undefined) found.push({ key, uploadId, at: Initiated?.getTime() ?? 0 });
      }
      const { NextKeyMarker, NextUploadIdMarker } = page;
      after =
        page.IsTruncated === true && NextKeyMarker
          ? { KeyMarker: NextKeyMarker, ...(NextUploadIdMarker ? { UploadIdMarker: NextUploadIdMarker } : {}) }
          : undefined;
    }
    return found;
  }

  /**
   * Reads an object, starting at `offset`.
   * @throws {NotFoundError} before the first chunk, if the object is missing
   * @throws {DamagedError} before the first chunk, if the object is shorter than `size`
   */
  async *read(key: string, offset: number, size: number): AsyncGenerator<Buffer> {
    if (size > 0 && offset >= size) return;
    const range = offset === 0 ? {} : { Range: `bytes=${offset}-` };
    const { Body, ContentLength } = await this.#run('get', `could not read ${key}`, () =>
      this.#client.send(new this.#s3.GetObjectCommand({ ...this.#at(key), ...range })),
    );
    if (Body === undefined) return;
    if (ContentLength !== undefined && offset + ContentLength < size) {
      const held = offset + ContentLength;
      throw new DamagedError(`${key} in ${this.where} is truncated: it has ${held} instead of ${size} bytes`);
    }
    let at = offset;
    try {
      for await (const chunk of Body as AsyncIterable<Buffer>) {
        at += chunk.byteLength;
        yield chunk;
      }
    } catch (error) {
      throw explainS3Error(error, `could not read ${key}`, this.where);
    }
    if (at < size) throw explainS3Error(new Error(`${at} of ${size} bytes`), `${key} is truncated`, this.where);
  }

  async *list(prefix: string): AsyncGenerator<ListedObject> {
    for (let token: string | undefined, more = true; more; ) {
      const continuation: { ContinuationToken?: string } = token === undefined ? {} : { ContinuationToken: token };
      const page = await this.#run('list', 'could not list objects', () =>
        this.#client.send(
          new this.#s3.ListObjectsV2Command({ Bucket: this.location.bucket, Prefix: prefix, ...continuation }),
        ),
      );
      for (const { Key: key, Size: size = 0, LastModified } of page.Contents ?? []) {
        if (key !== undefined) yield { key, size, at: LastModified?.getTime() ?? 0 };
      }
      token = page.NextContinuationToken;
      more = page.IsTruncated === true && token !== undefined;
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += CONCURRENT_REMOVALS) {
      await Promise.all(
        keys
          .slice(at, at + CONCURRENT_REMOVALS)
          .map((key) =>
            this.#run('delete', `could not delete ${key}`, () =>
              this.#client.send(new this.#s3.DeleteObjectCommand(this.#at(key))),
            ),
          ),
      );
    }
  }

  /** Presigns the upload of one object. The size and the checksum of the object are part of the signature. */
  async presignPut(key: string, { size, sha256 }: Checksum, expiresS: number): Promise<PresignedRequest> {
    const headers = { 'content-length': `${size}`, 'x-amz-checksum-sha256': base64Of(sha256) };
    const put = { ...this.#at(key), ContentLength: size, ChecksumSHA256: base64Of(sha256) };
    return {
      url: await this.#presigned(
        (how) => this.#s3.getSignedUrl(this.#client, new this.#s3.PutObjectCommand(put), how),
        expiresS,
      ),
      headers,
    };
  }

  /** Presigns the upload of one part. The signature covers the size of the part. */
  async presignPart(
    key: string,
    uploadId: string,
    { number, size }: FilePiece,
    expiresS: number,
  ): Promise<PresignedRequest> {
    const part = { ...this.#at(key), UploadId: uploadId, PartNumber: number, ContentLength: size };
    const url = await this.#presigned(
      (how) => this.#s3.getSignedUrl(this.#client, new this.#s3.UploadPartCommand(part), how),
      expiresS,
    );
    return { url, headers: { 'content-length': `${size}` } };
  }

  async presignGet(key: string, expiresS: number): Promise<PresignedRequest> {
    return {
      url: await this.#presigned(
        (how) => this.#s3.getSignedUrl(this.#client, new this.#s3.GetObjectCommand(this.#at(key)), how),
        expiresS,
      ),
      headers: {},
    };
  }

  #presigned(sign: (options: RequestPresigningArguments) => Promise<string>, expiresIn: number): Promise<string> {
    return this.#run('presign', 'could not presign a request', () =>
      sign({
        expiresIn,
        // The time on the server's clock. The library has measured how far this clock differs from the local clock.
        signingDate: new Date(Date.now() + (this.#client.config.systemClockOffset ?? 0)),
        unhoistableHeaders: new Set(['x-amz-checksum-sha256']),
        signableHeaders: new Set(['host', 'content-length']),
      }),
    );
  }

  async #createUpload(key: string): Promise<string> {
    const { UploadId } = await this.#run('create_upload', `could not begin the upload of ${key}`, () =>
      this.#client.send(new this.#s3.CreateMultipartUploadCommand(this.#at(key))),
    );
    if (UploadId === undefined) throw new Error(`${this.where} returned no upload id`);
    return UploadId;
  }

  async #partsOf(
    key: string,
    uploadId: string,
  ): Promise<Map<number, { size: number; etag: string; sha256: string | undefined }>> {
    // One page is enough: a file has at most 64 parts, and a page has up to 1,000.
    const { Parts = [] } = await this.#run('list_parts', `could not list the parts of ${key}`, () =>
      this.#client.send(new this.#s3.ListPartsCommand({ ...this.#at(key), UploadId: uploadId })),
    );
    return new Map(
      Parts.map(({ PartNumber = 0, Size = 0, ETag = '', ChecksumSHA256 }) => [
        PartNumber,
        { size: Size, etag: ETag, sha256: ChecksumSHA256 },
      ]),
    );
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.location.bucket, Key: key };
  }

  async #run<T>(operation: string, what: string, request: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    const seconds = () => (performance.now() - begun) / 1000;
    try {
      const result = await request();
      this.#observer.onRequest(operation, seconds(), undefined);
      return result;
    } catch (error) {
      const explained = explainS3Error(error, what, this.where);
      // A missing object and a wrong checksum are answers, not failures of the server.
      const isAnswer = explained instanceof NotFoundError || s3Code(error).code === 'BadDigest';
      this.#observer.onRequest(operation, seconds(), isAnswer ? undefined : explained);
      throw explained;
    }
  }
}
