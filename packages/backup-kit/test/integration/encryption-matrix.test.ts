import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { readAll, sourceOf } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import type { ObjectStore } from '@waltz/storage'
import { s3Environment, sharedServer, startKeyServices, temporaryFolder, type KeyServices } from '@waltz/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { madeName, makeRepository, makeTar } from '../../../pg-physical-backup/test/made-backup.ts'
import { makeWal, nameOf } from '../../../wal-archive/test/support/segments.ts'
import { kitSettings, openBackupKit, type BackupKit } from '../../src/index.ts'
import { cipherNames, cipherSettings, surroundingsIn, type Values } from '../encryption-keys.ts'

/** Codecs by their setting, with the extension of what they write; those with a program are read only, and the program writes. */
const CODECS = [
  { codec: 'lz4', extension: '.lz4' },
  { codec: 'zstd', extension: '.zst' },
  { codec: 'brotli', extension: '.br' },
  { codec: 'lzma', extension: '.lzma' },
  { codec: 'none', extension: '' },
  { codec: 'gzip', extension: '.gz', program: 'gzip' },
  { codec: 'lzo', extension: '.lzo', program: 'lzop' },
] as const
type CodecRow = (typeof CODECS)[number]

const MARK = 'what nobody without the key may read'
const HISTORY = `1\t0/3000000\t${MARK}\n`
const [SEGMENT, HISTORY_NAME] = [nameOf(1), '00000002.history']
const [segment = new Uint8Array()] = makeWal({ first: 1 })
const TABLE = { name: 'base/5/1259', content: MARK.repeat(20_000) }

const radosgw = await sharedServer('radosgw')
const work = temporaryFolder()
let services: KeyServices
let keys: ReturnType<typeof cipherSettings>
let made: ObjectStore
const keysOfMade: string[] = []
const surroundings = surroundingsIn(work.path)

beforeAll(async () => {
  services = await startKeyServices()
  keys = cipherSettings(services)
  made = await makeRepository({ parts: { 'part_001.tar': makeTar([TABLE]) }, files: [`/${TABLE.name}`] })
  for await (const { key } of made.list('')) keysOfMade.push(key)
})
afterAll(async () => {
  await services?.stop()
  await work.dispose()
})

let cells = 0
const stores: readonly { readonly store: string; readonly missing: boolean; readonly place: () => Promise<Values> }[] = [
  { store: 'a folder', missing: false, place: async () => ({ WALG_FILE_PREFIX: work.makeFolder(`repository-${cells}`) }) },
  { store: radosgw.title, missing: radosgw.missing !== undefined, place: () => s3Environment(radosgw.server, `repository-${cells}`) },
]

/** What a program made of the bytes, so that the same need not be made for each cipher. */
const packed = new Map<string, Uint8Array>()
function packedBy(program: string, title: string, plain: Uint8Array): Uint8Array {
  const known = packed.get(`${program} ${title}`) ?? execFileSync(program, ['-c'], { input: plain, maxBuffer: 2 ** 26 })
  packed.set(`${program} ${title}`, known)
  return known
}

/** Stores plain bytes as the settings say, or as the program compresses them; whole names are the object's business. */
async function putSealed(kit: BackupKit, row: CodecRow, key: string, plain: Uint8Array): Promise<void> {
  const format = await kit.openFormat()
  if ('program' in row) {
    await kit.store.put(`${key}${row.extension}`, format.seal(sourceOf(packedBy(row.program, key, plain)), { compress: false }))
  } else {
    expect(format.nameFor(key)).toBe(key + row.extension)
    await kit.store.put(format.nameFor(key), format.seal(sourceOf(plain)))
  }
}

async function putBackup(kit: BackupKit, row: CodecRow): Promise<void> {
  for (const key of keysOfMade) {
    const bytes = await readAll(await made.get(key), 2 ** 26)
    if (key.endsWith('.json')) await kit.store.put(key, sourceOf(bytes))
    else await putSealed(kit, row, key, bytes)
  }
}

async function putWal(kit: BackupKit, row: CodecRow): Promise<void> {
  const files: readonly (readonly [string, Uint8Array])[] = [
    [SEGMENT, segment],
    [HISTORY_NAME, new TextEncoder().encode(HISTORY)],
  ]
  if ('program' in row) for (const [name, bytes] of files) await putSealed(kit, row, `wal_005/${name}`, bytes)
  else {
    const archive = await kit.openWal()
    for (const [name, bytes] of files) expect(await archive.push(name, () => sourceOf(bytes), { size: bytes.length })).toBe('stored')
  }
}

/** Fetched as PostgreSQL has it done, with all checks. */
async function fetched(kit: BackupKit, name: string): Promise<Uint8Array> {
  const destination = work.join(`fetched-${(fetches += 1)}`)
  await (await kit.openWal()).fetchToFile({ name, destination, unique: '00' })
  return readFileSync(destination)
}
let fetches = 0

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => 'it worked',
    (reason: unknown) => reason,
  )
  return isFault(error) ? error.code : String(error)
}

/** Whatever is stored besides documents. */
async function storedText(kit: BackupKit): Promise<string> {
  const objects: string[] = []
  for await (const { key } of kit.store.list('')) {
    if (!key.endsWith('.json')) objects.push(Buffer.from(await readAll(await kit.store.get(key), 2 ** 26)).toString('latin1'))
  }
  expect(objects.length).toBe(5)
  return objects.join('\n')
}

/** Neither the codec nor the cipher leaves a mark: a history, which may be any text, comes as it is stored, and the server refuses it. */
const markless = (codec: string, cipher: string): boolean => codec === 'none' && (cipher === 'libsodium' || cipher === 'aws-kms')

const rows = CODECS.flatMap((row) => cipherNames.map((cipher) => ({ ...row, cipher, row })))

describe.each(stores)('in $store', ({ missing, place }) => {
  it.skipIf(missing).each(rows)('$codec and $cipher: a backup, a segment and a history', async ({ row, codec, cipher }) => {
    cells += 1
    const settings = { ...('program' in row ? {} : { WALG_COMPRESSION_METHOD: codec }), ...(await place()) }
    await using kit = await openBackupKit(kitSettings({ ...keys[cipher], ...settings }), surroundings)
    await putBackup(kit, row)
    await putWal(kit, row)
    const readable = (await storedText(kit)).includes(MARK)
    if (cipher !== 'none' || codec === 'none') expect(readable).toBe(cipher === 'none')

    // Another process, which knows the settings only.
    await using reader = await openBackupKit(kitSettings({ ...keys[cipher], ...settings }), surroundings)
    expect(Buffer.compare(await fetched(reader, SEGMENT), segment)).toBe(0)
    expect(Buffer.from(await fetched(reader, HISTORY_NAME)).toString()).toBe(HISTORY)
    const destination = work.join(`data-${cells}`)
    await reader.restoreBackup({ destination, selector: { name: madeName } })
    expect(readFileSync(`${destination}/${TABLE.name}`, 'utf8')).toBe(TABLE.content)

    if (cipher === 'none') return
    await using keyless = await openBackupKit(kitSettings(settings), surroundings)
    const refused = work.join(`refused-${cells}`)
    mkdirSync(refused)
    const attempts = [
      () => fetched(keyless, SEGMENT),
      ...(markless(codec, cipher) ? [] : [() => fetched(keyless, HISTORY_NAME)]),
      () => keyless.restoreBackup({ destination: refused, selector: { name: madeName } }),
    ]
    for (const attempt of attempts) expect(await codeOf(attempt())).toMatch(/^(?:OBJECT_|CODEC_|WAL_|RESTORE_|TAR_)/)
  })
})
