/**
 * Limits the concurrent calls of each caller and of all callers together, so that no caller can use up the
 * coordinator's memory or the limits that all callers share.
 */
import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';

export interface CallLimit {
  /** The maximum number of concurrent calls of one caller. */
  readonly perCaller: number;
  /** The maximum number of concurrent calls of all callers together. */
  readonly total: number;
}

/** The limits for calls that keep only a few rows, or one chunk of a file, in memory while the client reads slowly. */
const STREAMS: CallLimit = { perCaller: 64, total: 512 };
/** The limits for calls that read a whole sweep. */
const WHOLE_SWEEPS: CallLimit = { perCaller: 16, total: 64 };

/** The limits of concurrent calls, by method. */
const LIMITS: Readonly<Record<string, CallLimit>> = {
  '/trawl.v1.AttemptService/Report': { perCaller: 8, total: 8_192 },
  '/trawl.v1.ArtifactService/Put': { perCaller: 32, total: 256 },
  '/trawl.v1.ArtifactService/List': STREAMS,
  '/trawl.v1.ArtifactService/Read': { perCaller: 256, total: 1_024 },
  '/trawl.v1.CodeService/PutCode': { perCaller: 8, total: 32 },
  '/trawl.v1.CodeService/ReadCode': STREAMS,
  '/trawl.v1.OperationsService/Backup': { perCaller: 2, total: 4 },
  '/trawl.v1.SweepService/ListConfigs': WHOLE_SWEEPS,
  '/trawl.v1.SweepService/ListCurves': WHOLE_SWEEPS,
  '/trawl.v1.SweepService/ListReports': WHOLE_SWEEPS,
  '/trawl.v1.SweepService/ListTrials': WHOLE_SWEEPS,
  '/trawl.v1.SweepService/ReadLog': STREAMS,
  '/trawl.v1.SweepService/Watch': { perCaller: 64, total: 256 },
};
/** The limit of every method that is not listed. */
const OTHER: CallLimit = { perCaller: 128, total: 1_024 };

/** Returns the limit of a method, by its path. */
function callLimit(path: string): CallLimit {
  return LIMITS[path] ?? OTHER;
}

/** Counts the concurrent calls of one method. */
class ConcurrentCalls {
  readonly #limit: CallLimit;
  readonly #byCaller = new Map<string, number>();
  #total = 0;

  constructor(limit: CallLimit) {
    this.#limit = limit;
  }

  /**
   * Counts a call, unless the call would exceed a limit.
   * @returns the exceeded limit, for the message; undefined if the call was counted
   */
  add(caller: string): string | undefined {
    const own = this.#byCaller.get(caller) ?? 0;
    const { perCaller, total } = this.#limit;
    if (own >= perCaller) return `max ${perCaller} per caller`;
    if (this.#total >= total) return `max ${total} in total`;
    this.#total += 1;
    this.#byCaller.set(caller, own + 1);
    return undefined;
  }

  /** Stops counting a call that has ended. */
  remove(caller: string): void {
    this.#total -= 1;
    const left = (this.#byCaller.get(caller) ?? 1) - 1;
    if (left > 0) this.#byCaller.set(caller, left);
    else this.#byCaller.delete(caller);
  }
}

/**
 * Rejects calls beyond the limits with RESOURCE_EXHAUSTED.
 * @param callerOf returns the name of the caller of a call; all calls by one caller give the same name
 */
export function concurrencyInterceptor(
  callerOf: (call: ServerInterceptingCallInterface) => string,
  limitOf: (path: string) => CallLimit = callLimit,
): ServerInterceptor {
  const methods = new Map<string, ConcurrentCalls>();
  return ({ path }, call) => {
    const calls = methods.get(path) ?? new ConcurrentCalls(limitOf(path));
    methods.set(path, calls);
    let counted: string | undefined;
    const leave = () => {
      if (counted !== undefined) calls.remove(counted);
      counted = undefined;
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            const caller = callerOf(call);
            const exceeded = calls.add(caller);
            if (exceeded === undefined) {
              counted = caller;
              return pass(metadata);
            }
            const method = path.split('/').at(-1);
            const details = `too many concurrent ${method} calls (${exceeded}): retry later`;
            call.sendStatus({ code: status.RESOURCE_EXHAUSTED, details });
          },
          // Despite its name, this function is called for every call that ends, after the stream of the call is closed.
          onCancel: leave,
        }),
      sendStatus: (end, pass) => {
        leave();
        pass(end);
      },
    });
  };
}
