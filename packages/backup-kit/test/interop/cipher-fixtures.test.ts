import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fixturePath, startKeyServices, temporaryFolder, type KeyServices } from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectedLines, treeLines } from '../../../pg-physical-backup/test/restore-support.ts'
import { kitSettings, openBackupKit, type BackupKit } from '../../src/index.ts'
import { surroundingsIn, type Values } from '../encryption-keys.ts'

/** Repositories that WAL-G encrypted, with the scheme that each is in. */
const REPOSITORIES = [
  ['libsodium-none', 'libsodium'],
  ['libsodium-base64', 'libsodium'],
  ['libsodium-hex', 'libsodium'],
  ['pgp-path', 'openpgp'],
  ['pgp-text', 'openpgp'],
  ['pgp-passphrase', 'openpgp'],
  ['pgp-two-recipients', 'openpgp'],
  ['envelope-pgp', 'envelope-openpgp'],
  ['awskms', 'aws-kms'],
  ['awskms-remote', 'aws-kms'],
  ['yandex-kms', 'yandex-kms'],
] as const

interface Expected {
  readonly walg: { readonly settings: Values }
  /** Where reading needs others than those it was written with. */
  readonly read_settings?: Values
  readonly backups: readonly { readonly name: string }[]
}

const work = temporaryFolder()
let services: KeyServices
beforeAll(async () => {
  services = await startKeyServices()
})
afterAll(async () => {
  await services?.stop()
  await work.dispose()
})

const surroundings = surroundingsIn(work.path)

/** As the fixture says, with the local services in the place of those in a cloud. */
function settingsOf(folder: string, { walg, read_settings: reading = walg.settings }: Expected): Values {
  const { AWS_CA_BUNDLE: _, ...values } = reading
  const recorded = join(folder, 'kms-keys.json')
  if (existsSync(recorded)) services.addRecordedKeys(recorded)
  const places = {
    ...(values['WALG_CSE_KMS_ID'] !== undefined && services.awsSettings(values['WALG_CSE_KMS_ID'])),
    ...(values['YC_CSE_KMS_KEY_ID'] !== undefined && services.yandexSettings(values['YC_CSE_KMS_KEY_ID'])),
    ...(values['WALG_ENVELOPE_PGP_YC_ENDPOINT'] !== undefined && {
      WALG_ENVELOPE_PGP_YC_ENDPOINT: services.url,
      WALTZ_YC_METADATA_ENDPOINT: services.url,
    }),
  }
  const fill = (text: string): string => text.replace('<REPO>', join(folder, 'repo')).replace('<FIXTURES>', join(folder, '../..'))
  const filled = Object.entries(values).map(([name, text]) => [name, fill(text)] as const)
  return { ...Object.fromEntries(filled), ...places, WALG_FILE_PREFIX: join(folder, 'repo') }
}

async function restore(kit: BackupKit, folder: string, names: readonly string[]): Promise<void> {
  expect(names.length).toBeGreaterThan(0)
  for (const name of names) {
    const destination = work.join(`data-${folder.split('/').at(-1)}-${name}`)
    const { skipped } = await kit.restoreBackup({ destination, selector: { name } })
    expect(treeLines(destination)).toEqual(expectedLines(join(folder, 'files', `${name}.tsv`)))
    expect(skipped.count).toBe(0)
  }
}

/** Fetches every file of `wal.tsv`, as PostgreSQL has it done, and compares what arrives. */
async function fetchWal(kit: BackupKit, folder: string): Promise<void> {
  const files = expectedLines(join(folder, 'wal.tsv')).map((line) => line.split('\t'))
  expect(files.length).toBeGreaterThan(0)
  const archive = await kit.openWal()
  for (const [name = '', object, size, sha256] of files) {
    const destination = work.join('RECOVERYXLOG')
    const { storedName, bytes } = await archive.fetchToFile({ name, destination, unique: '00' })
    const hash = createHash('sha256').update(readFileSync(destination)).digest('hex')
    expect([name, storedName, String(bytes), hash]).toEqual([name, object, size, sha256])
  }
}

describe('repositories that WAL-G encrypted', () => {
  describe.each(REPOSITORIES)('%s', (name, scheme) => {
    const folder = fixturePath(`ciphers/${name}`)

    it.skipIf(folder === undefined)('restores, and gives every archived file, exactly', async () => {
      const expected = JSON.parse(readFileSync(join(folder!, 'expected.json'), 'utf8')) as Expected
      await using kit = await openBackupKit(kitSettings(settingsOf(folder!, expected)), surroundings)
      expect((await kit.openFormat()).encryption).toBe(scheme)
      await restore(
        kit,
        folder!,
        expected.backups.map((backup) => backup.name),
      )
      await fetchWal(kit, folder!)
    })
  })
})

afterAll(() => {
  if (fixturePath('ciphers/libsodium-none') === undefined) console.warn('SKIPPED: shared/fixtures/ciphers is not beside the checkout')
})
