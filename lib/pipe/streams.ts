import { PipeClosedError } from "../errors.ts";
import type { Kind } from "./mailbox.ts";
import type { Pipe } from "./pipe_types.ts";
import type { Message } from "./types.ts";

/**
 * The input as a web stream without a buffer of its own: it takes a message when one is asked for.
 *
 * @param messages A loop whose messages are for keeps: a stream behind it may hold them.
 */
export function readableOf(
  messages: AsyncIterator<Message, undefined>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { done, value } = await messages.next();
      if (done === true) controller.close();
      else controller.enqueue(value[0]);
    },
    async cancel() {
      await messages.return?.();
    },
  }, { highWaterMark: 0 });
}

/** The output as a web stream: a chunk is a `send`, closing ends this side of a stream. */
export function writableOf(pipe: Pipe, kind: Kind): WritableStream<Uint8Array> {
  return new WritableStream<Uint8Array>({
    start(controller) {
      // A writer that waits for nothing but `closed` learns of the end too.
      pipe.closed.then(({ error }) =>
        controller.error(new PipeClosedError("Cannot write: the pipe is closed", { cause: error }))
      );
    },
    async write(chunk) {
      await pipe.send(chunk);
    },
    async close() {
      if (kind === "stream") await pipe.closeWrite();
    },
    abort(reason) {
      pipe.abort(reason);
    },
  });
}
