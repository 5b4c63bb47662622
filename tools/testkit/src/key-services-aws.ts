import { randomBytes } from 'node:crypto'
import type { HttpAnswer, SeenRequest } from './key-services-http.ts'

/** Who may ask a fake of AWS KMS, and for which keys. */
export interface AwsKmsFakeOptions {
  readonly keyIds: readonly string[]
  /** Anybody's unless given. */
  readonly accessKeyId?: string
  readonly region: string
}

/**
 * A FAKE of AWS KMS, which speaks its JSON 1.1 protocol: Encrypt makes blobs that only this fake opens. It looks at the scope of a
 * signature, not at the signature itself.
 */
export interface AwsKmsFake {
  readonly keyIds: readonly string[]
  /** What Decrypt opens: blob in base64 -> plain bytes. Add recorded ones here. */
  readonly keys: Map<string, Uint8Array>
  /** How long new blobs are; those of AWS have 184 bytes for a data key of 32 bytes. */
  blobBytes: number
  /** Given first, in their order, whatever is asked. */
  readonly answers: HttpAnswer[]
  answer(request: SeenRequest): HttpAnswer
}

const BLOB_BYTES = 184

/** Makes one; it listens nowhere by itself. */
export function createAwsKmsFake({ keyIds, accessKeyId = '\\w+', region }: AwsKmsFakeOptions): AwsKmsFake {
  const signed = new RegExp(`^AWS4-HMAC-SHA256 Credential=${accessKeyId}/\\d{8}/${region}/kms/aws4_request, `)
  const fake: AwsKmsFake = {
    keyIds,
    keys: new Map(),
    blobBytes: BLOB_BYTES,
    answers: [],
    answer: (request) => {
      const planned = fake.answers.shift()
      if (planned !== undefined) return planned
      if (!signed.test(request.headers.authorization ?? '')) return awsFailure('MissingAuthenticationTokenException', 'no signature')
      const body = JSON.parse(request.body) as Record<string, string>
      if (body['EncryptionContext'] !== undefined) return awsFailure('InvalidCiphertextException', '')
      switch (request.headers['x-amz-target']) {
        case 'TrentService.Encrypt':
          return encrypt(fake, body)
        case 'TrentService.Decrypt':
          return decrypt(fake, body)
        default:
          return awsFailure('UnknownOperationException', '')
      }
    },
  }
  return fake
}

const ALGORITHM = { EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' } as const

function encrypt({ keyIds, keys, blobBytes }: AwsKmsFake, body: Readonly<Record<string, string>>): HttpAnswer {
  const KeyId = keyIds.find((known) => known === body['KeyId'])
  if (KeyId === undefined) return awsFailure('NotFoundException', 'no such key')
  const blob = Buffer.concat([Buffer.from([1, 2, 2, 0]), randomBytes(blobBytes - 4)]).toString('base64')
  keys.set(blob, Buffer.from(body['Plaintext'] ?? '', 'base64'))
  return { status: 200, body: { CiphertextBlob: blob, KeyId, ...ALGORITHM } }
}

function decrypt({ keyIds, keys }: AwsKmsFake, body: Readonly<Record<string, string>>): HttpAnswer {
  const plain = keys.get(body['CiphertextBlob'] ?? '')
  if (plain === undefined || body['KeyId'] !== undefined) return awsFailure('InvalidCiphertextException', '')
  return { status: 200, body: { Plaintext: Buffer.from(plain).toString('base64'), KeyId: keyIds[0], ...ALGORITHM } }
}

/** An answer that names an exception of AWS. */
export function awsFailure(type: string, message: string, status = 400): HttpAnswer {
  return {
    status,
    body: { __type: type, message },
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-errortype': type, 'x-amzn-requestid': 'request-1' },
  }
}
