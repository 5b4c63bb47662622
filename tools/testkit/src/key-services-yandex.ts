import { constants, createPublicKey, generateKeyPairSync, randomBytes, verify, type KeyObject } from 'node:crypto'
import type { HttpAnswer, SeenRequest } from './key-services-http.ts'

/** What a fake of Yandex Cloud knows. */
export interface YandexCloudFakeOptions {
  readonly keyIds: readonly string[]
  /** What time it is there; the machine's own unless given. */
  readonly now?: () => Date
}

/**
 * A FAKE of Yandex Cloud after its REST documents: IAM (a signed request of one service account for a token), the metadata service of a
 * virtual machine, and KMS (generateDataKey, decrypt). Whoever holds a token that it gave may use its keys.
 */
export interface YandexCloudFake {
  readonly keyIds: readonly string[]
  /** The service account's file, as `yc iam key create` writes it. */
  readonly accountFile: string
  /** What decrypt opens, with any of its keys: ciphertext in base64 -> plain bytes. Add recorded ones here. */
  readonly keys: Map<string, Uint8Array>
  /** Tokens that are taken. */
  readonly valid: Set<string>
  /** How long new tokens last. */
  lifeMs: number
  /** How long wrapped data keys are. */
  wrappedBytes: number
  /** Given first, in their order, by KMS; and by IAM. */
  readonly answers: HttpAnswer[]
  readonly tokenAnswers: HttpAnswer[]
  /** Encrypts as the service does, for what is wrapped outside of Waltz; base64. */
  wrap(plain: Uint8Array): string
  answer(request: SeenRequest): HttpAnswer
}

const HALF_A_DAY_MS = 12 * 3_600_000
const WRAPPED_BYTES = 96
const TOKENS = 'https://iam.api.cloud.yandex.net/iam/v1/tokens'
const METADATA_PATH = '/computeMetadata/v1/instance/service-accounts/default/token'
const ACCOUNT = { id: 'ajekeyid', service_account_id: 'ajeaccount' } as const

/** Makes one; it listens nowhere by itself. */
export function createYandexCloudFake({ keyIds, now = () => new Date() }: YandexCloudFakeOptions): YandexCloudFake {
  const { accountFile, publicKey } = account()
  let issued = 0
  const token = (words: string): string => {
    const text = `${words}${++issued}`
    fake.valid.add(text)
    return text
  }
  const exchange = (request: SeenRequest): HttpAnswer => {
    const at = now().getTime()
    const wrong = wrongIn(request, publicKey, Math.floor(at / 1000))
    if (wrong !== undefined) return yandexProblem(401, 16, wrong)
    return { status: 200, body: { iamToken: token('t1.secret-iam-token-'), expiresAt: new Date(at + fake.lifeMs).toISOString() } }
  }
  const fake: YandexCloudFake = {
    keyIds,
    accountFile,
    keys: new Map(),
    valid: new Set(),
    lifeMs: HALF_A_DAY_MS,
    wrappedBytes: WRAPPED_BYTES,
    answers: [],
    tokenAnswers: [],
    wrap: (plain) => {
      const wrapped = randomBytes(Math.max(fake.wrappedBytes, plain.length)).toString('base64')
      fake.keys.set(wrapped, plain)
      return wrapped
    },
    answer: (request) => {
      if (request.path === '/iam/v1/tokens') return fake.tokenAnswers.shift() ?? exchange(request)
      if (request.path === METADATA_PATH) {
        if (request.headers['metadata-flavor'] !== 'Google') return yandexProblem(403, 7, 'no flavor')
        return { status: 200, body: { access_token: token('metadata-token-'), expires_in: fake.lifeMs / 1000, token_type: 'Bearer' } }
      }
      const { authorization = '' } = request.headers
      const planned = fake.answers.shift()
      if (planned !== undefined) return planned
      return fake.valid.has(authorization.slice('Bearer '.length))
        ? useKey(fake, request)
        : yandexProblem(401, 16, `The token ${authorization} is invalid`)
    },
  }
  return fake
}

function useKey(fake: YandexCloudFake, { path, body }: SeenRequest): HttpAnswer {
  const [, keyId = '', verb] = /^\/kms\/v1\/keys\/([^/:]+):(\w+)$/.exec(path) ?? []
  if (!fake.keyIds.includes(keyId)) return yandexProblem(404, 5, 'The specified key does not exist')
  const asked = JSON.parse(body) as Record<string, string>
  const named = { keyId, versionId: 'v1' }
  if (verb === 'generateDataKey') {
    if (asked['dataKeySpec'] !== 'AES_256' || asked['aadContext'] !== undefined) return yandexProblem(400, 3, 'bad spec')
    const plain = randomBytes(32)
    const answer = { ...named, dataKeyPlaintext: plain.toString('base64'), dataKeyCiphertext: fake.wrap(plain) }
    return { status: 200, body: answer }
  }
  const plain = fake.keys.get(asked['ciphertext'] ?? '')
  if (verb !== 'decrypt' || plain === undefined) return yandexProblem(400, 3, 'Ciphertext is invalid')
  return { status: 200, body: { ...named, plaintext: Buffer.from(plain).toString('base64') } }
}

/** What is not as Yandex wants it in a signed request for a token. */
function wrongIn({ body }: SeenRequest, publicKey: KeyObject, issued: number): string | undefined {
  const { jwt = '' } = JSON.parse(body) as { jwt?: string }
  const [head = '', claims = '', signature = ''] = jwt.split('.')
  const text = (part: string): string => Buffer.from(part, 'base64url').toString()
  const key = { key: publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  if (!verify('sha256', Buffer.from(`${head}.${claims}`), key, Buffer.from(signature, 'base64url'))) return 'JWT signature is wrong'
  if (text(head) !== JSON.stringify({ typ: 'JWT', alg: 'PS256', kid: ACCOUNT.id })) return `JWT header is wrong: ${text(head)}`
  const { iss, aud, iat, exp } = JSON.parse(text(claims)) as Record<string, unknown>
  // Clocks need not agree to the second.
  const timely = typeof iat === 'number' && Math.abs(iat - issued) <= 60 && exp === iat + 3600
  return iss === ACCOUNT.service_account_id && aud === TOKENS && timely ? undefined : `JWT claims are wrong: ${text(claims)}`
}

function account(): { readonly accountFile: string; readonly publicKey: KeyObject } {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const publicKey = createPublicKey(privateKey)
  const accountFile = JSON.stringify({
    ...ACCOUNT,
    created_at: '2026-01-01T00:00:00Z',
    key_algorithm: 'RSA_2048',
    public_key: publicKey.export({ type: 'spki', format: 'pem' }),
    private_key: `PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA Key ID <${ACCOUNT.id}>\n${privateKey.export({ type: 'pkcs8', format: 'pem' })}`,
  })
  return { accountFile, publicKey }
}

/** An answer that names a problem as Yandex Cloud does: a gRPC code beside the one of HTTP. */
export function yandexProblem(status: number, code: number, message: string): HttpAnswer {
  return { status, body: { code, message, details: [] }, headers: { 'x-request-id': 'request-7' } }
}
