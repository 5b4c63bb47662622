import type { ByteSource } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import type { Cipher } from './cipher.ts'
import { disposedFault, keyInvalidFault } from './crypto-faults.ts'
import { MAX_ENVELOPE_BYTES, encodeEnvelopeHeader, parseEnvelopeHeader, readEnvelopeHeader } from './openpgp/envelope-header.ts'
import { createUnwrappedKeys, type UnwrappedKeys } from './openpgp/unwrapped-keys.ts'
import { openCipher, type OpenedCipher } from './openpgp/open-cipher.ts'
import type { OpenPgpEngine } from './openpgp/read-message.ts'
import type { YandexKeyService } from './yandex-key-service.ts'

/** What the envelope cipher is made of. */
export interface EnvelopeOpenPgpOptions {
  /** Base64 of an armoured private key that the service has encrypted; line breaks in it do not matter. */
  readonly wrappedKey: string
  readonly keyService: Pick<YandexKeyService, 'decrypt'>
  readonly now: () => Date
  /** How long an unwrapped key is used before the service is asked again, in milliseconds. Default: 0, for ever. */
  readonly cacheExpirationMs?: number
  /** Told when the service could not be asked again, and the key it gave before is used on. */
  readonly onStaleKey?: (failure: unknown) => void
  readonly mustEncrypt?: boolean
  readonly engine?: OpenPgpEngine
}

/**
 * WAL-G's envelope OpenPGP cipher (RF 7.6): OpenPGP messages, each behind a header with the private key as the service wrapped it. The
 * service is asked once here, and again for objects that carry another wrapped key. Content is released as by `openpgp`.
 * @throws Fault `invalid` `CRYPTO_KEY_INVALID` for a setting that is not base64 or too long, or when what the service gives is no
 *   unlocked private key; what the service fails with; what `openpgp` throws.
 */
export async function envelopeOpenPgp(options: EnvelopeOpenPgpOptions): Promise<Cipher> {
  const wrapped = decodeWrappedKey(options.wrappedKey)
  const keys = createUnwrappedKeys({
    unwrap: (bytes) => options.keyService.decrypt(bytes),
    open: (armoredKeys) => openForReading(armoredKeys, options),
    now: options.now,
    expirationMs: options.cacheExpirationMs ?? 0,
    onStaleKey: options.onStaleKey,
  })
  const current = await keys.get(wrapped)
  if (options.mustEncrypt === true) await current.checkRecipients()
  const header = encodeEnvelopeHeader(current.keyIds.join(','), wrapped)
  const { keyName, headBytes } = current.cipher
  let disposed = false
  const alive = (): UnwrappedKeys => {
    if (disposed) throw disposedFault('envelope-openpgp')
    return keys
  }
  return {
    scheme: 'envelope-openpgp',
    keyName,
    canDecrypt: true,
    authenticates: 'at-the-end',
    headBytes: MAX_ENVELOPE_BYTES + headBytes,
    encrypt: (source) => encrypt(source, { alive, wrapped, header }),
    decrypt: (source) => decrypt(source, alive),
    fits: (head) => fits(head, alive),
    [Symbol.dispose]() {
      disposed = true
      keys.dispose()
    },
  }
}

async function openForReading(armoredKeys: string, { now, engine }: EnvelopeOpenPgpOptions): Promise<OpenedCipher> {
  const opened = await openCipher({ armoredKeys, passphrase: undefined, now, engine: engine ?? 'own' })
  opened.checkSecrets()
  return opened
}

/** Standard base64; line ends within do not count, other white space is an error (RF 7.6). */
function decodeWrappedKey(text: string): Uint8Array {
  const encoded = text.replaceAll(/[\r\n]/g, '')
  if (!/^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$|^[A-Za-z0-9+/]{2,3}={1,2}$/.test(encoded)) {
    throw keyInvalidFault('the wrapped OpenPGP key is not base64', 'it is what the key service made of the armoured private key, in base64')
  }
  return new Uint8Array(Buffer.from(encoded, 'base64'))
}

interface Writing {
  readonly alive: () => UnwrappedKeys
  readonly wrapped: Uint8Array
  readonly header: Uint8Array
}

async function* encrypt(source: ByteSource, { alive, wrapped, header }: Writing): AsyncGenerator<Uint8Array, void, undefined> {
  const { cipher } = await alive().get(wrapped)
  let started = false
  for await (const chunk of cipher.encrypt(source)) {
    if (!started) yield Uint8Array.from(header)
    started = true
    yield chunk
  }
}

async function* decrypt(source: ByteSource, alive: () => UnwrappedKeys): AsyncGenerator<Uint8Array, void, undefined> {
  const keys = alive()
  const { wrapped, headerBytes, body } = await readEnvelopeHeader(source)
  try {
    const opened = await keys.get(wrapped)
    yield* opened.decryptAt(body, headerBytes)
  } finally {
    await body.close()
  }
}

async function fits(head: Uint8Array, alive: () => UnwrappedKeys): Promise<boolean> {
  const header = parseEnvelopeHeader(head)
  if (header === undefined) return false
  try {
    const { cipher } = await alive().get(header.wrapped)
    return await cipher.fits(head.subarray(header.headerBytes))
  } catch (error) {
    // Another service's key; whatever else goes wrong leaves open whose it is.
    if (isFault(error) && (error.code === 'CRYPTO_WRAPPED_KEY_REFUSED' || error.code === 'CRYPTO_KEY_INVALID')) return false
    throw error
  }
}
