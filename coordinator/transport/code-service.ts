/** Implements the CodeService. Serves the code of sweeps: users upload code, and agents download it. */
import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { formatSize } from '../../lib/text/size.ts';
import { BadInputError, NotFoundError, RejectedError } from '../../proto/errors.ts';
import type {
  CodeServiceServer,
  PutCodeRequest,
  PutCodeResponse,
  ReadCodeRequest,
  ReadCodeResponse,
} from '../../proto/gen/trawl/v1/code_service.ts';
import type { CodeArchive, Source } from '../../proto/gen/trawl/v1/types.ts';
import { MAX_CODE_BYTES, MAX_DIFF_BYTES } from '../../proto/limits.ts';
import type { CodeArchives } from '../artifacts/code-archives.ts';
import type { SpaceLedger } from '../artifacts/space-ledger.ts';
import type { Guard } from '../auth/guard.ts';
import { agentLeases } from '../core/leases.ts';
import type { Core } from '../core/model.ts';
import type { CodeSpec } from '../grid/spec.ts';
import { streamHandler } from './handlers.ts';
import { MAX_GIT_STATE_BYTES } from './limits.ts';
import { type NextMessage, receiveChunks, uploadHandler } from './uploads.ts';

type PutCall = ServerDuplexStream<PutCodeRequest, PutCodeResponse>;
type ReadCall = ServerWritableStream<ReadCodeRequest, ReadCodeResponse>;

const SHA256 = /^[0-9a-f]{64}$/;

export interface CodeServiceOptions {
  readonly archives: CodeArchives;
  /**
   * The core, whose leases determine which code an agent can read. Undefined if no coordinator runs on the store:
   * uploads are then rejected, and no agent is connected.
   */
  readonly core: Core | undefined;
  readonly guard: Guard;
  readonly space: SpaceLedger;
  readonly log: Logger;
  /** The time limit for the next chunk of an upload, in milliseconds. */
  readonly stallMs?: number | undefined;
}

export function codeService(options: CodeServiceOptions): CodeServiceServer {
  const { log, stallMs } = options;
  return {
    putCode: uploadHandler<PutCodeRequest, PutCodeResponse>(log, (call, next) => receive(call, next, options), stallMs),
    readCode: streamHandler(log, (request, _signal, call) => read(options, request, call)),
  };
}

async function receive(call: PutCall, next: NextMessage<PutCodeRequest>, options: CodeServiceOptions): Promise<void> {
  const { archives, core, space } = options;
  const first = await next();
  if (first?.message?.$case !== 'header') throw new BadInputError('the first message of a PutCode must be a header');
  const archive = checkedArchive(first.message.header);
  if (core === undefined) throw new RejectedError('no coordinator runs on this folder, so uploads are rejected');
  // If another client uploads the same code at the same time, this client waits, and then sends no data.
  await archives.exclusively(archive.sha256, () => store(call, next, { archives, space }, archive));
}

async function store(
  call: PutCall,
  next: NextMessage<PutCodeRequest>,
  { archives, space }: Pick<CodeServiceOptions, 'archives' | 'space'>,
  archive: CodeArchive,
): Promise<void> {
  const send = (message: PutCodeResponse['message']) => call.write({ message });
  if (await archives.secure(archive)) return void send({ $case: 'stored', stored: true });
  const incoming = await archives.begin(archive);
  try {
    const onReserved = () => send({ $case: 'offset', offset: incoming.offset });
    const announced = { name: 'the code archive', size: archive.size, space };
    await receiveChunks(incoming, announced, onReserved, async () => {
      const message = (await next())?.message;
      if (message === undefined || message.$case === 'chunk') return message?.chunk;
      throw new BadInputError('the header of a PutCode must be followed only by chunks');
    });
    send({ $case: 'stored', stored: true });
  } finally {
    await incoming.close();
  }
}

/**
 * Checks the checksum and the size that a client sends for a code archive.
 * @throws {BadInputError} if the checksum is malformed, or if the size exceeds the limit
 */
function checkedArchive(archive: CodeArchive): CodeArchive {
  const { sha256, size } = archive;
  if (!SHA256.test(sha256)) throw new BadInputError('the code archive has no valid SHA-256');
  if (!(size > 0 && size <= MAX_CODE_BYTES)) {
    throw new BadInputError(
      `the code archive has ${formatSize(size)}: expected more than 0 and at most ${formatSize(MAX_CODE_BYTES)}`,
    );
  }
  return archive;
}

/**
 * Checks the code of a submission, and checks that its archive is stored. Returns the code that is recorded with the
 * sweep. Undefined if the sweep has no code.
 */
export async function submittedSource(
  code: CodeSpec | undefined,
  source: Source | undefined,
  archives: Pick<CodeArchives, 'holds'> | undefined,
): Promise<Source | undefined> {
  if (code === undefined) {
    if (source === undefined) return undefined;
    throw new BadInputError('the submission has code, but its sweep file has no key "code"');
  }
  if (source?.archive === undefined) {
    throw new BadInputError('the sweep file has the key "code", but the submission has no code: use the trawl command');
  }
  const { archive, files, git, diff } = source;
  checkedArchive(archive);
  if (Buffer.byteLength(diff) > MAX_DIFF_BYTES) throw new BadInputError(`diff too long (max ${MAX_DIFF_BYTES} bytes)`);
  if (git === undefined || Buffer.byteLength(JSON.stringify(git)) > MAX_GIT_STATE_BYTES) {
    throw new BadInputError(`the state of the repository is missing or too long (max ${MAX_GIT_STATE_BYTES} bytes)`);
  }
  if (archives === undefined || !(await archives.holds(archive))) {
    throw new NotFoundError(`the coordinator has no code archive ${archive.sha256}: upload it, then submit again`);
  }
  return { archive, files, git, diff };
}

async function* read(
  { archives, core, guard }: CodeServiceOptions,
  { sha256, offset }: ReadCodeRequest,
  call: ReadCall,
): AsyncGenerator<ReadCodeResponse> {
  if (!SHA256.test(sha256)) throw new BadInputError('a ReadCode must name the SHA-256 of an archive');
  const agentId = guard.agentOf(call);
  if (agentId !== undefined && (core === undefined || !isLeased(core, agentId, sha256))) {
    throw guard.reject('other_attempt', call, `no trial with the code ${sha256} is leased to agent ${agentId}`);
  }
  if (!(await archives.available(sha256))) throw new NotFoundError(`the coordinator has no code archive ${sha256}`);
  for await (const chunk of archives.read(sha256, offset)) yield { chunk };
}

function isLeased(core: Core, agentId: string, sha256: string): boolean {
  return [...agentLeases(core, agentId)].some(({ key }) => {
    return core.sweeps.get(key.sweepId)?.policy.program?.code?.sha256 === sha256;
  });
}
