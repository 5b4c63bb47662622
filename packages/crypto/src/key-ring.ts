import type { ByteSource } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import type { Cipher } from './cipher.ts'
import { keyInvalidFault } from './crypto-faults.ts'
import { framingHeadBytes, isPlainFraming, recognizeFraming, type Framing } from './framing.ts'
import { emptyUnreadableFault } from './libsodium-empty.ts'
import { splitHead } from './split-head.ts'
import { wantedKeys } from './wanted-keys.ts'

/** What a key ring is made of. At least one cipher must be there. */
export interface KeyRingOptions {
  /** Writes, and reads. Without it nothing can be encrypted. */
  readonly current?: Cipher
  /** Read only, in the order in which they are tried. */
  readonly previous: readonly Cipher[]
  /** What becomes of objects that are compressed but not encrypted when they are read. */
  readonly plaintext: 'refuse' | 'allow'
  /** Told of each object that was let through unencrypted. */
  readonly onPlaintext?: (framing: Framing) => void
}

/** Bytes of what WAL-G writes for nothing with libsodium and no compression. */
const EMPTY_UNREADABLE_BYTES = 17

/**
 * A cipher that writes with the current key and reads with whichever of its keys opens the beginning of an object; the one that did
 * last is tried first. It holds the largest `headBytes` of an object while it tries. Disposing of it disposes of all its ciphers.
 *
 * Its streams throw `corrupt` `CRYPTO_NO_KEY_FITS` when no key does, `denied` `CRYPTO_PLAINTEXT_REFUSED` for an object that is not
 * encrypted unless `plaintext` allows it, `invalid` `CRYPTO_NO_CURRENT_KEY` when something is to be encrypted without a current key, and
 * what a key service said when nothing fits and it could not be asked.
 * @throws Fault `invalid` `CRYPTO_KEY_INVALID` without any cipher.
 */
export function createKeyRing(options: KeyRingOptions): Cipher {
  const ciphers = [...(options.current === undefined ? [] : [options.current]), ...options.previous]
  const [first] = ciphers
  if (first === undefined) throw keyInvalidFault('a key ring needs at least one key')
  const readers = ciphers.filter((cipher) => cipher.canDecrypt)
  const headBytes = Math.max(framingHeadBytes, ...readers.map((cipher) => cipher.headBytes))
  let last: Cipher | undefined

  /** The first cipher that fits. One that cannot tell does not keep the others from being tried. */
  const find = async (head: Uint8Array): Promise<Cipher | undefined> => {
    const order = last === undefined ? readers : [last, ...readers.filter((cipher) => cipher !== last)]
    let undecided: { readonly error: unknown } | undefined
    for (const cipher of order) {
      try {
        if (await cipher.fits(head.subarray(0, cipher.headBytes))) return (last = cipher)
      } catch (error) {
        undecided ??= { error }
      }
    }
    if (undecided !== undefined) throw undecided.error
    return undefined
  }
  async function* decrypt(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
    const { head, body } = await splitHead(source, headBytes)
    try {
      const whole = joined(head, body)
      // Without a private key none can be tried: whatever the first one says of that is the answer.
      const cipher = readers.length === 0 ? first : await find(head)
      if (cipher === undefined) {
        const framing = checkPlaintext(head, readers, options.plaintext)
        options.onPlaintext?.(framing)
        yield* whole
      } else yield* cipher.decrypt(whole)
    } finally {
      await body.close()
    }
  }
  return {
    scheme: first.scheme,
    keyName: first.keyName,
    canDecrypt: readers.length > 0,
    authenticates: readers.some((cipher) => cipher.authenticates === 'at-the-end') ? 'at-the-end' : 'before-release',
    headBytes,
    encrypt: (source) => (options.current === undefined ? withoutKey() : options.current.encrypt(source)),
    decrypt,
    fits: async (head) => (await find(head)) !== undefined,
    [Symbol.dispose]() {
      for (const cipher of ciphers) cipher[Symbol.dispose]()
    },
  }
}

async function* joined(head: Uint8Array, body: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  if (head.length > 0) yield head
  yield* body
}

// oxlint-disable-next-line require-yield -- it is a source all the same, and fails like one
async function* withoutKey(): AsyncGenerator<Uint8Array, void, undefined> {
  throw new Fault('invalid', 'CRYPTO_NO_CURRENT_KEY', 'nothing can be encrypted: only keys for reading are configured', {
    hint: 'configure the key for new objects; previous keys are for reading alone',
  })
}

/** The framing of an object that may be read as it is; throws for all others, to which no key fits. */
function checkPlaintext(head: Uint8Array, readers: readonly Cipher[], plaintext: 'refuse' | 'allow'): Framing {
  const framing = recognizeFraming(head)
  if (framing !== undefined && isPlainFraming(framing)) {
    if (plaintext === 'allow') return framing
    throw new Fault('denied', 'CRYPTO_PLAINTEXT_REFUSED', `the object is not encrypted: it begins like plain ${framing} data`, {
      hint: 'find out who wrote it without the key; if it is to be trusted, allow plaintext when reading',
      context: { framing },
    })
  }
  if (head.length === EMPTY_UNREADABLE_BYTES && readers.some(({ scheme }) => scheme === 'libsodium')) throw emptyUnreadableFault()
  throw noKeyFault(head, readers, framing)
}

function noKeyFault(head: Uint8Array, readers: readonly Cipher[], framing: Framing | undefined): Fault {
  const wanted = wantedKeys(framing, head).join(', ')
  const looks = framing === undefined ? 'no mark tells how it was made' : `it looks like ${framing}`
  const asked = wanted === '' ? '' : `, for the keys ${wanted}`
  const tried = readers.map(({ scheme, keyName }) => `${scheme} ${keyName}`).join(', ')
  return new Fault(
    'corrupt',
    'CRYPTO_NO_KEY_FITS',
    head.length === 0
      ? 'the object is empty, which nothing encrypted ever is'
      : `none of the ${readers.length} configured keys opens the object: ${looks}${asked}`,
    {
      hint:
        framing === undefined
          ? `it was written with another key, is damaged at its beginning, or is not encrypted at all; tried: ${tried}`
          : `add the key it was written with to the previous keys; if that is there, the object is damaged at its beginning; tried: ${tried}`,
      context: { framing: framing ?? 'unknown', wanted, offset: 0 },
    },
  )
}
