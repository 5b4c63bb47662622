import { Fault } from '@waltz/errors'
import type { Cipher } from './cipher.ts'
import type { DareCipher } from './dare.ts'
import { createDataKeyCipher, type DataKeyFraming } from './data-key-cipher.ts'
import type { KeyService } from './key-service.ts'
import { unpredictableBytes } from './random.ts'

export { awsKeyService, type AwsCredentials, type AwsKeyServiceOptions } from './aws-key-service.ts'
export type { DareCipher } from './dare.ts'
export type { KeyService } from './key-service.ts'

/** What the AWS KMS cipher is made of. */
export interface AwsKmsOptions {
  readonly service: KeyService
  /** The cipher of new objects; both are read. Default: AES-256-GCM. */
  readonly writes?: DareCipher
}

/** What AWS makes of 32 bytes under a symmetric key, and all that WAL-G reads. */
const WRAPPED_BYTES = 184

const FRAMING: DataKeyFraming = {
  scheme: 'aws-kms',
  prefixBytes: 0,
  maxWrappedBytes: WRAPPED_BYTES,
  wrappedBytes: () => WRAPPED_BYTES,
  encode(wrapped) {
    if (wrapped.length === WRAPPED_BYTES) return new Uint8Array(wrapped)
    throw new Fault(
      'unsupported',
      'CRYPTO_WRAPPED_KEY_LENGTH',
      `the key service wrapped the data key into ${wrapped.length} bytes, but the format has room for exactly ${WRAPPED_BYTES}`,
      { hint: 'use a symmetric key of the ordinary kind; nothing was stored', context: { bytes: wrapped.length } },
    )
  },
}

/**
 * WAL-G's AWS KMS cipher (RF 7.4): a data key of 32 random bytes, wrapped by the service, and a DARE 2.0 stream under it. All that one
 * cipher writes has the same data key; the service is asked when the first object is written, and once for each distinct data key read.
 */
export function awsKms(options: AwsKmsOptions): Cipher {
  const { service } = options
  return createDataKeyCipher({
    framing: FRAMING,
    keyName: service.keyId,
    ...(options.writes === undefined ? {} : { writes: options.writes }),
    source: {
      async create() {
        const plaintext = unpredictableBytes(32)
        return { plaintext, wrapped: checked(await service.wrap(plaintext)) }
      },
      unwrap: (wrapped) => service.unwrap(wrapped),
    },
  })
}

/** Refuses a length that nobody could read before anything is stored. */
const checked = (wrapped: Uint8Array): Uint8Array => FRAMING.encode(wrapped)
