import { createPublicKey, generateKeyPairSync, randomBytes, verify } from 'node:crypto'
import { readBody, type FakeRequest } from './gcs-fake-answers.ts'

/** The JSON key of a service account, made by the fake. */
export interface FakeServiceAccountKey {
  readonly type: 'service_account'
  readonly project_id: string
  readonly private_key_id: string
  readonly private_key: string
  readonly client_email: string
  readonly token_uri: string
}

/** Gives out access tokens for signed statements, and knows them again. */
export interface FakeTokens {
  readonly key: FakeServiceAccountKey
  /** How many were given out. */
  issued(): number
  /** No token given out so far is valid any longer. */
  revoke(): void
  isValid(authorization: string | undefined): boolean
  answer(request: FakeRequest): Promise<void>
}

/** Federated credentials ("external account") that Google's client exchanges at the fake; `subjectPath` is a file that holds `FAKE_SUBJECT_TOKEN`. */
export function fakeFederatedCredentials(tokenUri: string, subjectPath: string): Readonly<Record<string, unknown>> {
  return {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/fake/providers/fake',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: tokenUri,
    credential_source: { file: subjectPath },
  }
}

const SKEW_SECONDS = 300
/** The grant by which an identity of somebody else's is exchanged (RFC 8693). */
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ISSUED = { token_type: 'Bearer', issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' }
/** The one identity of somebody else's that the fake accepts. */
export const FAKE_SUBJECT_TOKEN = 'fake-subject-token'

/** `lifetimeSeconds` of every token. */
export function createFakeTokens(tokenUri: string, lifetimeSeconds: number): FakeTokens {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const ends = new Map<string, number>()
  let issued = 0
  return {
    key: {
      type: 'service_account',
      project_id: 'fake',
      private_key_id: 'fake-key-1',
      private_key: privateKey,
      client_email: 'waltz@fake.iam.gserviceaccount.com',
      token_uri: tokenUri,
    },
    issued: () => issued,
    revoke: () => ends.clear(),
    isValid: (authorization) => (ends.get(/^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? '') ?? 0) > Date.now(),
    async answer({ incoming, outgoing }) {
      const form = new URLSearchParams((await readBody(incoming)).toString())
      const problem =
        form.get('grant_type') === TOKEN_EXCHANGE
          ? subjectProblem(form.get('subject_token'))
          : statementProblem(form.get('assertion') ?? '', { publicKey, tokenUri })
      outgoing.setHeader('content-type', 'application/json')
      if (problem !== undefined) {
        outgoing.writeHead(400).end(JSON.stringify({ error: 'invalid_grant', error_description: problem }))
        return
      }
      const token = `fake.${randomBytes(24).toString('hex')}`
      ends.set(token, Date.now() + lifetimeSeconds * 1000)
      issued += 1
      outgoing.writeHead(200).end(JSON.stringify({ ...ISSUED, access_token: token, expires_in: lifetimeSeconds }))
    },
  }
}

function subjectProblem(subject: string | null): string | undefined {
  return subject === FAKE_SUBJECT_TOKEN ? undefined : 'Invalid subject token.'
}

function statementProblem(
  assertion: string,
  { publicKey, tokenUri }: { readonly publicKey: string; readonly tokenUri: string },
): string | undefined {
  const [header = '', claims = '', signature = ''] = assertion.split('.')
  const signed = Buffer.from(`${header}.${claims}`)
  if (!verify('sha256', signed, createPublicKey(publicKey), Buffer.from(signature, 'base64url'))) return 'Invalid JWT Signature.'
  const { aud, iat, exp, scope } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, string | number>
  const seconds = Date.now() / 1000
  if (Number(iat) > seconds + SKEW_SECONDS || Number(exp) < seconds || Number(exp) - Number(iat) > 3600)
    return 'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.'
  if (aud !== tokenUri) return 'Invalid JWT: Failed audience check.'
  return String(scope).includes('devstorage') || String(scope).includes('cloud-platform') ? undefined : 'Invalid OAuth scope.'
}
