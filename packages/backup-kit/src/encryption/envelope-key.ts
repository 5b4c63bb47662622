import type { Cipher } from '@waltz/crypto'
import { envelopeOpenPgp } from '@waltz/crypto/envelope-openpgp'
import { Fault, isFault } from '@waltz/errors'
import type { Settings } from '@waltz/settings'
import { readSettingFile } from '../setting-file.ts'
import type { KitSurroundings } from '../surroundings.ts'
import { serviceAddress } from './service-address.ts'
import { closing, openYandexService } from './service-keys.ts'

/** An OpenPGP key that Yandex KMS has encrypted; the service is asked here. The file goes before the setting, as for WAL-G. */
export async function openEnvelopeKey(settings: Settings, surroundings: KitSurroundings): Promise<Cipher> {
  const { envelopePgpKey, envelopePgpKeyPath, envelopePgpYcCseKmsKeyId: keyId, envelopeCacheExpiration } = settings
  if (keyId === undefined) {
    throw new Fault(
      'invalid',
      'ENCRYPTION_KEY_ABSENT',
      'an OpenPGP key that a key service has encrypted is set, but not the key of that service',
      {
        hint: 'set WALG_ENVELOPE_PGP_YC_CSE_KMS_KEY_ID',
      },
    )
  }
  const wrappedKey =
    envelopePgpKeyPath === undefined ? (envelopePgpKey ?? '') : readSettingFile('WALG_ENVELOPE_PGP_KEY_PATH', envelopePgpKeyPath)
  const { service, agents } = await openYandexService(settings, surroundings, {
    keyId,
    endpoint: serviceAddress('WALG_ENVELOPE_PGP_YC_ENDPOINT', settings.envelopePgpYcEndpoint),
    keyFile: ['WALG_ENVELOPE_PGP_YC_SERVICE_ACCOUNT_KEY_FILE', settings.envelopePgpYcServiceAccountKeyFile],
  })
  try {
    const cipher = await envelopeOpenPgp({
      wrappedKey,
      keyService: service,
      now: surroundings.now,
      ...(envelopeCacheExpiration !== undefined && { cacheExpirationMs: envelopeCacheExpiration }),
      onStaleKey: (failure) =>
        surroundings.observe?.({
          type: 'stale-key',
          scheme: 'envelope-openpgp',
          reason: isFault(failure) ? failure.message : String(failure),
        }),
    })
    return closing(cipher, agents)
  } catch (error) {
    agents.destroy()
    throw error
  }
}
