import { promises } from 'node:fs'
import { accessDeniedFault, optionsFault } from '@waltz/storage'
import type { RequestMaker } from './http-requests.ts'
import type { S3Credentials, S3StaticCredentials } from './options.ts'

/** Keys, as the SDK takes them. */
export interface SdkKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}

/** Fetches keys; called again before they expire. */
export type SdkKeySource = () => Promise<SdkKeys>

/** What fetching keys needs. */
export interface CredentialSurroundings {
  readonly region: string
  readonly now: () => Date
  readonly randomHex: (digits: number) => string
  /** For STS, whose host is not that of the bucket. */
  readonly requestMaker: (target: URL) => Promise<RequestMaker>
}

/** The keys, or their source, for the SDK's client; undefined: none, requests are not signed. Loads only what the kind needs. */
export async function keysFor(
  credentials: S3Credentials | undefined,
  around: CredentialSurroundings,
): Promise<SdkKeys | SdkKeySource | undefined> {
  const chosen = credentials ?? { kind: 'chain' }
  switch (chosen.kind) {
    case 'static':
      return keysOf(chosen)
    case 'chain':
      return chainKeys(chosen)
    case 'instance': {
      const { fromInstanceMetadata } = await import('@smithy/credential-provider-imds')
      return fromInstanceMetadata({ timeout: 5000, maxRetries: 3 })
    }
    case 'anonymous':
      return undefined
    default:
      return assumedRole(chosen, around)
  }
}

/** What must never be told of these credentials. */
export function secretsOf(credentials: S3Credentials | undefined): readonly string[] {
  const keys = credentials?.kind === 'role' ? credentials.source : credentials
  const own = keys?.kind === 'static' ? [keys.secretAccessKey, keys.sessionToken ?? ''] : []
  return [...own, credentials?.kind === 'role' ? (credentials.externalId ?? '') : ''].filter((secret) => secret !== '')
}

/** Fixed keys, without what surrounds them. @throws Fault `invalid` `STORAGE_OPTIONS_INVALID`. */
export function keysOf({ accessKeyId, secretAccessKey, sessionToken }: S3StaticCredentials): SdkKeys {
  if (accessKeyId.trim() === '' || secretAccessKey.trim() === '') throw optionsFault('an access key or a secret key is empty')
  return {
    accessKeyId: accessKeyId.trim(),
    secretAccessKey: secretAccessKey.trim(),
    ...(sessionToken === undefined || sessionToken === '' ? {} : { sessionToken }),
  }
}

async function chainKeys({ profile, sharedCredentialsFile, configFile }: Extract<S3Credentials, { kind: 'chain' }>): Promise<SdkKeySource> {
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node')
  return defaultProvider({
    ...(profile === undefined ? {} : { profile }),
    ...(sharedCredentialsFile === undefined ? {} : { filepath: sharedCredentialsFile }),
    ...(configFile === undefined ? {} : { configFilepath: configFile }),
  })
}

type Assumed = Extract<S3Credentials, { readonly kind: 'role' | 'web-identity' }>

/** STS is asked whenever the SDK finds that the last keys are about to expire. */
async function assumedRole(chosen: Assumed, around: CredentialSurroundings): Promise<SdkKeySource> {
  const { STSClient, AssumeRoleCommand, AssumeRoleWithWebIdentityCommand } = await import('@aws-sdk/client-sts')
  const endpoint = chosen.stsEndpoint ?? `https://sts.${around.region}.amazonaws.com`
  const source = chosen.kind === 'role' ? await keysFor(chosen.source, around) : undefined
  const client = new STSClient({
    region: around.region,
    endpoint,
    maxAttempts: 1,
    requestHandler: await around.requestMaker(new URL(endpoint)),
    credentials: source ?? { accessKeyId: 'none', secretAccessKey: 'none' },
  })
  const RoleArn = chosen.roleArn
  const RoleSessionName = chosen.sessionName ?? `waltz-${around.randomHex(12)}`
  return async () => {
    const { Credentials: keys } =
      chosen.kind === 'role'
        ? await client.send(
            new AssumeRoleCommand({
              RoleArn,
              RoleSessionName,
              ...(chosen.externalId === undefined ? {} : { ExternalId: chosen.externalId }),
              ...(chosen.durationSeconds === undefined ? {} : { DurationSeconds: chosen.durationSeconds }),
            }),
          )
        : await client.send(
            new AssumeRoleWithWebIdentityCommand({ RoleArn, RoleSessionName, WebIdentityToken: await tokenOf(chosen.tokenFile) }),
          )
    if (keys?.AccessKeyId === undefined || keys.SecretAccessKey === undefined)
      throw accessDeniedFault({ doing: `assuming role ${RoleArn}`, location: endpoint, answer: 'the answer holds no keys' })
    return {
      accessKeyId: keys.AccessKeyId,
      secretAccessKey: keys.SecretAccessKey,
      ...(keys.SessionToken === undefined ? {} : { sessionToken: keys.SessionToken }),
      ...(keys.Expiration === undefined ? {} : { expiration: keys.Expiration }),
    }
  }
}

async function tokenOf(path: string): Promise<string> {
  try {
    return (await promises.readFile(path, 'utf8')).trim()
  } catch (cause) {
    throw optionsFault(`the web identity token file ${path} cannot be read: ${(cause as { readonly code?: string }).code ?? 'error'}`)
  }
}
