import type { Cipher } from './cipher.ts'
import { damagedFault, unsupportedFormatFault } from './crypto-faults.ts'
import { createDataKeyCipher, type DataKeyFraming } from './data-key-cipher.ts'
import type { YandexKeyService } from './yandex-key-service.ts'
import { Fault } from '@waltz/errors'

export { yandexKeyService, type YandexDataKey, type YandexKeyService, type YandexKeyServiceOptions } from './yandex-key-service.ts'
export type { YandexCredentials } from './yandex-token.ts'
export type { ServiceCallOptions } from './service-calls.ts'

/** What the Yandex KMS cipher is made of. */
export interface YandexKmsOptions {
  readonly service: YandexKeyService
}

const MAGIC = Buffer.from('yckms', 'latin1')
const VERSION = 1
const PREFIX_BYTES = 10
const MAX_WRAPPED_BYTES = 4096

const FRAMING: DataKeyFraming = {
  scheme: 'yandex-kms',
  prefixBytes: PREFIX_BYTES,
  maxWrappedBytes: MAX_WRAPPED_BYTES,
  wrappedBytes(prefix) {
    const bytes = Buffer.from(prefix.buffer, prefix.byteOffset, prefix.length)
    if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw damagedFault(at(0), 'it does not begin with yckms')
    if (bytes[5] !== VERSION) throw unsupportedFormatFault(at(5), `is of version ${bytes[5] ?? 0} instead of ${VERSION}`)
    const length = bytes.readUInt32LE(6)
    if (length === 0 || length > MAX_WRAPPED_BYTES) {
      throw damagedFault(at(6), `a wrapped key of ${length} bytes is announced, more than ${MAX_WRAPPED_BYTES} or none`)
    }
    return length
  },
  encode(wrapped) {
    if (wrapped.length === 0 || wrapped.length > MAX_WRAPPED_BYTES) {
      throw new Fault(
        'unsupported',
        'CRYPTO_WRAPPED_KEY_LENGTH',
        `the key service wrapped the data key into ${wrapped.length} bytes, but the format has room for ${MAX_WRAPPED_BYTES}`,
        { hint: 'check the endpoint of the key service; nothing was stored', context: { bytes: wrapped.length } },
      )
    }
    const head = Buffer.alloc(PREFIX_BYTES + wrapped.length)
    head.set(MAGIC)
    head[5] = VERSION
    head.writeUInt32LE(wrapped.length, 6)
    head.set(wrapped, PREFIX_BYTES)
    return new Uint8Array(head)
  },
}

const at = (offset: number) => ({ scheme: 'yandex-kms', offset }) as const

/**
 * WAL-G's Yandex KMS cipher (RF 7.5): magic, version, wrapped data key, DARE 2.0 with AES-256-GCM. All that one cipher writes has the
 * same data key; the service is asked when the first object is written, and once for each distinct data key read.
 */
export function yandexKms(options: YandexKmsOptions): Cipher {
  const { service } = options
  return createDataKeyCipher({
    framing: FRAMING,
    keyName: service.keyId,
    strict: true,
    source: {
      async create() {
        const made = await service.generateDataKey()
        // Refused here, before anything is stored, when the format has no room for it.
        FRAMING.encode(made.ciphertext)
        return { plaintext: made.plaintext, wrapped: made.ciphertext }
      },
      unwrap: (wrapped) => service.decrypt(wrapped),
    },
  })
}
