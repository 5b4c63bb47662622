import { Fault, isFault } from '@waltz/errors'
import type { ByteRange } from '@waltz/bytes'
import { createObjectBody } from './object-body.ts'
import type { ObjectBody, ObjectInfo } from './object-store.ts'
import type { Attempts } from './retry-policy.ts'

/** A body at hand and the means to continue it. */
export interface ResumableRead {
  readonly body: ObjectBody
  /** What the body was asked for; undefined is everything. */
  readonly range: ByteRange | undefined
  readonly attempts: Attempts
  readonly reopen: (range: ByteRange) => Promise<ObjectBody>
}

/**
 * A body that survives broken connections: after a retryable failure it goes on with a ranged read from the next
 * byte, if size, etag and modification time still are those of the first answer.
 * @throws Fault from the iteration: `conflict` `STORAGE_OBJECT_CHANGED` when the object was replaced or deleted; the
 * store's own fault when attempts are spent.
 */
export function resumingBody({ body, range, attempts, reopen }: ResumableRead): ObjectBody {
  const { info } = body
  let current = body
  let next = range?.start ?? 0
  let disposed = false

  const resume = async (): Promise<void> => {
    await Promise.resolve(current[Symbol.asyncDispose]()).catch(() => undefined) // it has failed already
    const reopened = await reopen(range?.end === undefined ? { start: next } : { start: next, end: Math.max(range.end, next) }).catch(
      (error: unknown) => {
        throw isFault(error, 'not-found') ? changedFault(info, 'deleted', error) : error
      },
    )
    if (!disposed && isSameObject(info, reopened.info)) {
      current = reopened
      return
    }
    await reopened[Symbol.asyncDispose]()
    throw changedFault(info, 'replaced')
  }

  async function* read(): AsyncGenerator<Uint8Array> {
    let broken = false
    for (;;) {
      try {
        if (broken) await resume()
        broken = false
        for await (const chunk of current) {
          next += chunk.length
          attempts.progressed()
          yield chunk
        }
        return
      } catch (error) {
        await attempts.failed(error)
        broken = true
      }
    }
  }

  const close = async (): Promise<void> => {
    disposed = true
    await current[Symbol.asyncDispose]()
  }
  return createObjectBody({ info, read, close })
}

function isSameObject(first: ObjectInfo, now: ObjectInfo): boolean {
  return (
    first.size === now.size &&
    first.etag === now.etag &&
    first.modifiedAt.getTime() === now.modifiedAt.getTime() &&
    first.modifiedAtNs === now.modifiedAtNs
  )
}

/** Not `not-found`: bytes were handed out already, so "there is no such object" would be a lie. */
function changedFault({ key }: ObjectInfo, what: string, cause?: unknown): Fault {
  return new Fault('conflict', 'STORAGE_OBJECT_CHANGED', `${key} was ${what} while it was read`, {
    hint: 'read it again',
    context: { key },
    cause,
  })
}
