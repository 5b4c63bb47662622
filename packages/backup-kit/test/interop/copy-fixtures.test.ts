import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fixturePath, temporaryFolder } from '@waltz/testkit'
import { afterAll, describe, expect, it } from 'vitest'
import { expectedLines, treeLines } from '../../../pg-physical-backup/test/restore-support.ts'
import { copyBetweenKits, type CopyResult } from '../../src/copy.ts'
import { kitSettings, openBackupKit, type BackupKit } from '../../src/index.ts'
import { surroundingsIn, type Values } from '../encryption-keys.ts'

interface Expected {
  readonly walg: { readonly settings: Values }
  readonly read_settings?: Values
  readonly backups: readonly { readonly name: string }[]
}

const SODIUM: Values = { WALG_LIBSODIUM_KEY: 'another key of libsodium, long enough' }
/** Repositories that WAL-G wrote, what the copy is to be like, and whether increments are in it. */
const COPIES = [
  ['codecs/lz4', 'as it is', {}, {}],
  ['codecs/brotli', 'with a key', SODIUM, { reencrypt: true }],
  ['codecs/lzma', 'to lz4 with a key', SODIUM, { reencrypt: true, recompress: true }],
  ['codecs/gzip-read-only', 'to lz4', { WALG_COMPRESSION_METHOD: 'lz4' }, { recompress: true }],
  ['ciphers/libsodium-hex', 'as it is', 'same', {}],
  ['ciphers/libsodium-hex', 'with another key', SODIUM, { reencrypt: true }],
  ['ciphers/pgp-passphrase', 'to lz4 with another key', SODIUM, { reencrypt: true, recompress: true }],
  ['remote/pg15-tablespaces', 'to zstd', { WALG_COMPRESSION_METHOD: 'zstd' }, { recompress: true }],
  ['standby', 'as it is', {}, {}],
  ['timelines/main', 'to zstd', { WALG_COMPRESSION_METHOD: 'zstd' }, { recompress: true }],
  ['older-releases/v1.1-lzma-delta', 'to zstd', { WALG_COMPRESSION_METHOD: 'zstd' }, { recompress: true }],
] as const

const work = temporaryFolder()
afterAll(() => work.dispose())
const surroundings = surroundingsIn(work.path)

function settingsOf(folder: string, { walg, read_settings: reading = walg.settings }: Expected): Values {
  const fill = (text: string): string => text.replace('<REPO>', join(folder, 'repo')).replace('<FIXTURES>', join(folder, '../..'))
  const filled = Object.entries(reading).map(([name, text]) => [name, fill(text)] as const)
  return { ...Object.fromEntries(filled), WALG_FILE_PREFIX: join(folder, 'repo') }
}

const expectedOf = (folder: string): Expected => JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expected

/** Restores the full backups, and compares every file. Tablespaces would go where they were: those are left out. */
async function restoreAll(kit: BackupKit, folder: string, names: readonly string[]): Promise<void> {
  for (const [index, name] of names.entries()) {
    const listing = join(folder, 'files', `${name}.tsv`)
    if (name.includes('_D_') || folder.includes('tablespaces') || !existsSync(listing)) continue
    const destination = join(work.makeFolder(`data ${index} ${kit.store.location.replaceAll('/', ' ')}`), 'data')
    await kit.restoreBackup({ destination, selector: { name } })
    expect(treeLines(destination)).toEqual(expectedLines(listing))
  }
}

/** Every archived file that the copy has must hold what the fixture says; those that backups need must be there. */
async function compareWal(kit: BackupKit, folder: string): Promise<void> {
  const files = expectedLines(join(folder, 'wal.tsv')).map((line) => line.split('\t'))
  const archive = await kit.openWal()
  let compared = 0
  for (const [name = '', , , sha256] of files) {
    if (!(await archive.has(name))) continue
    await using opened = await archive.fetch(name)
    const hash = createHash('sha256')
    for await (const chunk of opened.source) hash.update(chunk)
    expect([name, hash.digest('hex')]).toEqual([name, sha256])
    compared += 1
  }
  expect(compared).toBeGreaterThan(0)
}

describe('repositories that WAL-G wrote, copied', () => {
  it.for(COPIES)('%s, %s', async ([name, way, values, wishes], { skip }) => {
    const folder = fixturePath(name)
    if (folder === undefined) return skip('shared/fixtures is not beside the checkout')
    const expected = expectedOf(folder)
    const source = settingsOf(folder, expected)
    const target = work.makeFolder(`copy of ${name.replace('/', ' ')} ${way}`)
    await using from = await openBackupKit(kitSettings(source), surroundings)
    const own = values === 'same' ? source : values
    await using to = await openBackupKit(kitSettings({ ...own, WALG_FILE_PREFIX: target }), surroundings)
    const copy = (): Promise<CopyResult> => copyBetweenKits({ from, to, surroundings, withHistory: true, missingWal: 'report', ...wishes })
    const result = await copy()
    expect([result.failures, result.left, result.missingWal]).toEqual([[], [], []])
    expect(result.backups.map((backup) => backup.name).toSorted()).toEqual(expected.backups.map((backup) => backup.name).toSorted())
    await restoreAll(
      to,
      folder,
      expected.backups.map((backup) => backup.name),
    )
    await compareWal(to, folder)
    const again = await copy()
    expect([again.failures, again.wal.sent.objects, again.backups.map(({ sent }) => sent.objects)]).toEqual([
      [],
      0,
      result.backups.map(() => 0),
    ])
  })

  it('the increments of a chain arrive in order, byte for byte, and LATEST stays LATEST', async ({ skip }) => {
    const folder = fixturePath('delta/plain')
    if (folder === undefined) return skip('shared/fixtures is not beside the checkout')
    const { backups } = expectedOf(folder)
    const target = work.makeFolder('copy of a chain')
    await using from = await openBackupKit(kitSettings({ WALG_FILE_PREFIX: join(folder, 'repo') }), surroundings)
    await using to = await openBackupKit(kitSettings({ WALG_FILE_PREFIX: target }), surroundings)
    const last = backups.at(-1)?.name ?? ''
    const result = await copyBetweenKits({ from, to, surroundings, backup: { name: last }, missingWal: 'report' })
    expect(result.backups.map(({ name }) => name)).toEqual(backups.map(({ name }) => name))
    expect((await to.backups.find({ latest: true })).name).toBe(last)
    const lines = (root: string): readonly string[] =>
      treeLines(join(root, 'basebackups_005'))
        .filter((line) => line.split('\t')[1] === 'f')
        .map((line) => line.replace(/\t0[0-7]{3}\t/, '\t'))
    expect(lines(target)).toEqual(lines(join(folder, 'repo')))
  })
})
