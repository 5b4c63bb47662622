import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createAwsKmsFake, type AwsKmsFake } from './key-services-aws.ts'
import { startHttpFake, type SeenRequest } from './key-services-http.ts'
import { createYandexCloudFake, type YandexCloudFake } from './key-services-yandex.ts'

/** FAKES of AWS KMS and of Yandex Cloud, side by side on one port of the loopback address. */
export interface KeyServices extends AsyncDisposable {
  readonly url: string
  readonly aws: AwsKmsFake
  readonly yandex: YandexCloudFake
  /** Every request to either, in the order of their arrival. */
  readonly seen: readonly SeenRequest[]
  /** Settings that encrypt with a key of AWS KMS; another pair of keys does as well. */
  awsSettings(keyId?: string): Readonly<Record<string, string>>
  /** Settings that encrypt with a key of Yandex KMS; tokens come as they do on a virtual machine. */
  yandexSettings(keyId?: string): Readonly<Record<string, string>>
  /** Settings that encrypt with an OpenPGP key, given armoured, that Yandex KMS has wrapped. */
  envelopeSettings(armoredKey: string): Readonly<Record<string, string>>
  /** From now on the keys that a fixture's `kms-keys.json` recorded are opened, too. */
  addRecordedKeys(path: string): void
  stop(): Promise<void>
}

const REGION = 'eu-central-1'
/** The first of each is the one of the fixtures. */
const AWS_KEYS = [1, 2].map((digit) => `arn:aws:kms:${REGION}:111122223333:key/${`${digit}`.repeat(8)}-2222-3333-4444-555555555555`)
const YANDEX_KEYS = ['abj0000000000000fake', 'abj0000000000second0']

/** Starts them. */
export async function startKeyServices(): Promise<KeyServices> {
  const aws = createAwsKmsFake({ keyIds: AWS_KEYS, region: REGION })
  const yandex = createYandexCloudFake({ keyIds: YANDEX_KEYS })
  const server = await startHttpFake((request) =>
    request.headers['x-amz-target'] === undefined ? yandex.answer(request) : aws.answer(request),
  )
  const { url, seen } = server
  const tokens = { WALTZ_YC_METADATA_ENDPOINT: url }
  return {
    url,
    aws,
    yandex,
    seen,
    awsSettings: (keyId = AWS_KEYS[0] as string) => ({
      WALG_CSE_KMS_ID: keyId,
      WALG_CSE_KMS_REGION: REGION,
      WALTZ_CSE_KMS_ENDPOINT: url,
      AWS_ACCESS_KEY_ID: 'testkey',
      AWS_SECRET_ACCESS_KEY: 'testsecret',
    }),
    yandexSettings: (keyId = YANDEX_KEYS[0] as string) => ({ YC_CSE_KMS_KEY_ID: keyId, WALTZ_YC_KMS_ENDPOINT: url, ...tokens }),
    envelopeSettings: (armoredKey) => ({
      WALG_ENVELOPE_PGP_KEY: yandex.wrap(Buffer.from(armoredKey)),
      WALG_ENVELOPE_PGP_YC_CSE_KMS_KEY_ID: YANDEX_KEYS[0] as string,
      WALG_ENVELOPE_PGP_YC_ENDPOINT: url,
      ...tokens,
    }),
    addRecordedKeys: (path) => {
      for (const [wrapped, plain] of recordedKeys(path)) {
        aws.keys.set(wrapped, plain)
        yandex.keys.set(wrapped, plain)
      }
    },
    stop: () => server.close(),
    [Symbol.asyncDispose]: () => server.close(),
  }
}

interface Recorded {
  readonly keys?: readonly { readonly ciphertext_b64?: string; readonly wrapped_b64?: string; readonly data_key_hex: string }[]
  /** Of an envelope: the one key, and the file that it is, beside the record. */
  readonly wrapped_b64?: string
  readonly plaintext_file?: string
}

function recordedKeys(path: string): readonly (readonly [wrapped: string, plain: Uint8Array])[] {
  const { keys = [], wrapped_b64: wrapped, plaintext_file: file } = JSON.parse(readFileSync(path, 'utf8')) as Recorded
  const dataKeys = keys.map((key) => [key.ciphertext_b64 ?? key.wrapped_b64 ?? '', Buffer.from(key.data_key_hex, 'hex')] as const)
  return wrapped === undefined || file === undefined ? dataKeys : [...dataKeys, [wrapped, readFileSync(join(dirname(path), file))]]
}
