import { createHash } from 'node:crypto'
import type { OpenedCipher } from './open-cipher.ts'

/** Private keys that a service unwrapped, by what they were wrapped into. */
export interface UnwrappedKeys {
  /** Rejects with what the service or the opening of the key fails with, unless the key was given before. Concurrent asks are one. */
  get(wrapped: Uint8Array): Promise<OpenedCipher>
  /** Overwrites all keys. */
  dispose(): void
}

/** Where keys come from, and how long they are good. */
export interface UnwrappedKeysOptions {
  unwrap(wrapped: Uint8Array): Promise<Uint8Array>
  open(armoredKeys: string): Promise<OpenedCipher>
  readonly now: () => Date
  /** 0 means for ever. */
  readonly expirationMs: number
  readonly onStaleKey: ((failure: unknown) => void) | undefined
}

interface Entry {
  /** The one ask that is under way, or the last that succeeded. */
  readonly opened: Promise<OpenedCipher>
  freshUntilMs: number
  /** The ask that may replace it. */
  asking?: Promise<OpenedCipher>
}

/** A repository has as many as it had keys. */
const MAX_REMEMBERED = 64
/** While the service fails it is asked no more often than this. */
const ASK_AGAIN_MS = 30_000

/** Failures are not remembered. */
export function createUnwrappedKeys(options: UnwrappedKeysOptions): UnwrappedKeys {
  const entries = new Map<string, Entry>()
  const { now, expirationMs, onStaleKey } = options
  const later = (ms: number): number => (expirationMs === 0 ? Number.POSITIVE_INFINITY : now().getTime() + ms)

  const ask = async (wrapped: Uint8Array): Promise<OpenedCipher> => {
    const bytes = await options.unwrap(wrapped)
    const armoredKeys = new TextDecoder().decode(bytes)
    bytes.fill(0)
    return options.open(armoredKeys)
  }
  const remember = (name: string, opened: Promise<OpenedCipher>): void => {
    entries.delete(name)
    entries.set(name, { opened, freshUntilMs: later(expirationMs) })
    const [oldest] = entries.keys()
    if (entries.size > MAX_REMEMBERED && oldest !== undefined) entries.delete(oldest)
  }
  /** Asks again for a key that is there; the old one goes on when that fails. */
  const renew = async (name: string, entry: Entry, wrapped: Uint8Array): Promise<OpenedCipher> => {
    try {
      const opened = await ask(wrapped)
      remember(name, Promise.resolve(opened))
      return opened
    } catch (error) {
      entry.freshUntilMs = later(Math.min(expirationMs, ASK_AGAIN_MS))
      onStaleKey?.(error)
      return entry.opened
    } finally {
      delete entry.asking
    }
  }
  return {
    get(wrapped) {
      const name = createHash('sha256').update(wrapped).digest('hex')
      const entry = entries.get(name)
      if (entry !== undefined) {
        if (now().getTime() < entry.freshUntilMs) return entry.opened
        return (entry.asking ??= renew(name, entry, wrapped))
      }
      const opened = ask(wrapped)
      remember(name, opened)
      opened.catch(() => {
        if (entries.get(name)?.opened === opened) entries.delete(name)
      })
      return opened
    },
    dispose() {
      for (const { opened } of entries.values())
        opened.then(
          ({ cipher }) => cipher[Symbol.dispose](),
          () => undefined,
        )
      entries.clear()
    },
  }
}
