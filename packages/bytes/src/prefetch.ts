import type { ByteSource } from './byte-source.ts'

/**
 * Lets the source run ahead of its consumer until `bytes` are waiting (always at least one chunk). Generators
 * otherwise run in lockstep: a disk would idle while the network is busy. A failure arrives in order, after the
 * chunks before it.
 */
export async function* prefetch(source: ByteSource, bytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]()
  const ready: Uint8Array[] = []
  const state: { held: number; ended: boolean; stopped: boolean; failure?: { readonly error: unknown } } = {
    held: 0,
    ended: false,
    stopped: false,
  }
  let arrival: (() => void) | undefined
  let room: (() => void) | undefined

  const pump = async (): Promise<void> => {
    try {
      while (!state.stopped) {
        if (state.held >= bytes && ready.length > 0) await new Promise<void>((resolve) => (room = resolve))
        if (state.stopped) return
        const { done, value } = await iterator.next()
        if (done === true) return
        ready.push(value)
        state.held += value.length
        arrival?.()
      }
    } catch (error) {
      state.failure = { error }
    } finally {
      if (!state.stopped) state.ended = true
      arrival?.()
    }
  }

  const pumping = pump()
  try {
    for (;;) {
      const chunk = ready.shift()
      if (chunk !== undefined) {
        state.held -= chunk.length
        room?.()
        yield chunk
      } else if (state.ended) {
        if (state.failure !== undefined) throw state.failure.error
        return
      } else {
        await new Promise<void>((resolve) => (arrival = resolve))
        arrival = undefined
      }
    }
  } finally {
    state.stopped = true
    room?.()
    await pumping
    if (!state.ended) await iterator.return?.()
  }
}
