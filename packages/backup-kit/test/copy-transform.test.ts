import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sourceOf } from '@waltz/bytes'
import type { Cipher } from '@waltz/crypto'
import { libsodium } from '@waltz/crypto/libsodium'
import { openpgp } from '@waltz/crypto/openpgp'
import { restoreBackup } from '@waltz/pg-physical-backup'
import {
  clusterIdentityKey,
  createBackupCatalog,
  decodeClusterIdentity,
  decodeManifest,
  decodeMetadata,
  filesMetadataKey,
  manifestKey,
  metadataKey,
  partKey,
  partsPrefix,
  sentinelKey,
  walKey,
  type SealedFormat,
} from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import { createFileStore } from '@waltz/storage-file'
import { createMemoryStore } from '@waltz/storage/memory'
import { faultStore } from '@waltz/testkit'
import { beforeAll, describe, expect, it } from 'vitest'
import type { CopyOptions } from '../src/copy.ts'
import {
  collect,
  contentsOf,
  copy,
  DELTA,
  formatOf,
  FULL,
  hashesOf,
  madeRepository,
  mayFail,
  noise,
  now,
  put,
  SECOND,
  segmentName,
  sha256,
} from './copy-support.ts'

const fixture = new URL('../../pg-physical-backup/test/fixtures/odd-files/', import.meta.url).pathname
const keyFile = new URL('../../crypto/test/fixtures/openpgp/keys/ecc.sec.asc', import.meta.url)
const oldKey = libsodium({ key: new Uint8Array(32).fill(7) })
const newKey = libsodium({ key: new Uint8Array(32).fill(8) })
let plain: SealedFormat
let source: ObjectStore
let publicOnly: Cipher
let pgp: Cipher

beforeAll(async () => {
  plain = await formatOf('lz4')
  source = await madeRepository(plain)
  pgp = await openpgp({ armoredKeys: readFileSync(keyFile, 'utf8'), now })
  publicOnly = await openpgp({ armoredKeys: readFileSync(new URL('ecc.pub.asc', keyFile), 'utf8'), now })
})

const target = (): ObjectStore => createMemoryStore({ now })

/** Every part and WAL file of the copy holds what that of the source holds; documents agree with what is stored. */
async function expectSameInside(to: ObjectStore, read: SealedFormat, extension: string): Promise<void> {
  const from = await contentsOf(source)
  const all = await contentsOf(to)
  let compared = 0
  for (const [key, bytes] of from) {
    if (!/tar_partitions|wal_005/.test(key) || !key.endsWith('.lz4') || key.includes('0000000A/')) continue
    const there = key.replace(/\.lz4$/, extension === '' ? '' : `.${extension}`)
    const found = all.get(there)
    if (found === undefined && key.startsWith('wal_005/')) continue
    expect(found, there).toBeDefined()
    const inside = await collect(await read.open(there, sourceOf(found ?? '')))
    expect(sha256(inside)).toBe(sha256(await collect(await plain.open(key, sourceOf(bytes)))))
    compared += 1
  }
  expect(compared).toBe(12 + 8)
  for (const name of [FULL, DELTA, SECOND]) await expectDocuments(all, name, extension)
}

async function expectDocuments(all: ReadonlyMap<string, Uint8Array>, name: string, extension: string): Promise<void> {
  const parts = [...all]
    .filter(([key]) => key.startsWith(partsPrefix(name)))
    .map(([key, bytes]) => [key.slice(partsPrefix(name).length), bytes] as const)
  const storedBytes = parts.reduce((sum, [, bytes]) => sum + bytes.length, 0)
  const store = target()
  for (const [key, bytes] of all) await put(store, key, bytes)
  const sentinel = await createBackupCatalog(store).readSentinel(name)
  expect([sentinel.storedBytes, sentinel.userData]).toEqual([storedBytes, { CompressedSize: 5, exact: 12345678901234567890n }])
  const metadata = decodeMetadata(all.get(metadataKey(name)) ?? '', { origin: 'm' })
  expect([metadata.storedBytes, metadata.userData]).toEqual([storedBytes, { compressed_size: 5, exact: 12345678901234567890n }])
  const list = all.get(filesMetadataKey(name)) ?? new Uint8Array(0)
  const { TarFileSets, Files } = JSON.parse(Buffer.from(list).toString())
  const suffix = extension === '' ? '' : `.${extension}`
  expect(Object.keys(TarFileSets)).toEqual(['part_001.tar', 'part_003.tar', 'backup_label.tar'].map((base) => `${base}${suffix}`))
  expect(Object.keys(Files)).toEqual(['/part_001.tar.lz4', '/base/1'])
  if (name === SECOND) return expect(all.has(manifestKey(name))).toBe(false)
  const manifest = decodeManifest(all.get(manifestKey(name)) ?? '', { origin: 'm' })
  expect(new Map(manifest.parts.map((part) => [part.name, [part.size, part.sha256]]))).toEqual(
    new Map(parts.map(([part, bytes]) => [part, [bytes.length, sha256(bytes)]])),
  )
  expect(manifest.filesMetadata).toEqual({ size: list.length, sha256: sha256(list) })
  expect(manifest.warnings).toEqual(['kept'])
}

interface Way {
  readonly name: string
  readonly to: () => Promise<SealedFormat>
  readonly wishes: Pick<CopyOptions, 'reencrypt' | 'recompress'>
  readonly extension: string
  /** Opens the copies; the target's format unless given. */
  readonly read?: () => Promise<SealedFormat>
}

const ways: readonly Way[] = [
  { name: 'plain to libsodium', to: () => formatOf('zstd', newKey), wishes: { reencrypt: true }, extension: 'lz4' },
  { name: 'lz4 to zstd', to: () => formatOf('zstd'), wishes: { recompress: true }, extension: 'zst' },
  { name: 'lz4 to nothing', to: () => formatOf('none'), wishes: { recompress: true }, extension: '' },
  { name: 'lz4 to brotli and OpenPGP', to: () => formatOf('brotli', pgp), wishes: { recompress: true, reencrypt: true }, extension: 'br' },
  {
    name: 'to a key that only encrypts',
    to: () => formatOf('zstd', publicOnly),
    wishes: { recompress: true, reencrypt: true },
    extension: 'zst',
    read: () => formatOf('zstd', pgp),
  },
]

describe.each(ways)('$name', ({ to, wishes, extension, read = to, name }) => {
  it('holds the same, and says so', async () => {
    const store = target()
    const format = await to()
    const result = await copy({ from: { store: source, format: plain }, to: { store, format }, ...wishes })
    expect([result.failures, result.warnings]).toEqual([[], []])
    await expectSameInside(store, await read(), extension)
    const { encrypted } = decodeClusterIdentity(await collect(await store.get(clusterIdentityKey)), { origin: 'c' })
    expect(encrypted).toBe(format.encryption !== undefined)
  })

  it('goes on after every interruption', { timeout: 30_000 }, async () => {
    const format = await to()
    const run = async (store: ObjectStore): ReturnType<typeof copy> =>
      await copy({ from: { store: source, format: plain }, to: { store, format }, backup: { name: FULL }, ...wishes })
    const counting = faultStore(target())
    await run(counting)
    const names = [...(await hashesOf(counting)).keys()]
    // All of them for one way; the others differ in what is inside.
    for (let step = 1; step <= counting.mutations.length; step += name === 'plain to libsodium' ? 1 : 3) {
      const store = target()
      await mayFail(run(faultStore(store, { crashAtMutation: step, crashMoment: 'after' })))
      const before = await hashesOf(store)
      const again = faultStore(store)
      const result = await run(again)
      if (name === 'to a key that only encrypts') {
        // What lies there cannot be compared: nothing is replaced, and it is said.
        for (const { fault } of result.failures) expect(fault).toMatchObject({ code: 'COPY_CONFLICT' })
        continue
      }
      expect([step, result.failures]).toEqual([step, []])
      const after = await hashesOf(store)
      expect([...after.keys()]).toEqual(names)
      // What was there was neither sent again nor replaced.
      expect([...after].filter(([key]) => before.has(key))).toEqual([...before])
      expect(again.mutations.filter(({ key }) => before.has(key))).toEqual([])
    }
  })
})

describe('what is opened on the way', () => {
  it('keeps its key when it is only compressed anew', async () => {
    const store = target()
    const from = { store: await madeRepository(await formatOf('lz4', oldKey)), format: await formatOf('lz4', oldKey) }
    const result = await copy({ from, to: { store, format: await formatOf('zstd', newKey) }, recompress: true })
    expect(result.failures).toEqual([])
    await expectSameInside(store, await formatOf('zstd', oldKey), 'zst')
  })

  it('changes its key', async () => {
    const store = target()
    const from = { store: await madeRepository(await formatOf('lz4', oldKey)), format: await formatOf('lz4', oldKey) }
    expect((await copy({ from, to: { store, format: await formatOf('zstd', newKey) }, reencrypt: true })).failures).toEqual([])
    await expectSameInside(store, await formatOf('lz4', newKey), 'lz4')
  })

  it('is never laid bare by a key that is missing, unless that is wished', async () => {
    const format = await formatOf('lz4', oldKey)
    const from = { store: await madeRepository(format), format }
    const store = target()
    await expect(copy({ from, to: { store, format: plain }, reencrypt: true })).rejects.toMatchObject({ code: 'COPY_KEY_ABSENT' })
    expect(await hashesOf(store)).toEqual(new Map())
    expect((await copy({ from, to: { store, format: plain }, reencrypt: true, plaintext: 'allow' })).failures).toEqual([])
    await expectSameInside(store, plain, 'lz4')
  })

  it('is noted as encrypted where it is copied as it is, without any key', async () => {
    const from = { store: await madeRepository(await formatOf('lz4', oldKey)), format: plain }
    const store = target()
    expect((await copy({ from, to: { store, format: plain } })).failures).toEqual([])
    expect(decodeClusterIdentity(await collect(await store.get(clusterIdentityKey)), { origin: 'c' }).encrypted).toBe(true)
  })

  it('is compared by what is inside, and a conflict when that differs', async () => {
    const format = await formatOf('zstd', newKey)
    const store = target()
    const key = partKey(FULL, 'part_003.tar.zst')
    const planted = await collect(format.seal(sourceOf(noise('something else', 30))))
    await put(store, key, planted)
    const result = await copy({ from: { store: source, format: plain }, to: { store, format }, recompress: true, reencrypt: true })
    expect(result.failures).toEqual([{ name: FULL, key, fault: expect.objectContaining({ code: 'COPY_CONFLICT' }) }])
    expect(await collect(await store.get(key))).toEqual(new Uint8Array(planted))
    expect((await contentsOf(store)).has(sentinelKey(FULL))).toBe(false)
  })

  it('is not announced when it was damaged: in the source, or on the way', async () => {
    const format = await formatOf('zstd', newKey)
    const key = /part_003/
    const cases = [
      ['get', 'from', /COPY_SOURCE_DAMAGED|CODEC_/, FULL],
      ['put', 'to', /COPY_NOT_STORED/, FULL],
      ['get', 'from', /COPY_SOURCE_DAMAGED|CODEC_/, SECOND],
      ['put', 'to', /COPY_NOT_STORED/, SECOND],
    ] as const
    for (const [operation, which, code, name] of cases)
      for (const wishes of [{ reencrypt: true }, { recompress: true }, { reencrypt: true, recompress: true }]) {
        const rules = [{ operation, key: new RegExp(`${name}/.*${key.source}`), nth: 1, action: { kind: 'corrupt', atByte: 900 } }] as const
        const store = target()
        const stores = { from: source, to: store, [which]: faultStore(which === 'from' ? source : store, { rules }) }
        const sides = { from: { store: stores.from, format: plain }, to: { store: stores.to, format } }
        const { failures } = await copy({ ...sides, backup: { name }, ...wishes })
        // Without a manifest nothing but the codec knows what was in the source.
        if (which === 'from' && name === SECOND && wishes.recompress === undefined) continue
        expect([name, wishes, failures.map(({ fault }) => fault.code)]).toEqual([name, wishes, [expect.stringMatching(code)]])
        const all = [...(await contentsOf(store)).keys()]
        expect([all.filter((one) => key.test(one)), all.includes(sentinelKey(name))]).toEqual([[], false])
      }
  })

  it('is not made whole beside a manifest of its own', async () => {
    const format = await formatOf('zstd', newKey)
    const store = target()
    const run = (): ReturnType<typeof copy> =>
      copy({ from: { store: source, format: plain }, to: { store, format }, recompress: true, reencrypt: true })
    await run()
    await store.delete([partKey(FULL, 'part_003.tar.zst')])
    expect((await run()).failures).toMatchObject([{ name: FULL, fault: { code: 'COPY_CONFLICT' } }])
    expect(await contentsOf(store)).not.toContain(partKey(FULL, 'part_003.tar.zst'))
  })

  it('leaves the JSON of the archive alone', async () => {
    const store = target()
    const format = await formatOf('zstd', newKey)
    await copy({ from: { store: source, format: plain }, to: { store, format }, recompress: true, reencrypt: true })
    expect(Buffer.from(await collect(await store.get(walKey(`${segmentName(2)}.json`)))).toString()).toBe('{"sidecar":1}')
  })
})

describe('a restore of the copy', () => {
  const expected = readFileSync(join(fixture, 'files.tsv'), 'utf8')
    .split('\n')
    .map((line) => line.split('\t'))
    .flatMap(([path, kind, , , hash]) => (kind === 'f' ? [`${path} ${hash}`] : []))
    .sort()

  const filesIn = (root: string): readonly string[] =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => `${path.slice(root.length + 1)} ${sha256(readFileSync(path))}`)
      .sort()

  it.each([
    ['as it is', 'zstd', undefined, {}],
    ['recompressed', 'lz4', undefined, { recompress: true }],
    ['encrypted', 'zstd', newKey, { reencrypt: true }],
    ['both', 'brotli', newKey, { recompress: true, reencrypt: true }],
  ] as const)('of a real backup gives every file: %s', async (_, codec, cipher, wishes) => {
    const work = mkdtempSync(join(tmpdir(), 'kit-copy-'))
    try {
      const from = createFileStore({ root: join(fixture, 'repo'), now, randomHex: (digits) => '0'.repeat(digits), sync: false })
      let count = 0
      mkdirSync(join(work, 'copy'))
      const randomHex = (digits: number): string => String((count += 1)).padStart(digits, '0')
      const to = createFileStore({ root: join(work, 'copy'), now, randomHex, sync: false })
      const format = await formatOf(codec, cipher)
      const result = await copy({
        from: { store: from, format: await formatOf('zstd') },
        to: { store: to, format },
        missingWal: 'report',
        ...wishes,
      })
      expect([result.failures, result.backups.length]).toEqual([[], 1])
      const destination = join(work, 'data')
      const parts = {
        store: to,
        catalog: createBackupCatalog(to),
        sealed: format,
        destination,
        selector: { latest: true },
        spoolDirectory: join(work, 'spool'),
      } as const
      await restoreBackup(parts, { lanes: 2, retries: 0, sync: false, sleep: () => Promise.resolve() })
      expect(filesIn(destination)).toEqual(expected)
      expect(existsSync(join(destination, 'global/pg_control'))).toBe(true)
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  })
})
