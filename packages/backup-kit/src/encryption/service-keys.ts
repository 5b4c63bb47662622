import type { Cipher } from '@waltz/crypto'
import type { YandexCredentials, YandexKeyService } from '@waltz/crypto/yandex-kms'
import type { HttpAgents } from '@waltz/network'
import type { Settings } from '@waltz/settings'
import { connectionOptions } from '../network-settings.ts'
import { readSettingFile } from '../setting-file.ts'
import type { KitSurroundings } from '../surroundings.ts'
import { createFetch } from './fetch.ts'
import { serviceAddress } from './service-address.ts'

const YANDEX_KMS = 'https://kms.yandexcloud.net'

/** A key of AWS KMS, with the credentials of the settings or those that the SDK finds. */
export async function openAwsKey(settings: Settings): Promise<Cipher> {
  const { awsKms, awsKeyService } = await import('@waltz/crypto/aws-kms')
  const { cseKmsId = '', cseKmsRegion, awsRegion, awsAccessKeyId, awsSecretAccessKey, awsSessionToken } = settings
  const region = cseKmsRegion ?? awsRegion
  const endpoint = serviceAddress('WALTZ_CSE_KMS_ENDPOINT', settings.cseKmsEndpoint)
  const credentials =
    awsAccessKeyId === undefined || awsSecretAccessKey === undefined
      ? undefined
      : {
          accessKeyId: awsAccessKeyId,
          secretAccessKey: awsSecretAccessKey,
          ...(awsSessionToken !== undefined && { sessionToken: awsSessionToken }),
        }
  const agents = await openAgents(settings, endpoint ?? `https://kms.${region ?? 'us-east-1'}.amazonaws.com`)
  const service = awsKeyService({
    keyId: cseKmsId,
    ...(region !== undefined && { region }),
    ...(credentials !== undefined && { credentials }),
    ...(endpoint !== undefined && { endpoint }),
    requestHandler: { httpAgent: agents.http, httpsAgent: agents.https },
  })
  return closing(awsKms({ service }), agents)
}

/** A key of Yandex KMS. */
export async function openYandexKey(settings: Settings, surroundings: KitSurroundings): Promise<Cipher> {
  const { yandexKms } = await import('@waltz/crypto/yandex-kms')
  const { service, agents } = await openYandexService(settings, surroundings, {
    keyId: settings.ycCseKmsKeyId ?? '',
    endpoint: serviceAddress('WALTZ_YC_KMS_ENDPOINT', settings.ycKmsEndpoint),
    keyFile: ['YC_SERVICE_ACCOUNT_KEY_FILE', settings.ycServiceAccountKeyFile],
  })
  return closing(yandexKms({ service }), agents)
}

interface YandexAccess {
  readonly keyId: string
  readonly endpoint: string | undefined
  readonly keyFile: readonly [setting: string, path: string | undefined]
}

/** The key service, and what is to be closed with it. A key file that cannot be used is fatal: it is not passed over for the machine's account. */
export async function openYandexService(
  settings: Settings,
  { now }: KitSurroundings,
  { keyId, endpoint, keyFile: [setting, path] }: YandexAccess,
): Promise<{ readonly service: YandexKeyService; readonly agents: HttpAgents }> {
  const { yandexKeyService } = await import('@waltz/crypto/yandex-kms')
  const tokenEndpoint = serviceAddress('WALTZ_YC_IAM_ENDPOINT', settings.ycIamEndpoint)
  const metadata = serviceAddress('WALTZ_YC_METADATA_ENDPOINT', settings.ycMetadataEndpoint, 'http')
  const credentials: YandexCredentials =
    path === undefined
      ? { type: 'metadata', ...(metadata !== undefined && { endpoint: metadata }) }
      : { type: 'service-account', keyFile: readSettingFile(setting, path) }
  const agents = await openAgents(settings, endpoint ?? YANDEX_KMS)
  const service = yandexKeyService({
    keyId,
    credentials,
    ...(endpoint !== undefined && { endpoint }),
    ...(tokenEndpoint !== undefined && { tokenEndpoint }),
    fetch: createFetch(agents),
    now,
  })
  return { service, agents }
}

async function openAgents(settings: Settings, endpoint: string): Promise<HttpAgents> {
  const { createHttpAgents } = await import('@waltz/network')
  const target = new URL(endpoint)
  return await createHttpAgents({ target, ...connectionOptions(settings, target.href) })
}

/** The cipher, whose end closes the connections to its key service. */
export function closing(cipher: Cipher, agents: HttpAgents): Cipher {
  return {
    ...cipher,
    [Symbol.dispose]() {
      cipher[Symbol.dispose]()
      agents.destroy()
    },
  }
}
