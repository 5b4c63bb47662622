import type { ByteSource } from '@waltz/bytes'
import { isSealedKey } from '@waltz/repository/rotation'
import type { CopySide } from './copy-options.ts'

/** What becomes of sealed objects on their way: their names, and the bytes between opening and sealing. */
export interface StoredRoute {
  /** Whether the bytes of sealed objects change at all. */
  readonly changes: boolean
  /** Whether their names do, and what lies in front of the codec is opened. */
  readonly recompresses: boolean
  /** The name that an object of a backup or of the archive has in the target. */
  nameFor(storedName: string): string
  /** What is inside a source's object, as it is compared. */
  open(storedName: string, source: ByteSource): Promise<ByteSource>
  /** Packs it for the target. */
  seal(content: ByteSource): ByteSource
  /** What is inside an object that was packed for the target. */
  openSealed(storedName: string, source: ByteSource): Promise<ByteSource>
}

/** How the bytes change. */
export interface RouteOptions {
  readonly from: CopySide
  readonly to: CopySide
  readonly reencrypt: boolean
  readonly recompress: boolean
}

/** The route for these wishes. What is not wished stays: recompressed objects are encrypted with the source's key again. */
export function createStoredRoute({ from, to, reencrypt, recompress }: RouteOptions): StoredRoute {
  if (recompress) {
    const bases = baseNamer(from)
    return {
      changes: true,
      recompresses: true,
      nameFor: (name) => to.format.nameFor(bases(name)),
      open: (name, source) => from.format.open(name, source),
      seal: (content) =>
        reencrypt ? to.format.seal(content) : from.format.seal(to.format.seal(content, { encrypt: false }), { compress: false }),
      openSealed: (name, source) => (reencrypt ? to : from).format.open(name, source),
    }
  }
  return {
    changes: reencrypt,
    recompresses: false,
    nameFor: (name) => name,
    open: (name, source) => from.format.open(name, source, { decompress: false }),
    seal: (content) => to.format.seal(content, { compress: false }),
    openSealed: (name, source) => to.format.open(name, source, { decompress: false }),
  }
}

/** Takes the extension of a codec off a stored name; a trailing dot is one, too (RF 12). */
function baseNamer({ format }: CopySide): (name: string) => string {
  const known = new Set(['', ...format.extensions])
  return (name) => {
    const dot = name.lastIndexOf('.')
    return dot !== -1 && known.has(name.slice(dot + 1)) ? name.slice(0, dot) : name
  }
}

/** The target's key of an object of the source. */
export function routedKey(route: StoredRoute, key: string): string {
  if (!route.recompresses || !isSealedKey(key)) return key
  const slash = key.lastIndexOf('/') + 1
  return key.slice(0, slash) + route.nameFor(key.slice(slash))
}
