import { isFault } from '@waltz/errors'
import { describe, expect, it } from 'vitest'
import {
  chooseStorage,
  describeSettings,
  namesOf,
  parseSettings,
  readFailoverStorages,
  secretNames,
  settingsTable,
  storageWarnings,
  type SettingRow,
} from '../src/index.ts'

const settingsOf = (environment: Record<string, string>) => parseSettings(settingsTable, { environment }).settings
const messageOf = (act: () => unknown): string => {
  try {
    act()
  } catch (error) {
    expect(isFault(error, 'invalid')).toBe(true)
    return `${(error as Error).message} ${String((error as Error).cause)}`
  }
  throw new Error('nothing was refused')
}

describe('choosing a storage', () => {
  const prefixes = {
    WALG_OSS_PREFIX: 'oss://b',
    WALG_S3_PREFIX: 's3://b',
    WALG_FILE_PREFIX: '/b',
    WALG_GS_PREFIX: 'gs://b',
    WALG_AZ_PREFIX: 'azure://b',
    WALG_SWIFT_PREFIX: 'swift://b',
    WALG_SSH_PREFIX: 'ssh://b/c',
  }

  it('takes the first of WAL-G, and names those that are not used', () => {
    const left = Object.entries(prefixes)
    const seen: string[] = []
    while (left.length > 0) {
      const choice = chooseStorage(settingsOf(Object.fromEntries(left)))
      seen.push(choice?.kind ?? '')
      expect(choice?.ignored).toEqual(left.slice(1).map(([name]) => name))
      left.shift()
    }
    expect(seen).toEqual(['oss', 's3', 'file', 'gs', 'az', 'swift', 'ssh'])
    expect(chooseStorage(settingsOf({}))).toBeUndefined()
  })

  it('knows the old spellings', () => {
    for (const [name, value] of Object.entries(prefixes))
      expect(chooseStorage(settingsOf({ [name.replace('WALG_', 'WALE_')]: value }))?.setting).toBe(name)
  })

  it('warns about prefixes that are not used', () => {
    const warnings = storageWarnings(settingsOf({ WALG_S3_PREFIX: 's3://b', WALG_SSH_PREFIX: 'ssh://h/x' }))
    expect(warnings.map(({ message }) => message)).toEqual(['WALG_SSH_PREFIX is not used, because WALG_S3_PREFIX is set too'])
  })
})

describe('spellings of the settings of one storage', () => {
  it('are the bare one, WALG_ and WALE_, the first that is set', () => {
    for (const name of ['AWS_REGION', 'WALG_AWS_REGION', 'WALE_AWS_REGION']) expect(settingsOf({ [name]: 'x' }).awsRegion).toBe('x')
    expect(settingsOf({ S3_SSE: 'AES256', WALG_S3_SSE: 'aws:kms' }).s3Sse).toBe('AES256')
    expect(settingsOf({ AWS_ACCESS_KEY: 'old', AWS_SECRET_KEY: 'older' })).toMatchObject({
      awsAccessKeyId: 'old',
      awsSecretAccessKey: 'older',
    })
    expect(settingsOf({ UPLOAD_CONCURRENCY: '3' }).uploadConcurrency).toBe(3)
    expect(settingsOf({ https_proxy: 'http://p:1' }).systemHttpsProxy).toBe('http://p:1')
  })
})

describe('values of one storage', () => {
  it('are numbers that count in tens, unlike those of the whole run', () => {
    expect(settingsOf({ S3_MAX_RETRIES: '010', WALG_GCS_MAX_RETRIES: ' 7', WALG_UPLOAD_QUEUE: '010' })).toMatchObject({
      s3MaxRetries: 10,
      gcsMaxRetries: 7,
      uploadQueue: 8,
    })
    for (const text of ['5.5', 'ten'])
      expect(messageOf(() => settingsOf({ S3_MAX_RETRIES: text }))).toContain(
        'S3_MAX_RETRIES (environment) must be a whole number from 0 to 1000',
      )
  })

  it('are words for true and false as WAL-G knows them', () => {
    for (const text of ['yes', 'on', 'TrUe', '2'])
      expect(messageOf(() => settingsOf({ AWS_S3_FORCE_PATH_STYLE: text }))).toContain('must be true or false')
    for (const text of ['1', 't', 'T', 'TRUE', 'true', 'True'])
      expect(settingsOf({ WALE_AWS_S3_FORCE_PATH_STYLE: text }).awsS3ForcePathStyle).toBe(true)
  })
})

describe('further storages', () => {
  const base = {
    WALG_S3_PREFIX: 's3://first/x',
    AWS_ENDPOINT: 'https://s3.example',
    AWS_S3_FORCE_PATH_STYLE: 'true',
    AWS_ACCESS_KEY_ID: 'first-key',
    AWS_SECRET_ACCESS_KEY: 'first-secret',
    AWS_SESSION_TOKEN: 'first-token',
    WALG_UPLOAD_CONCURRENCY: '7',
  }
  const read = (storages: unknown, more: Record<string, string> = {}) =>
    readFailoverStorages(settingsOf({ ...base, ...more, WALG_FAILOVER_STORAGES: JSON.stringify(storages) }))

  it('inherit what they omit, the prefix excepted', () => {
    const { storages } = read({ good: { WALG_S3_PREFIX: 's3://second/y', AWS_REGION: 'eu' }, file: { walg_file_prefix: '/z' } })
    expect(storages.map(({ name }) => name)).toEqual(['file', 'good'])
    expect(storages[1]?.settings).toMatchObject({
      s3Prefix: 's3://second/y',
      awsRegion: 'eu',
      awsEndpoint: 'https://s3.example',
      awsS3ForcePathStyle: true,
      awsSecretAccessKey: 'first-secret',
      awsSessionToken: 'first-token',
      uploadConcurrency: 7,
    })
    expect(storages[0]?.settings).toMatchObject({ filePrefix: '/z', s3Prefix: undefined })
  })

  it('do not use a token of the first storage beside keys of their own', () => {
    const { storages } = read({ own: { WALG_S3_PREFIX: 's3://x', AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's' } })
    expect(storages[0]?.settings).toMatchObject({ awsAccessKeyId: 'k', awsSecretAccessKey: 's', awsSessionToken: undefined })
  })

  it('may be nested keys of a file, with numbers and booleans', () => {
    const values = { walg_failover_storages: { good: { walg_file_prefix: '/x', aws_s3_force_path_style: 'true' } }, WALG_FILE_PREFIX: '/y' }
    const { settings } = parseSettings(settingsTable, { file: { path: '/f.yaml', values } })
    expect(readFailoverStorages(settings).storages[0]?.settings.filePrefix).toBe('/x')
    expect(read({ n: { WALG_S3_PREFIX: 's3://x', S3_MAX_RETRIES: 3 } }).storages[0]?.settings.s3MaxRetries).toBe(3)
  })

  it('are refused with a reason and without their values', () => {
    const secret = { WALG_S3_PREFIX: 's3://x', AWS_SECRET_ACCESS_KEY: 'planted', S3_MAX_RETRIES: 'planted-number' }
    expect(messageOf(() => read({ default: { WALG_FILE_PREFIX: '/x' } }))).toContain('no storage may be called default')
    expect(messageOf(() => read({ all: { WALG_FILE_PREFIX: '/x' } }))).toContain('no storage may be called all')
    expect(messageOf(() => read({ a: { AWS_REGION: 'x' } }))).toContain('the storage a has no prefix')
    expect(messageOf(() => read({ a: '/x' }))).toContain('must be a map of settings')
    expect(messageOf(() => read([]))).toContain('must be a map')
    const bad = messageOf(() => readFailoverStorages(settingsOf({ WALG_FAILOVER_STORAGES: '{"a": {"AWS_SECRET_ACCESS_KEY": planted}}' })))
    expect(bad).toContain('must be JSON')
    expect(bad).not.toContain('planted')
    expect(messageOf(() => read({ a: secret }))).toContain('S3_MAX_RETRIES (WALG_FAILOVER_STORAGES, a)')
  })

  it('are warned about where a key has no effect or is unknown', () => {
    const settings = { ...base, WALTZ_FAILOVER_IGNORE: 'nobody' }
    const text = JSON.stringify({ a: { WALG_FILE_PREFIX: '/x', WALG_COMPRESSION_METHOD: 'none', AWS_REGIONN: 'planted' } })
    const warnings = storageWarnings(settingsOf({ ...settings, WALG_FAILOVER_STORAGES: text }))
    expect(warnings.map(({ message }) => message)).toEqual([
      'AWS_REGIONN (WALG_FAILOVER_STORAGES, a) is not a setting. Did you mean AWS_REGION?',
      'WALG_COMPRESSION_METHOD (WALG_FAILOVER_STORAGES, a) has no effect for one storage',
      'WALTZ_FAILOVER_IGNORE names "nobody", which no storage is called; there are default, a',
    ])
  })
})

describe('secrets', () => {
  it('are not shown in addresses that hold some', () => {
    const environment = {
      WALG_SSH_PREFIX: 'ssh://user:planted@host/x',
      AWS_ENDPOINT: 'https://planted@host:1/x?a=planted#b',
      OS_AUTH_URL: 'https://user:pl@planted@host/v3',
      S3_ENDPOINT_SOURCE: 'http://host/source?token=planted&x=planted',
    }
    const lines = describeSettings(settingsTable, parseSettings(settingsTable, { environment })).join('\n')
    expect(lines).not.toContain('planted')
    expect(lines).toContain('WALG_SSH_PREFIX=ssh://(hidden)@host/x (environment)')
    expect(lines).toContain('S3_ENDPOINT_SOURCE=http://host/source?(hidden) (environment)')
    expect(messageOf(() => settingsOf({ WALG_FILE_PREFIX: 's3://user:planted@bucket/x' }))).not.toContain('planted')
    expect(messageOf(() => settingsOf({ SSH_PORT: 'https://host/?planted' }))).not.toContain('planted')
  })

  it('are never described, in no spelling', () => {
    const kinds: Record<string, string> = { json: '"planted"', map: '{"x":"planted"}' }
    const secrets = Object.values<SettingRow>(settingsTable).filter((row) => row.secret === true && row.availability === 'now')
    for (const row of secrets)
      for (const name of namesOf(row)) {
        const parsed = parseSettings(settingsTable, { environment: { [name]: kinds[row.kind] ?? 'planted' } })
        const lines = describeSettings(settingsTable, parsed).join('\n')
        expect(lines, name).toContain(`${row.name}=(hidden)`)
        expect(lines + JSON.stringify(parsed.warnings), name).not.toContain('planted')
      }
    expect(secretNames()).toEqual(
      expect.arrayContaining([
        'WALG_AWS_SECRET_ACCESS_KEY',
        'OS_PASSWORD',
        'SSH_PASSWORD',
        'WALTZ_HTTP_PROXY',
        'S3_SSE_C',
        'GCS_ENCRYPTION_KEY',
      ]),
    )
  })
})
