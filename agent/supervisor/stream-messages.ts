/**
 * Writes the messages of one Report stream. If the coordinator accepts batches, several records are sent in one message,
 * because the cost of a message hardly depends on its size. Claims are then also sent on the stream.
 */
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { UnreachableError } from '../../proto/errors.ts';
import type {
  Claim,
  ClaimAnswer,
  ClaimRequest,
  OpenResponse,
  Record as RecordMessage,
  ReportRequest,
  ReportResponse,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import { Gathering } from './gathering.ts';

/**
 * A batch is sent as soon as its estimated size reaches this number of bytes, and a record of this estimated size is sent
 * alone. A batch is therefore smaller than twice this size. The coordinator accepts messages of up to four times this
 * size.
 */
const MAX_BATCH_BYTES = 1024 * 1024;
/** A batch is sent as soon as it contains this number of records. The coordinator accepts up to 16 times this number. */
const MAX_BATCH_RECORDS = 256;

export type ReportStream = ClientDuplexStream<ReportRequest, ReportResponse>;

export type OnClaimAnswer = (error: Error | null, response: OpenResponse) => void;

interface OpenClaim {
  readonly onAnswer: OnClaimAnswer;
  readonly timer: NodeJS.Timeout;
}

export class StreamMessages {
  /** Whether the coordinator accepts batches. False until the coordinator's welcome message has been read. */
  batches = false;
  /**
   * The minimum time in milliseconds between the previous batch and a batch of records that can wait: all records except
   * artifacts and ends of attempts. The coordinator sets this time. Default: 0.
   */
  gatherMs = 0;
  readonly #stream: Pick<ReportStream, 'write'>;
  /** The claim requests that have not been answered, by id. */
  readonly #claims = new Map<number, OpenClaim>();
  readonly #gathering = new Gathering(() => this.flush());
  #records: RecordMessage[] = [];
  #bytes = 0;
  #nextId = 1;
  #closed = false;

  constructor(stream: Pick<ReportStream, 'write'>) {
    this.#stream = stream;
  }

  /**
   * Writes a message. Records are gathered until `flush` or, depending on `gatherMs`, at least until the next turn of the
   * event loop.
   */
  write(request: ReportRequest): void {
    const { message } = request;
    const bytes = this.batches && message?.$case === 'record' ? maxBytes(message.record) : Number.POSITIVE_INFINITY;
    if (message?.$case !== 'record' || bytes >= MAX_BATCH_BYTES) {
      this.flush();
      this.#stream.write(request);
      return;
    }
    this.#gathering.schedule(canWait(message.record) ? this.gatherMs : 0);
    this.#records.push(message.record);
    this.#bytes += bytes;
    if (this.#bytes >= MAX_BATCH_BYTES || this.#records.length >= MAX_BATCH_RECORDS) this.flush();
  }

  /** Writes the gathered records. */
  flush(): void {
    if (this.#records.length === 0) return;
    this.#writeBatch([]);
  }

  #writeBatch(claimRequests: ClaimRequest[]): void {
    const records = this.#records;
    this.#records = [];
    this.#bytes = 0;
    if (!this.#closed) this.#stream.write({ message: { $case: 'batch', batch: { records, claimRequests } } });
  }

  /**
   * Claims leases. Gathered records are sent first, because one of them may report the end of the attempt that still
   * occupies a claimed slot. Calls back with an error if the stream ends, or if the coordinator does not answer within
   * the timeout.
   */
  claim(claims: Claim[], timeoutMs: number, onAnswer: OnClaimAnswer): void {
    const id = this.#nextId++;
    const timer = setTimeout(() => {
      this.#fail(id, `the coordinator did not answer a claim within ${timeoutMs} ms`);
    }, timeoutMs);
    this.#claims.set(id, { onAnswer, timer });
    if (this.#closed) setImmediate(() => this.#fail(id, 'the stream to the coordinator is closed'));
    else this.#writeBatch([{ id, claims }]);
  }

  /** Handles the answer to a claim. An answer that came too late is ignored. */
  answered({ id, decisions }: ClaimAnswer): void {
    this.#take(id)?.onAnswer(null, { decisions, leaderEpoch: 0 });
  }

  /**
   * Calls back with an error for each claim request that has not been answered. Must be called when the stream has
   * ended.
   */
  close(): void {
    this.#closed = true;
    this.#gathering.cancel();
    this.#records = [];
    for (const id of [...this.#claims.keys()]) this.#fail(id, 'the stream to the coordinator ended');
  }

  #fail(id: number, message: string): void {
    this.#take(id)?.onAnswer(new UnreachableError(message), { decisions: [], leaderEpoch: 0 });
  }

  #take(id: number): OpenClaim | undefined {
    const claim = this.#claims.get(id);
    clearTimeout(claim?.timer);
    this.#claims.delete(id);
    return claim;
  }
}

function canWait({ body }: RecordMessage): boolean {
  return body?.$case !== 'artifact' && body?.$case !== 'ended';
}

/**
 * Returns an upper bound of a record's size, in bytes. A character has at most four bytes in UTF-8. All fields except the
 * texts and the values of metrics have together fewer than 512 bytes.
 */
function maxBytes({ body }: RecordMessage): number {
  return textsOf(body).reduce((sum, text) => sum + 4 * text.length + 16, 512);
}

/** Returns the texts of a record's body whose lengths differ from record to record. */
function textsOf(body: RecordMessage['body']): readonly string[] {
  switch (body?.$case) {
    case 'epoch':
      return Object.keys(body.epoch.metrics);
    case 'log':
      return [body.log.text];
    case 'artifact':
      return [body.artifact.name];
    case 'notice':
      return [body.notice.message];
    case 'program': {
      const { command, interpreter, python, packages } = body.program;
      return [...command, interpreter, python, packages];
    }
    case 'ended':
      return body.ended.failure === undefined ? [] : [body.ended.failure.message];
    default:
      return [];
  }
}
