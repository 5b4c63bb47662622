import type { CipherScheme } from '@waltz/crypto'
import { Fault } from '@waltz/errors'
import type { Settings } from '@waltz/settings'

/** The settings that name the key of a scheme, first the one that counts, and those that only belong to one. */
interface SchemeSettings {
  readonly scheme: CipherScheme
  readonly keys: readonly (readonly [key: keyof Settings, name: string])[]
  readonly besides: readonly (readonly [key: keyof Settings, name: string])[]
}

/** In WAL-G's order of choice (RF 7.1), which here is never needed: only one may be set. */
const SCHEMES: readonly SchemeSettings[] = [
  {
    scheme: 'openpgp',
    keys: [
      ['pgpKey', 'WALG_PGP_KEY'],
      ['pgpKeyPath', 'WALG_PGP_KEY_PATH'],
      ['gpgKeyId', 'WALG_GPG_KEY_ID'],
    ],
    besides: [['pgpKeyPassphrase', 'WALG_PGP_KEY_PASSPHRASE']],
  },
  {
    scheme: 'envelope-openpgp',
    keys: [
      ['envelopePgpKeyPath', 'WALG_ENVELOPE_PGP_KEY_PATH'],
      ['envelopePgpKey', 'WALG_ENVELOPE_PGP_KEY'],
    ],
    besides: [
      ['envelopePgpYcCseKmsKeyId', 'WALG_ENVELOPE_PGP_YC_CSE_KMS_KEY_ID'],
      ['envelopePgpYcServiceAccountKeyFile', 'WALG_ENVELOPE_PGP_YC_SERVICE_ACCOUNT_KEY_FILE'],
      ['envelopePgpYcEndpoint', 'WALG_ENVELOPE_PGP_YC_ENDPOINT'],
      ['envelopeCacheExpiration', 'WALG_ENVELOPE_CACHE_EXPIRATION'],
    ],
  },
  { scheme: 'aws-kms', keys: [['cseKmsId', 'WALG_CSE_KMS_ID']], besides: [['cseKmsRegion', 'WALG_CSE_KMS_REGION']] },
  {
    scheme: 'yandex-kms',
    keys: [['ycCseKmsKeyId', 'YC_CSE_KMS_KEY_ID']],
    besides: [['ycServiceAccountKeyFile', 'YC_SERVICE_ACCOUNT_KEY_FILE']],
  },
  {
    scheme: 'libsodium',
    keys: [
      ['libsodiumKey', 'WALG_LIBSODIUM_KEY'],
      ['libsodiumKeyPath', 'WALG_LIBSODIUM_KEY_PATH'],
    ],
    besides: [['libsodiumKeyTransform', 'WALG_LIBSODIUM_KEY_TRANSFORM']],
  },
]

/** Names of schemes, as lists of previous keys write them. */
export const schemeNames: readonly CipherScheme[] = SCHEMES.map(({ scheme }) => scheme)

/**
 * The scheme whose key the settings name; undefined when none is named. Where one scheme has several settings for its key, the first
 * counts, as for WAL-G.
 * @throws Fault `invalid` `ENCRYPTION_KEYS_SEVERAL` for keys of two schemes, or a GnuPG key beside one that is given itself;
 * `ENCRYPTION_KEY_ABSENT` for what only belongs to a key, without the key: somebody wanted encryption, and nothing is stored as it is then.
 */
export function chosenScheme(settings: Settings): CipherScheme | undefined {
  const named = SCHEMES.flatMap(({ scheme, keys }) => {
    const set = keys.filter(([key]) => settings[key] !== undefined).map(([, name]) => name)
    return set.length === 0 ? [] : [{ scheme, names: set }]
  })
  const [first, ...others] = named
  if (others.length > 0) throw severalFault(named.flatMap(({ names }) => names))
  if (first?.scheme === 'openpgp' && first.names.length > 1 && settings.gpgKeyId !== undefined) throw severalFault(first.names)
  for (const { scheme, keys, besides } of SCHEMES) {
    if (scheme === first?.scheme) continue
    const left = besides.find(([key]) => settings[key] !== undefined)
    if (left !== undefined)
      throw absentFault(
        left[1],
        keys.map(([, name]) => name),
      )
  }
  return first?.scheme
}

function severalFault(names: readonly string[]): Fault {
  return new Fault('invalid', 'ENCRYPTION_KEYS_SEVERAL', `${names.join(' and ')} are set, and only one key can be the current one`, {
    hint: 'keep the one for new objects; move the others to WALTZ_CRYPTO_PREVIOUS_KEYS',
  })
}

function absentFault(name: string, keys: readonly string[]): Fault {
  return new Fault(
    'invalid',
    'ENCRYPTION_KEY_ABSENT',
    `${name} is set, but no key that it belongs to: objects would be stored as they are`,
    {
      hint: `set ${keys.join(' or ')}, or remove ${name}`,
    },
  )
}
