import { concatBytes, type ByteSource } from '@waltz/bytes'
import { framingHeadBytes, isPlainFraming, recognizeFraming, type Framing } from '@waltz/crypto'
import { Fault } from '@waltz/errors'

/** What objects with an extension begin with; extensions that are not here have no mark of their own. */
const FRAMING_OF: ReadonlyMap<string, Framing> = new Map([
  ['lz4', 'lz4'],
  ['zst', 'zstd'],
  ['lzma', 'lzma'],
  ['gz', 'gzip'],
  ['lzo', 'lzo'],
])
/** Marks long enough, or impossible enough in WAL and tar files, to be believed where the extension has none. */
const UNMISTAKABLE: ReadonlySet<Framing> = new Set(['envelope-openpgp', 'yandex-kms', 'openpgp'])

/** What is about to be decompressed. */
export interface FramedObject {
  readonly storedName: string
  /** Of its codec; empty for none. */
  readonly extension: string
  /** Whether a key has opened it already, so that it cannot be encrypted any more. */
  readonly decrypted: boolean
}

/**
 * The bytes of an object, once its beginning does not contradict its name (RF 7.7). An object whose beginning says nothing passes.
 * The source fails with `invalid` `OBJECT_ENCRYPTED` for an encrypted object that was not decrypted, and with `corrupt`
 * `OBJECT_MISNAMED` for one that is compressed in another way than its extension says.
 */
export async function* checkFraming(source: ByteSource, object: FramedObject): AsyncGenerator<Uint8Array, void, undefined> {
  let head: Uint8Array | undefined = new Uint8Array(0)
  for await (const chunk of source) {
    if (head === undefined) {
      yield chunk
      continue
    }
    head = head.length === 0 ? chunk : concatBytes([head, chunk])
    if (head.length < framingHeadBytes) continue
    judge(head, object)
    yield head
    head = undefined
  }
  if (head === undefined) return
  judge(head, object)
  if (head.length > 0) yield head
}

/**
 * Whether an object is encrypted, by its name and first `framingHeadBytes` bytes. An object whose extension has a mark that its beginning
 * lacks counts as encrypted, because libsodium's objects have none.
 */
export function looksEncrypted(storedName: string, head: Uint8Array): boolean {
  const named = FRAMING_OF.get(storedName.slice(storedName.lastIndexOf('.') + 1))
  const found = recognizeFraming(head)
  if (isPlainFraming(found)) return false
  if (found === undefined) return named !== undefined && head.length > 0
  return named !== undefined || UNMISTAKABLE.has(found)
}

function judge(head: Uint8Array, { storedName, extension, decrypted }: FramedObject): void {
  const found = recognizeFraming(head.subarray(0, framingHeadBytes))
  const named = FRAMING_OF.get(extension)
  if (found === undefined || found === named) return
  if (isPlainFraming(found)) {
    // Where the extension has no mark, content of its own may begin like anything.
    if (named === undefined) return
    throw new Fault('corrupt', 'OBJECT_MISNAMED', `${storedName} begins like ${found} data, not like its extension .${extension} says`, {
      hint: `Give a copy of it the extension of ${found}, and find out what renamed it.`,
      context: { key: storedName, framing: found },
    })
  }
  if (decrypted || (named === undefined && !UNMISTAKABLE.has(found))) return
  throw new Fault('invalid', 'OBJECT_ENCRYPTED', `${storedName} is encrypted (${found}), and nothing decrypts it here`, {
    hint: 'Configure the key that it was written with; `waltz st cat` decrypts only with --decrypt.',
    context: { key: storedName, framing: found },
  })
}
